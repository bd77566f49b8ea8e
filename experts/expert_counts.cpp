#include "experts/expert_counts.h"

#include <array>
#include <optional>
#include <simdjson.h>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experts/drop_map.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"

namespace gpqa {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

ExpertCounts checked(std::uint64_t experts, std::uint64_t used, const fs::path& path) {
  if (experts < 1 || experts > kMostExperts || used < 1 || used > experts) {
    throw FormatError(path.string(), "",
                      fmt::format("{} experts of which {} are used; expected up to {}, and no more used than "
                                  "there are",
                                  experts, used, kMostExperts));
  }
  return {static_cast<std::uint32_t>(experts), static_cast<std::uint32_t>(used)};
}

Json parsed(const std::string& config, const fs::path& path) {
  auto json = Json::parse(config, nullptr, false);
  if (!json.is_object()) {
    throw FormatError(path.string(), "", "expected a JSON object");
  }
  return json;
}

// Where a number of experts may stand: models of images and text have their text's numbers within.
constexpr std::array<const char*, 4> kExpertPointers = {
    "/text_config/num_experts", "/num_experts", "/text_config/num_local_experts", "/num_local_experts"};
constexpr std::array<const char*, 4> kUsedPointers = {"/text_config/top_k_experts", "/top_k_experts",
                                                      "/text_config/num_experts_per_tok",
                                                      "/num_experts_per_tok"};

template <std::size_t N>
std::vector<const char*> present(const Json& json, const std::array<const char*, N>& pointers) {
  std::vector<const char*> found;
  for (const auto* pointer : pointers) {
    const Json::json_pointer where(pointer);
    if (json.contains(where) && !json[where].is_null()) {
      found.push_back(pointer);
    }
  }
  return found;
}

// The one number that all of these places say.
template <std::size_t N>
std::uint64_t agreed(const Json& json, const std::array<const char*, N>& pointers, const fs::path& path) {
  const auto found = present(json, pointers);
  if (found.empty()) {
    throw FormatError(path.string(), pointers[0] + 1, "is missing: a model without experts?");
  }
  const auto& first = json[Json::json_pointer(found[0])];
  for (const auto* pointer : found) {
    const auto& value = json[Json::json_pointer(pointer)];
    if (!value.is_number_unsigned() || value != first) {
      throw FormatError(
          path.string(), pointer + 1,
          fmt::format("is {}; expected a whole number, and the same as {}", value.dump(), found[0] + 1));
    }
  }
  return first.get<std::uint64_t>();
}

// Where the digits of the number at `pointer` stand in `json`, which has been padded.
std::string_view number_at(simdjson::ondemand::parser& parser, const simdjson::padded_string& json,
                           std::string_view pointer) {
  simdjson::ondemand::document document;
  simdjson::ondemand::value value;
  std::string_view token;
  if (parser.iterate(json).get(document) != simdjson::SUCCESS ||
      document.at_pointer(pointer).get(value) != simdjson::SUCCESS) {
    return {};
  }
  token = value.raw_json_token();
  return token.substr(0, token.find_first_not_of("0123456789"));
}

}  // namespace

std::string expert_count_key(const GgufFile& file) {
  return fmt::format("{}.expert_count", file.text("general.architecture"));
}

ExpertCounts gguf_expert_counts(const GgufFile& file) {
  const auto prefix = std::string(file.text("general.architecture"));
  const auto groups = prefix + ".expert_group_count";
  if (file.has(groups) && file.count(groups) > 1) {
    throw FormatError(
        file.path().string(), groups,
        fmt::format("{} groups of experts; expected Gemma 4's, which has none", file.count(groups)));
  }
  return checked(file.count(prefix + ".expert_count"), file.count(prefix + ".expert_used_count"),
                 file.path());
}

ExpertCounts config_expert_counts(const std::string& config, const fs::path& path) {
  const auto json = parsed(config, path);
  return checked(agreed(json, kExpertPointers, path), agreed(json, kUsedPointers, path), path);
}

std::string config_with_experts(const std::string& config, std::uint32_t experts, const fs::path& path) {
  auto expected = parsed(config, path);
  std::string out = config;
  for (const auto* pointer : present(expected, kExpertPointers)) {
    expected[Json::json_pointer(pointer)] = experts;
    const simdjson::padded_string json(out);
    simdjson::ondemand::parser parser;
    const auto digits = number_at(parser, json, pointer);
    if (!digits.empty()) {
      out.replace(static_cast<std::size_t>(digits.data() - json.data()), digits.size(),
                  fmt::to_string(experts));
    }
  }
  // Whatever is odd about the file: what is written must say what it said, but for the number.
  if (Json::parse(out, nullptr, false) != expected) {
    throw FormatError(path.string(), "num_experts",
                      "can't be changed without changing more; expected it once, as plain digits");
  }
  return out;
}

}  // namespace gpqa
