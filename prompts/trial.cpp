#include "prompts/trial.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "prompts/prompt.h"
#include "prompts/python_random.h"
#include "prompts/sha256.h"
#include "prompts/split_mix.h"

namespace gpqa {
namespace {

constexpr std::uint32_t kMaxRepeats = 1000;  // a trial keeps its prompt: 198 x 1000 are about 400 MB

}  // namespace

std::size_t rows_under_limit(double limit, std::size_t rows) {
  if (!std::isfinite(limit) || limit < 0) {
    throw InputError(
        fmt::format("limit {}: expected a number of questions, or a share of them below 1", limit));
  }
  if (limit == 0) {
    return rows;
  }
  const double n = limit < 1 ? std::ceil(limit * static_cast<double>(rows)) : std::floor(limit);
  return n >= static_cast<double>(rows) ? rows : static_cast<std::size_t>(n);
}

std::string_view to_string(TaskVersion version) {
  switch (version) {
    case TaskVersion::v1_0:
      return "1.0";
    case TaskVersion::v2_1:
      return "2.1";
    case TaskVersion::v2_2:
      return "2.2";
  }
  return "";
}

TaskVersion parse_task_version(std::string_view text) {
  for (const auto version : {TaskVersion::v1_0, TaskVersion::v2_1, TaskVersion::v2_2}) {
    if (text == to_string(version)) {
      return version;
    }
  }
  throw InputError(fmt::format(
      "task version \"{}\": expected 2.2 (lm-eval since 2026-05), 2.1, or 1.0 (lm-eval up to 0.4.11)", text));
}

std::uint32_t trial_seed(std::uint64_t run_seed, std::string_view record_id, std::uint32_t row,
                         std::uint32_t repeat) {
  std::uint64_t h = split_mix(run_seed);
  for (const char c : record_id) {
    h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;  // FNV-1a
  }
  h = split_mix(h ^ row);
  h = split_mix(h ^ repeat);
  const auto seed = static_cast<std::uint32_t>(h >> 32);
  return seed == std::numeric_limits<std::uint32_t>::max() ? 0 : seed;
}

std::vector<Trial> make_trials(const Dataset& dataset, const TrialOptions& options) {
  const std::size_t rows = rows_under_limit(options.limit, dataset.questions.size());
  if (options.repeats == 0 || options.repeats > kMaxRepeats) {
    throw InputError(fmt::format("repeats {}: expected 1 to {}", options.repeats, kMaxRepeats));
  }
  std::vector<Trial> trials;
  trials.reserve(rows * options.repeats);
  // Rows are shuffled in file order from one generator, so those past the limit change nothing before them.
  PythonRandom random(options.shuffle_seed);
  for (const auto& question : std::span(dataset.questions).first(rows)) {
    Trial trial;
    trial.id.doc_id = static_cast<std::uint32_t>(question.row);
    trial.record_id = question.record_id;
    const std::string correct = clean_choice(question.correct, options.version);
    trial.choices = {clean_choice(question.incorrect[0], options.version),
                     clean_choice(question.incorrect[1], options.version),
                     clean_choice(question.incorrect[2], options.version), correct};
    random.shuffle(trial.choices);
    const auto gold = std::find(trial.choices.begin(), trial.choices.end(), correct) - trial.choices.begin();
    trial.gold = static_cast<char>('A' + gold);
    trial.prompt = prompt_text(question.text, trial.choices);
    trial.prompt_hash = sha256_hex(messages_json(trial.prompt));
    trials.push_back(std::move(trial));
  }
  for (std::uint32_t repeat = 1; repeat < options.repeats; ++repeat) {
    for (std::size_t row = 0; row < rows; ++row) {
      trials.push_back(trials[row]);
      trials.back().id.repeat = repeat;
    }
  }
  for (auto& trial : trials) {
    trial.seed = trial_seed(options.run_seed, trial.record_id, trial.id.doc_id, trial.id.repeat);
  }
  return trials;
}

}  // namespace gpqa
