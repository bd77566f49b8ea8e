// Reads the members of a parsed JSON object with checked types and ranges; errors name the key.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"

namespace gpqa {

class JsonObject {
 public:
  JsonObject(const nlohmann::ordered_json& json, std::string path) : json_(&json), path_(std::move(path)) {
    if (!json.is_object())
      throw InputError((path_.empty() ? "the text" : "'" + path_ + "'") + ": expected an object");
  }

  const nlohmann::ordered_json& json() const { return *json_; }
  bool has(const std::string& key) const { return json_->contains(key); }

  [[noreturn]] void fail(const std::string& key, const std::string& expected) const {
    throw InputError("key '" + name(key) + "': expected " + expected);
  }

  // True where the key's value is null.
  bool null(const std::string& key) { return at(key).is_null(); }

  JsonObject child(const std::string& key) { return JsonObject(at(key), name(key)); }

  // The objects of an array.
  std::vector<JsonObject> children(const std::string& key) {
    const auto& array = at(key);
    if (!array.is_array()) fail(key, "an array of objects");
    std::vector<JsonObject> all;
    for (std::size_t i = 0; i < array.size(); ++i)
      all.emplace_back(array[i], name(key) + "[" + std::to_string(i) + "]");
    return all;
  }

  template <class T>
  T get(const std::string& key) {
    const auto& value = at(key);
    if constexpr (std::is_same_v<T, bool>) {
      if (!value.is_boolean()) fail(key, "true or false");
      return value.template get<bool>();
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!value.is_string()) fail(key, "a string");
      return value.template get<std::string>();
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      if (!value.is_array()) fail(key, "an array of strings");
      for (const auto& item : value)
        if (!item.is_string()) fail(key, "an array of strings");
      return value.template get<std::vector<std::string>>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!value.is_number()) fail(key, "a number");
      return value.template get<T>();
    } else if constexpr (std::is_unsigned_v<T>) {
      if (!value.is_number_unsigned() || value.template get<std::uint64_t>() > std::numeric_limits<T>::max())
        fail(key, "an integer from 0 to " + std::to_string(std::numeric_limits<T>::max()));
      return value.template get<T>();
    } else {
      static_assert(std::is_same_v<T, std::int64_t>);
      // nlohmann stores a non-negative literal as unsigned, but a value built in C++ as signed.
      const bool too_large = value.is_number_unsigned() &&
                             value.template get<std::uint64_t>() >
                                 static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (!value.is_number_integer() || too_large) fail(key, "an integer of 64 bits");
      return value.template get<std::int64_t>();
    }
  }

  // A name, read by `parse`, which throws InputError for an unknown one.
  template <class Enum>
  void choose(const std::string& key, Enum (*parse)(std::string_view), Enum& out) {
    const auto text = get<std::string>(key);
    try {
      out = parse(text);
    } catch (const InputError& error) {
      throw InputError("key '" + name(key) + "': " + error.what());
    }
  }

  // Throws for a key that nobody asked for: it might change what the others mean.
  void finish() const {
    for (const auto& item : json_->items())
      if (used_.count(item.key()) == 0) throw InputError("unknown key '" + name(item.key()) + "'");
  }

 private:
  std::string name(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  const nlohmann::ordered_json& at(const std::string& key) {
    const auto found = json_->find(key);
    if (found == json_->end()) throw InputError("key '" + name(key) + "' is missing");
    used_.insert(key);
    return *found;
  }

  const nlohmann::ordered_json* json_;
  std::string path_;
  std::set<std::string> used_;
};

}  // namespace gpqa
