#include "harness/toml_table.h"

#include <utility>

#include <fmt/format.h>

#include "harness/suggest.h"
#include "prompts/input_error.h"

namespace gpqa {
namespace {

std::string_view type_name(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  if (node.is_string()) return "a text";
  if (node.is_integer()) return "a whole number";
  if (node.is_floating_point()) return "a number with a point";
  if (node.is_boolean()) return "true or false";
  return "a date or time";
}

std::optional<FieldValue> field_value(const toml::node& node) {
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_string()) return value->get();
  const auto* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> list;
  for (const auto& item : *array) {
    const auto* text = item.as_string();
    if (text == nullptr) return std::nullopt;
    list.push_back(text->get());
  }
  return list;
}

}  // namespace

TomlTable::TomlTable(const toml::table& table, std::string file, std::string name)
    : table_(&table), file_(std::move(file)), name_(std::move(name)) {}

std::optional<std::string> TomlTable::text(const std::string& key) {
  const auto* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_string()) return value->get();
  fail(key, fmt::format("'{}': expected a text in quotes, found {}", full_name(key), type_name(*node)));
}

std::vector<std::string> TomlTable::texts(const std::string& key) {
  const auto* node = find(key);
  if (node == nullptr) return {};
  if (const auto* value = node->as_string()) return {value->get()};
  std::vector<std::string> all;
  const auto* array = node->as_array();
  if (array == nullptr)
    fail(key, fmt::format("'{}': expected a text in quotes or an array of them, found {}", full_name(key),
                          type_name(*node)));
  for (const auto& item : *array) {
    const auto* value = item.as_string();
    if (value == nullptr)
      fail_at(item.source(),
              fmt::format("'{}': expected a text in quotes, found {}", full_name(key), type_name(item)));
    all.push_back(value->get());
  }
  return all;
}

std::optional<bool> TomlTable::boolean(const std::string& key) {
  const auto* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_boolean()) return value->get();
  fail(key, fmt::format("'{}': expected true or false, found {}", full_name(key), type_name(*node)));
}

std::optional<std::int64_t> TomlTable::integer(const std::string& key, std::int64_t low, std::int64_t high) {
  const auto* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_integer();
  if (value == nullptr)
    fail(key, fmt::format("'{}': expected a whole number, found {}", full_name(key), type_name(*node)));
  if (value->get() < low || value->get() > high)
    fail(key, fmt::format("'{}': expected {} to {}, found {}", full_name(key), low, high, value->get()));
  return value->get();
}

std::optional<double> TomlTable::number(const std::string& key) {
  const auto* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_floating_point()) return value->get();
  if (const auto* value = node->as_integer()) return static_cast<double>(value->get());
  fail(key, fmt::format("'{}': expected a number, found {}", full_name(key), type_name(*node)));
}

std::optional<TomlTable> TomlTable::table(const std::string& key) {
  const auto* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_table()) return TomlTable(*value, file_, full_name(key));
  fail(key, fmt::format("'{}': expected a table, found {}", full_name(key), type_name(*node)));
}

std::vector<TomlTable> TomlTable::tables(const std::string& key) {
  std::vector<TomlTable> all;
  const auto* node = find(key);
  if (node == nullptr) return all;
  const auto* array = node->as_array();
  if (array == nullptr)
    fail(key, fmt::format("'{}': expected [[{}]], found {}", full_name(key), key, type_name(*node)));
  for (const auto& item : *array) {
    const auto* value = item.as_table();
    if (value == nullptr)
      fail_at(item.source(), fmt::format("'{}': expected tables, found {}", full_name(key), type_name(item)));
    all.emplace_back(*value, file_, fmt::format("{} {}", full_name(key), all.size() + 1));
  }
  return all;
}

void TomlTable::for_each(const std::function<void(const std::string&, const FieldValue&)>& visit) {
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    asked_.push_back(name);
    const auto value = field_value(node);
    if (!value)
      fail_at(node.source(),
              fmt::format("'{}': expected a number, a text, true or false, or a list of texts, found {}",
                          full_name(name), type_name(node)));
    try {
      visit(name, *value);
    } catch (const InputError& error) {
      fail_at(key.source(), fmt::format("[{}] {}", name_, error.what()));
    }
  }
}

bool TomlTable::has(const std::string& key) {
  return find(key) != nullptr;
}

void TomlTable::finish() const {
  for (const auto& [key, node] : *table_) {
    bool known = false;
    for (const auto& name : asked_) known = known || name == key.str();
    if (!known)
      fail_at(key.source(), fmt::format("unknown key '{}'{}", full_name(std::string(key.str())),
                                        suggestion(key.str(), asked_)));
  }
}

void TomlTable::fail(const std::string& key, const std::string& message) const {
  const auto* node = table_->get(key);
  fail_at(node != nullptr ? node->source() : table_->source(), message);
}

const toml::node* TomlTable::find(const std::string& key) {
  asked_.push_back(key);
  return table_->get(key);
}

void TomlTable::fail_at(const toml::source_region& place, const std::string& message) const {
  throw FormatError(file_, place.begin ? fmt::format("{}:{}", place.begin.line, place.begin.column) : "",
                    message);
}

std::string TomlTable::full_name(const std::string& key) const {
  return name_.empty() ? key : name_ + "." + key;
}

}  // namespace gpqa
