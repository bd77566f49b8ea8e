// A value of a parsed JSON line with checked types and ranges; errors name the key.
#pragma once

#include <cstdint>
#include <simdjson.h>
#include <string>
#include <string_view>

namespace gpqa {

class JsonValue {
 public:
  // `parent` must outlive it; the root has none.
  explicit JsonValue(simdjson::dom::element element, std::string_view key = "",
                     const JsonValue* parent = nullptr)
      : element_(element), key_(key), parent_(parent) {}

  // Calls member(key, value) for each member of an object.
  template <class Member>
  void object(Member&& member) const {
    simdjson::dom::object object;
    if (element_.get(object) != simdjson::SUCCESS) {
      fail("an object");
    }
    for (const auto field : object) {
      member(field.key, JsonValue(field.value, field.key, this));
    }
  }

  std::string string() const;
  bool boolean() const;
  double number() const;
  std::uint64_t unsigned_integer(std::uint64_t max) const;

  // Throws InputError: key 'a.b': expected ...
  [[noreturn]] void fail(std::string_view expected) const;

 private:
  std::string path() const;

  simdjson::dom::element element_;
  std::string_view key_;
  const JsonValue* parent_;
};

}  // namespace gpqa
