// A pattern of Python's `re` on PCRE2: UTF-8, and only '\n' ends a line.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace gpqa {

class Pattern {
 public:
  explicit Pattern(std::string_view pattern);  // our own pattern: a bad one throws std::logic_error
  ~Pattern();

  // Calls visit(group 1) for each match from left to right, as re.findall would list them, until it returns
  // false. The text must be valid UTF-8. Throws std::runtime_error if PCRE2 gives up (its work and memory are
  // bounded): that is never "no match".
  void each_match(std::string_view text, const std::function<bool(std::string_view)>& visit) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Python's `\s` as a bracketed class for Pattern.
inline constexpr std::string_view kPythonSpaceClass =
    R"([\x09-\x0D\x1C-\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}])";

}  // namespace gpqa
