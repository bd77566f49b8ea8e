#include "harness/hub/hub_address.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/remote/http_client.h"
#include "runners/remote/url.h"

namespace gpqa {
namespace {

// Dots lead a path upwards; git allows neither of these.
bool is_revision(const std::string& text) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '/';
  };
  return !text.empty() && text.size() <= 200 && text[0] != '.' && text.find("..") == std::string::npos &&
         std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

std::string hub_endpoint(const std::string& url) {
  const auto parsed = parse_url(url);
  // The address is not repeated: it may hold a password.
  if (!parsed || !parsed->user.empty() || !parsed->password.empty() || !parsed->query.empty() ||
      !parsed->fragment.empty()) {
    throw InputError(
        "HF_ENDPOINT: expected the address of a hub like https://huggingface.co, without user, password and "
        "query");
  }
  if (parsed->scheme != "https" && !is_loopback(parsed->host)) {
    throw InputError(
        fmt::format("HF_ENDPOINT: http://{} would carry your token readable for others; expected https://",
                    parsed->host));
  }
  std::string path = parsed->path;
  while (path.ends_with('/')) path.pop_back();
  return parsed->scheme + "://" + parsed->host + (parsed->port.empty() ? "" : ":" + parsed->port) + path;
}

std::string hub_url(const std::string& endpoint, const HubFile& file) {
  if (!is_revision(file.revision))
    throw InputError("--revision: expected a branch, a tag or a commit of the hub's repository, like main");
  return fmt::format("{}/datasets/{}/resolve/{}/{}", endpoint, file.repo, escape_segment(file.revision),
                     escape_segment(file.name));
}

std::string hub_redirect(const std::string& from, const std::string& location) {
  auto target = resolve_url(from, location);
  const auto here = parse_url(from);
  const auto there = parse_url(target);
  if (!here || !there)
    throw TransportError(
        fmt::format("the answer of {} leads to no address", here ? here->origin() : "the hub"));
  if (there->scheme != "https" && (here->scheme == "https" || !is_loopback(there->host)))
    throw TransportError(
        fmt::format("{} leads to {}, where others could read or change the file on its way; not followed. "
                    "Expected https://",
                    here->origin(), there->origin()));
  return target;
}

}  // namespace gpqa
