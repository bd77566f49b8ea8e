#include "runners/model_files/tool_declaration.h"

#include <algorithm>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

using nlohmann::json;

constexpr std::string_view kQuote = "<|\"|>";
constexpr int kMostNested = 64;

// Rendering goes as deep as the value does.
void check_depth(const json& value, int left = kMostNested) {
  if (left == 0) {
    throw InputError("a tool, or a call's arguments, nested more than 64 deep");
  }
  if (value.is_structured()) {
    for (const auto& item : value) check_depth(item, left - 1);
  }
}

std::string in_quotes(std::string_view text) {
  return std::string(kQuote).append(text).append(kQuote);
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

// What a template prints for a value: nothing for one that isn't there.
std::string printed(const json& value) {
  return value.is_string() ? value.get<std::string>()
         : value.is_null() ? ""
                           : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json& member(const json& object, const char* key) {
  static const json none;
  const auto it = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && it != object.end() ? *it : none;
}

// A template's idea of true.
bool truthy(const json& value) {
  switch (value.type()) {
    case json::value_t::boolean:
      return value.get<bool>();
    case json::value_t::string:
      return !value.get_ref<const std::string&>().empty();
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return value != 0;
    default:
      return !value.empty();
  }
}

// Parts with commas between them.
class List {
 public:
  void add(std::string_view part) {
    if (!text_.empty()) text_ += ',';
    text_ += part;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string argument(const json& value, bool quote_keys) {
  List out;
  switch (value.type()) {
    case json::value_t::string:
      return in_quotes(value.get_ref<const std::string&>());
    case json::value_t::object:
      for (const auto& [key, item] : value.items()) {
        out.add((quote_keys ? in_quotes(key) : key) + ":" + argument(item, quote_keys));
      }
      return "{" + out.text() + "}";
    case json::value_t::array:
      for (const auto& item : value) out.add(argument(item, quote_keys));
      return "[" + out.text() + "]";
    case json::value_t::null:
      return "None";
    default:
      return printed(value);
  }
}

std::string required_list(const json& required) {
  List out;
  if (required.is_array()) {
    for (const auto& name : required) out.add(in_quotes(printed(name)));
  }
  return "required:[" + out.text() + "]";
}

std::string parameters(const json& properties);

std::string array_items(const json& items) {
  List out;
  for (const auto& [key, value] : items.items()) {
    if (value.is_null()) continue;
    if (key == "properties") {
      out.add("properties:{" + (value.is_object() ? parameters(value) : "") + "}");
    } else if (key == "required") {
      out.add(required_list(value));
    } else if (key == "type" && value.is_array()) {
      json types = json::array();
      for (const auto& type : value) types.push_back(upper(printed(type)));
      out.add("type:" + argument(types, true));
    } else if (key == "type") {
      out.add("type:" + argument(upper(printed(value)), true));
    } else {
      out.add(key + ":" + argument(value, true));
    }
  }
  return "items:{" + out.text() + "}";
}

std::string parameter(const json& value) {
  List out;
  const auto type = upper(printed(member(value, "type")));
  if (truthy(member(value, "description"))) {
    out.add("description:" + in_quotes(printed(member(value, "description"))));
  }
  if (type == "STRING" && truthy(member(value, "enum"))) {
    out.add("enum:" + argument(member(value, "enum"), true));
  }
  if (type == "ARRAY" && member(value, "items").is_object() && truthy(member(value, "items"))) {
    out.add(array_items(member(value, "items")));
  }
  if (truthy(member(value, "nullable"))) {
    out.add("nullable:true");
  }
  if (type == "OBJECT") {
    // Without "properties" all else that the object has counts as one.
    const auto& properties = member(value, "properties");
    out.add("properties:{" + parameters(properties.is_object() ? properties : value) + "}");
    if (truthy(member(value, "required"))) {
      out.add(required_list(member(value, "required")));
    }
  }
  out.add("type:" + in_quotes(type));
  return out.text();
}

std::string parameters(const json& properties) {
  List out;
  for (const auto& [key, value] : properties.items()) {
    if (key != "description" && key != "type" && key != "properties" && key != "required" &&
        key != "nullable") {
      out.add(key + ":{" + parameter(value) + "}");
    }
  }
  return out.text();
}

}  // namespace

std::string_view trim_template_text(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string tool_argument(const json& value, bool quote_keys) {
  check_depth(value);
  return argument(value, quote_keys);
}

std::string tool_arguments(const json& object) {
  check_depth(object);
  List out;
  for (const auto& [key, value] : object.items()) {
    out.add(key + ":" + argument(value, false));
  }
  return out.text();
}

// The braces are the template's: that of "parameters" is closed by its type, and open without one.
std::string tool_declaration(const json& tool) {
  check_depth(tool);
  const auto& function = member(tool, "function");
  const auto& schema = member(function, "parameters");
  std::string out = "declaration:" + printed(member(function, "name")) +
                    "{description:" + in_quotes(printed(member(function, "description")));
  if (truthy(schema)) {
    out += ",parameters:{";
    if (truthy(member(schema, "properties"))) {
      out += "properties:{" + parameters(member(schema, "properties")) + "},";
    }
    if (truthy(member(schema, "required"))) {
      out += required_list(member(schema, "required")) + ",";
    }
    if (truthy(member(schema, "type"))) {
      out += "type:" + in_quotes(upper(printed(member(schema, "type")))) + "}";
    }
  }
  if (function.is_object() && function.contains("response")) {
    const auto& response = member(function, "response");
    out += ",response:{";
    if (truthy(member(response, "description"))) {
      out += "description:" + in_quotes(printed(member(response, "description"))) + ",";
    }
    if (upper(printed(member(response, "type"))) == "OBJECT") {
      out += "type:" + in_quotes("OBJECT") + "}";
    }
  }
  return std::string(trim_template_text(out + "}"));
}

}  // namespace gpqa
