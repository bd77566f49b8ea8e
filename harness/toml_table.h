// A TOML table read key by key: types and ranges are checked, errors name file, line and column, and a key
// that nobody asked for is an error that suggests the nearest one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "harness/sampling_fields.h"

namespace gpqa {

class TomlTable {
 public:
  // `name` is the table's own ("variant 2"), "" for the file's top.
  TomlTable(const toml::table& table, std::string file, std::string name);

  std::optional<std::string> text(const std::string& key);
  // One text, or an array of texts; none where there is no such key.
  std::vector<std::string> texts(const std::string& key);
  std::optional<bool> boolean(const std::string& key);
  std::optional<std::int64_t> integer(const std::string& key, std::int64_t low, std::int64_t high);
  std::optional<double> number(const std::string& key);
  std::optional<TomlTable> table(const std::string& key);
  std::vector<TomlTable> tables(const std::string& key);  // [[key]]

  // Calls visit(key, value) for every key; an InputError from it gets the key's place.
  void for_each(const std::function<void(const std::string&, const FieldValue&)>& visit);
  // Declares a key, so that it is none that nobody asked for.
  bool has(const std::string& key);

  // Throws for a key that nobody asked for.
  void finish() const;
  // FormatError at the key's place, or the table's where the key is missing.
  [[noreturn]] void fail(const std::string& key, const std::string& message) const;

 private:
  const toml::node* find(const std::string& key);
  [[noreturn]] void fail_at(const toml::source_region& place, const std::string& message) const;
  std::string full_name(const std::string& key) const;

  const toml::table* table_;
  std::string file_;
  std::string name_;
  std::vector<std::string> asked_;
};

}  // namespace gpqa
