#include "harness/token_ids.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr std::string_view kSpace = " \t\r";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

}  // namespace

std::vector<TokenId> parse_token_ids(std::string_view text) {
  std::string_view rest = trimmed(text);
  if (rest.starts_with('[') && rest.ends_with(']')) rest = trimmed(rest.substr(1, rest.size() - 2));
  std::vector<TokenId> ids;
  while (!rest.empty()) {
    TokenId id = 0;
    const auto* end = rest.data() + rest.size();
    const auto [after, error] = std::from_chars(rest.data(), end, id);
    const auto between = static_cast<std::size_t>(after - rest.data());
    const bool ends = after == end || *after == ',' || kSpace.find(*after) != std::string_view::npos;
    if (error != std::errc() || !ends)
      throw InputError(fmt::format("expected ids of tokens like 2,105, found '{}'", rest.substr(0, 20)));
    ids.push_back(id);
    rest = trimmed(rest.substr(between));
    if (!rest.starts_with(',')) continue;
    rest = trimmed(rest.substr(1));
    if (rest.empty()) throw InputError("expected ids of tokens like 2,105, found nothing after a comma");
  }
  return ids;
}

}  // namespace gpqa
