// What `gpqa model bench` found, as a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runners/embedded/engine/speed_test.h"

namespace gpqa {

struct SpeedReport {
  std::string model;
  std::size_t threads = 0;
  std::string kernels;
  std::string arithmetic;
  std::string kv;  // what keys and values were kept as
  PromptSpeed prompt;
  std::vector<DecodeSpeed> decode;  // those that came to their end
};

// Means and medians over steps, or over prompts.
struct SpeedRow {
  double median_s = 0;
  double mean_s = 0;
  double tokens_per_s = 0;       // of all slots, by the median
  double mean_tokens_per_s = 0;  // by the mean
  double weights = 0;            // bytes a step, mean over those that were counted
  double kv = 0;
  double experts = 0;  // different ones a layer, mean over layers and steps
  std::size_t fewest_experts = 0;
  std::size_t most_experts = 0;
  double bandwidth = 0;  // bytes a second, mean of before and after
  double share = 0;      // of that, used in the median step
};

SpeedRow speed_row(const PromptSpeed& prompt);  // what it reads isn't counted: computing bounds it
SpeedRow speed_row(const DecodeSpeed& decode);

std::string to_text(const SpeedReport& report);
nlohmann::ordered_json to_json(const SpeedReport& report);

}  // namespace gpqa
