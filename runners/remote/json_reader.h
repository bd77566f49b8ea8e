// A strict JSON reader (RFC 8259) for what a server sends by the hundred thousand: one pass, no tree, no
// recursion beyond a bound. The caller asks for what it expects; everything it skips is checked all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace gpqa {

class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class JsonReader {
 public:
  enum class Kind { object, array, string, number, boolean, null };

  explicit JsonReader(std::string_view text) : text_(text) {}

  Kind kind();  // of the value ahead
  // Calls member(key) for each member; it must read the value. The key lives until it reads anything.
  template <class Member>
  void object(Member&& member) {
    for (bool more = enter('{', '}'); more; more = next('}')) {
      member(key());
    }
    --depth_;
  }
  // Calls element(), which must read one value, for each.
  template <class Element>
  void array(Element&& element) {
    for (bool more = enter('[', ']'); more; more = next(']')) {
      element();
    }
    --depth_;
  }
  std::string_view string();  // escapes decoded; lives until the next string is read
  std::string_view number();  // as it is written
  bool boolean();
  std::string_view skip();  // a value of any kind, as it is written
  void end();               // only white space may follow

 private:
  [[noreturn]] void fail(const char* expected) const;
  void skip_space();
  bool enter(char open, char close);  // true if there is a first element
  bool next(char close);              // true if there is another
  std::string_view key();
  void literal(std::string_view word);
  void escape();  // decodes what stands after a backslash
  std::uint32_t four_hex();
  void digits();

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string decoded_;
};

// Of a number as it is written: whole and within range, or nothing.
std::optional<std::int64_t> to_integer(std::string_view number);
double to_double(std::string_view number);

// The length of the UTF-8 sequence at the front (1 to 4), 0 if it is none (Unicode 15, table 3-7).
std::size_t utf8_sequence(std::string_view bytes);

}  // namespace gpqa
