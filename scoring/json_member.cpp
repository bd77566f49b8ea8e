#include "scoring/json_member.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace gpqa {
namespace {

// Walks a text that is known to be JSON.
class Walker {
 public:
  explicit Walker(std::string_view json) : rest_(json) {}

  void past(std::string_view stop) {
    rest_.remove_prefix(std::min(rest_.find_first_of(stop) + 1, rest_.size()));
  }
  char ahead() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n\r"), rest_.size()));
    return rest_.empty() ? '\0' : rest_.front();
  }
  std::string_view value() {
    ahead();
    const std::string_view start = rest_;
    std::size_t depth = 0;
    do {
      const char c = ahead();
      if (c == '"') {
        string();
      } else if (c == '[' || c == '{') {
        ++depth;
        rest_.remove_prefix(1);
      } else if (c == ']' || c == '}') {
        --depth;
        rest_.remove_prefix(1);
      } else if (c == ',' || c == ':') {
        rest_.remove_prefix(1);
      } else {
        rest_.remove_prefix(std::min(rest_.find_first_of(",:]} \t\n\r"), rest_.size()));
      }
    } while (depth > 0);
    return start.substr(0, start.size() - rest_.size());
  }

 private:
  void string() {
    std::size_t at = 1;
    while (rest_[at] != '"') {
      at += rest_[at] == '\\' ? 2 : 1;
    }
    rest_.remove_prefix(at + 1);
  }

  std::string_view rest_;
};

}  // namespace

std::string_view written_member(std::string_view object, std::string_view key) {
  std::string_view found;
  Walker walk(object);
  for (walk.past("{"); walk.ahead() == '"'; walk.past(",}")) {
    const bool wanted = nlohmann::json::parse(walk.value()) == key;
    walk.past(":");
    const auto value = walk.value();
    if (wanted) {
      found = value;
    }
  }
  return found;
}

}  // namespace gpqa
