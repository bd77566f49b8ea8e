#include "scoring/extract_json.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "scoring/json_member.h"
#include "scoring/json_surrogates.h"
#include "scoring/score.h"

namespace gpqa {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kExpected = R"(expected {"id", "choices", "target", "response"})";

Json parse(std::string_view line) {
  try {
    Json input = Json::parse(line);
    if (!input.is_object()) {
      throw InputError(fmt::format("a JSON {}; {}", input.type_name(), kExpected));
    }
    return input;
  } catch (const Json::parse_error& error) {
    throw InputError(fmt::format("not JSON in UTF-8, at byte {}; {}", error.byte, kExpected));
  } catch (const Json::out_of_range&) {
    throw InputError(fmt::format("a number that is out of range; {}", kExpected));
  }
}

const Json& member(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) {
    throw InputError(fmt::format("no key \"{}\"; {}", key, kExpected));
  }
  return *it;
}

std::string text_of(const Json& value, std::string_view key, std::string_view expected) {
  if (!value.is_string()) {
    throw InputError(fmt::format("\"{}\": expected {}, found {}", key, expected, value.type_name()));
  }
  return value.get<std::string>();
}

std::array<std::string, 4> choices_of(const Json& input) {
  const Json& choices = member(input, "choices");
  std::array<std::string, 4> texts;
  if (!choices.is_array() || choices.size() != texts.size()) {
    throw InputError(fmt::format("\"choices\": expected four strings, found {}",
                                 choices.is_array() ? std::to_string(choices.size()) : choices.type_name()));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i] = text_of(choices[i], fmt::format("choices[{}]", i), "a string");
  }
  return texts;
}

}  // namespace

std::string extract_json_line(std::string_view line, FlexVariant variant) {
  const JsonSurrogates surrogates(line);
  const Json input = parse(surrogates.line());
  member(input, "id");
  const auto place = written_member(surrogates.line(), "id");
  const auto id =
      line.substr(static_cast<std::size_t>(place.data() - surrogates.line().data()), place.size());
  const auto choices = choices_of(input);
  const auto target = text_of(member(input, "target"), "target", "a string such as \"(C)\"");
  std::string response;
  if (const auto it = input.find("response"); it != input.end() && !it->is_null()) {
    response = text_of(*it, "response", "a string or null");
  }
  const Score scored = score(response, choices, target, variant);
  const auto part = [&](std::string_view name, const FilterResult& result) {
    return fmt::format(R"(,"{0}_extracted":{1},"{0}_score":{2})", name,
                       surrogates.restored(Json(result.extracted).dump()), result.correct ? "1.0" : "0.0");
  };
  return fmt::format(R"({{"id":{}{}{}}})", id, part("strict", scored.strict), part("flex", scored.flexible));
}

}  // namespace gpqa
