// How many experts a model says it has, and the place where it says so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace gpqa {

class GgufFile;

struct ExpertCounts {
  std::uint32_t experts = 0;  // of a layer
  std::uint32_t used = 0;     // that the router chooses for a token
};

// Both throw FormatError if a count is missing or out of range: a model without experts among others.
ExpertCounts gguf_expert_counts(const GgufFile& file);
std::string expert_count_key(const GgufFile& file);  // "gemma4.expert_count"
// Of the text in a checkpoint's config.json.
ExpertCounts config_expert_counts(const std::string& config, const std::filesystem::path& path);

// The config with another number of experts wherever that stands: every other byte as it was. Throws
// FormatError if it isn't written as plain digits, once.
std::string config_with_experts(const std::string& config, std::uint32_t experts,
                                const std::filesystem::path& path);

}  // namespace gpqa
