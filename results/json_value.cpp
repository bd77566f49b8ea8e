#include "results/json_value.h"

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {

std::string JsonValue::path() const {
  const std::string outer = parent_ == nullptr ? "" : parent_->path();
  return outer.empty() ? std::string(key_) : outer + "." + std::string(key_);
}

void JsonValue::fail(std::string_view expected) const {
  const std::string place = path();
  throw InputError(place.empty() ? fmt::format("expected {}", expected)
                                 : fmt::format("key '{}': expected {}", place, expected));
}

std::string JsonValue::string() const {
  std::string_view text;
  if (element_.get(text) != simdjson::SUCCESS) {
    fail("a string");
  }
  return std::string(text);
}

bool JsonValue::boolean() const {
  bool value = false;
  if (element_.get(value) != simdjson::SUCCESS) {
    fail("true or false");
  }
  return value;
}

double JsonValue::number() const {
  double value = 0;
  if (element_.get(value) != simdjson::SUCCESS) {
    fail("a number");
  }
  return value;
}

std::uint64_t JsonValue::unsigned_integer(std::uint64_t max) const {
  std::uint64_t value = 0;
  if (element_.get(value) != simdjson::SUCCESS || value > max) {
    fail(fmt::format("an integer from 0 to {}", max));
  }
  return value;
}

}  // namespace gpqa
