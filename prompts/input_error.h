// What a file, a plan or a flag got wrong, in words its owner can act on.
#pragma once

#include <stdexcept>
#include <string>

namespace gpqa {

// Thrown for bad input of any kind; only harness/ catches it (exit code 2).
// The text says what is wrong, where, what was expected and found, and what to do.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A file that can't be read as what it should be: `PATH:PLACE: MESSAGE` (place: a line, row or byte offset;
// may be empty).
class FormatError : public InputError {
 public:
  FormatError(const std::string& path, const std::string& place, const std::string& message)
      : InputError(place.empty() ? path + ": " + message : path + ":" + place + ": " + message) {}
};

}  // namespace gpqa
