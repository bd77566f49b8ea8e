#include "scoring/extract_json.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "scoring/score.h"

namespace gpqa {
namespace {

std::optional<std::uint32_t> escape_at(std::string_view line, std::size_t at) {
  if (at + 6 > line.size() || line.substr(at, 2) != "\\u") {
    return std::nullopt;
  }
  std::uint32_t code = 0;
  const char* end = line.data() + at + 6;
  const auto [stop, error] = std::from_chars(line.data() + at + 2, end, code, 16);
  return error == std::errc() && stop == end ? std::optional(code) : std::nullopt;
}

// Python's json reads and writes lone surrogates; the parser here refuses them.
std::string without_lone_surrogates(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] != '\\') {
      out.push_back(line[at++]);
      continue;
    }
    const auto code = escape_at(line, at);
    if (!code) {
      out.append(line.substr(at, 2));
      at += 2;
      continue;
    }
    const bool high = *code >= 0xD800 && *code < 0xDC00;
    const bool low = *code >= 0xDC00 && *code < 0xE000;
    const auto next = high ? escape_at(line, at + 6) : std::nullopt;
    if (next && *next >= 0xDC00 && *next < 0xE000) {
      out.append(line.substr(at, 12));
      at += 12;
    } else {
      out.append(high || low ? std::string_view("\\ufffd") : line.substr(at, 6));
      at += 6;
    }
  }
  return out;
}

const nlohmann::ordered_json& member(const nlohmann::ordered_json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) {
    throw InputError(std::string("no key \"") + key +
                     "\"; expected {\"id\", \"choices\", \"target\", \"response\"}");
  }
  return *it;
}

}  // namespace

std::string extract_json_line(std::string_view line, FlexVariant variant) {
  const auto input = nlohmann::ordered_json::parse(without_lone_surrogates(line), nullptr, false);
  if (!input.is_object()) {
    throw InputError("not a JSON object; expected {\"id\", \"choices\", \"target\", \"response\"}");
  }
  const auto& choices = member(input, "choices");
  std::array<std::string, 4> texts;
  if (!choices.is_array() || choices.size() != texts.size() ||
      !std::all_of(choices.begin(), choices.end(), [](const auto& c) { return c.is_string(); })) {
    throw InputError("\"choices\": expected four strings");
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i] = choices[i].get<std::string>();
  }
  const auto& target = member(input, "target");
  if (!target.is_string()) {
    throw InputError("\"target\": expected a string such as \"(C)\"");
  }
  std::string response;
  if (const auto it = input.find("response"); it != input.end() && !it->is_null()) {
    if (!it->is_string()) {
      throw InputError("\"response\": expected a string or null");
    }
    response = it->get<std::string>();
  }
  const Score scored = score(response, texts, target.get<std::string>(), variant);
  nlohmann::ordered_json output;
  output["id"] = member(input, "id");
  output["strict_extracted"] = scored.strict.extracted;
  output["strict_score"] = scored.strict.correct ? 1.0 : 0.0;
  output["flex_extracted"] = scored.flexible.extracted;
  output["flex_score"] = scored.flexible.correct ? 1.0 : 0.0;
  return output.dump();
}

}  // namespace gpqa
