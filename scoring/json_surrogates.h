// Lone surrogates (\ud800) in a line of JSON: Python's strings hold them, UTF-8 can't.
#pragma once

#include <string>
#include <string_view>

namespace gpqa {

// Has private-use characters that the line doesn't hold stand for its lone surrogates. The filters and Python
// treat both alike: no letter, no white space, no punctuation, never lower-cased.
class JsonSurrogates {
 public:
  // Throws InputError if the line holds lone surrogates and characters of every block that could stand for
  // them.
  explicit JsonSurrogates(std::string_view line);

  std::string_view line() const { return line_; }     // as long as the one given, byte for byte elsewhere
  std::string restored(std::string_view json) const;  // JSON in which they are escapes again

 private:
  std::string line_;
  unsigned offset_ = 0;  // from a surrogate to what stands for it; 0: there are none
};

}  // namespace gpqa
