// Addresses taken apart as libcurl takes them: what is checked is what is asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gpqa {

// scheme and host in lower case; port as written, "" for the scheme's own.
struct Url {
  std::string scheme, user, password, host, port, path, query, fragment;

  // "https://HOST:PORT", the port always named: two addresses of one server have equal ones.
  std::string origin() const;
};

// nullopt for what is no absolute http or https address.
std::optional<Url> parse_url(const std::string& text);

// What a Location header means in an answer from `base`; "" where it means nothing.
std::string resolve_url(const std::string& base, const std::string& location);

// One segment of a path, or more if `text` has slashes: they are escaped too.
std::string escape_segment(const std::string& text);

bool is_loopback(std::string_view host);

}  // namespace gpqa
