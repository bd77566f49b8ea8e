#include "results/lm_eval_files.h"

#include <algorithm>
#include <ctime>
#include <sys/time.h>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/prompt.h"
#include "prompts/sha256.h"
#include "prompts/trial.h"
#include "results/lm_eval_results.h"
#include "results/pandas_types.h"
#include "results/posix_file.h"
#include "results/python_json.h"
#include "results/run_files.h"

namespace gpqa {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

// A document as it was asked, and what came of it.
struct Sample {
  const Trial* trial;
  const TrialRecord* record;
  std::string content;
  Json doc;
  std::string doc_hash;
  std::string target_hash;
};

Json doc_of(Json row, const Trial& trial) {
  for (std::size_t i = 0; i < trial.choices.size(); ++i)
    row["choice" + std::to_string(i + 1)] = trial.choices[i];
  row["choices"] = trial.choices;
  row["answer"] = trial.target();
  return row;
}

// The run's trials of one repeat, each with its answer; throws if one is missing.
std::vector<Sample> samples_of(const RunRecord& run, const Dataset& dataset, const std::vector<Trial>& trials,
                               std::uint32_t repeat) {
  const std::vector<Json> rows = pandas_rows(dataset);
  std::vector<Sample> samples;
  std::size_t planned = 0;
  std::size_t open = 0;
  std::string first_open;
  for (const auto& trial : trials) {
    if (trial.id.repeat != repeat) continue;
    ++planned;
    const auto record = std::lower_bound(run.trials.begin(), run.trials.end(), trial.id,
                                         [](const TrialRecord& a, const TrialId& id) { return a.id < id; });
    const bool found = record != run.trials.end() && record->id == trial.id;
    // A failed trial has no answer, and lm-eval would have ended there: it is not written as a wrong one.
    if (!found || record->outcome == Outcome::failed) {
      if (open++ == 0)
        first_open =
            fmt::format("doc {} {}", trial.id.doc_id, found ? "failed: " + record->error : "is missing");
      continue;
    }
    if (record->prompt_hash != trial.prompt_hash || record->target != trial.target())
      throw InputError(
          fmt::format("{}: doc {} was asked with another prompt than the data set and the manifest give "
                      "(hash {}, expected {})",
                      run.folder.string(), trial.id.doc_id, record->prompt_hash, trial.prompt_hash));
    Json doc = doc_of(rows.at(trial.id.doc_id), trial);
    std::string doc_hash = sha256_hex(python_json(doc, 2));
    samples.push_back({&trial, &*record, read_transcript(run, *record).content, std::move(doc),
                       std::move(doc_hash), sha256_hex(trial.target())});
  }
  if (planned == 0)
    throw InputError(fmt::format("{}: has no repeat {}: expected 0 to {}", run.folder.string(), repeat,
                                 run.manifest.trials.repeats - 1));
  if (open != 0)
    throw InputError(
        fmt::format("{}: {} of {} trials have no answer (the first: {}): run the same command again to "
                    "ask them",
                    run.folder.string(), open, planned, first_open));
  return samples;
}

struct Filter {
  const char* name;
  const FilterResult& (*result)(const Score&);
  std::vector<double> LmEvalScores::*scores;
};
const Filter kFilters[] = {
    // in the order of the task's filter_list
    {"strict-match", [](const Score& score) -> const FilterResult& { return score.strict; },
     &LmEvalScores::strict},
    {"flexible-extract", [](const Score& score) -> const FilterResult& { return score.flexible; },
     &LmEvalScores::flexible},
};

Json sample_json(const Sample& sample, const Filter& filter, const SamplingConfig& sampling) {
  const Trial& trial = *sample.trial;
  const FilterResult& result = filter.result(sample.record->score);
  return {
      {"doc_id", trial.id.doc_id},
      {"doc", sample.doc},
      {"target", trial.target()},
      {"arguments",
       {{"gen_args_0",
         {{"arg_0", Json::array({messages_json(trial.prompt)})},
          {"arg_1", lm_eval_generation_kwargs(sampling, sample.record->seed)}}}}},
      {"resps", Json::array({Json::array({sample.content})})},
      {"filtered_resps", Json::array({result.extracted})},
      {"filter", filter.name},
      {"metrics", Json::array({"exact_match"})},
      {"doc_hash", sample.doc_hash},
      {"prompt_hash", trial.prompt_hash},
      {"target_hash", sample.target_hash},
      {"exact_match", result.correct ? 1.0 : 0.0},
  };
}

// As lm-eval names it: local time with microseconds.
std::string timestamp() {
  timeval now{};
  ::gettimeofday(&now, nullptr);
  std::tm local{};
  ::localtime_r(&now.tv_sec, &local);
  return fmt::format("{:04}-{:02}-{:02}T{:02}-{:02}-{:02}.{:06}", local.tm_year + 1900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, now.tv_usec);
}

}  // namespace

LmEvalFiles export_lm_eval(const RunRecord& run, const Dataset& dataset, const fs::path& out,
                           std::uint32_t repeat) {
  if (dataset.sha256 != run.manifest.dataset_sha256)
    throw InputError(fmt::format("{}: is another data set than the run's {}: expected SHA-256 {}, found {}",
                                 dataset.path.string(), run.manifest.dataset_path,
                                 run.manifest.dataset_sha256, dataset.sha256));
  const std::vector<Trial> trials = make_trials(dataset, run.manifest.trials);
  const std::vector<Sample> samples = samples_of(run, dataset, trials, repeat);

  std::string lines;
  std::string hashes;
  LmEvalScores scores;
  for (const auto& filter : kFilters) {
    for (const auto& sample : samples) {
      lines += python_json(sample_json(sample, filter, run.manifest.sampling)) + "\n";
      hashes += sample.doc_hash + sample.trial->prompt_hash + sample.target_hash;
      (scores.*filter.scores).push_back(filter.result(sample.record->score).correct ? 1.0 : 0.0);
    }
  }
  scores.task_hash = sha256_hex(hashes);

  make_private_folder(out);
  const std::string time = timestamp();
  LmEvalFiles files{
      out / ("results_" + time + ".json"),
      out / fmt::format("samples_{}_{}.jsonl", lm_eval_sanitized(run.manifest.task_name), time)};
  replace_file(files.samples, lines);
  replace_file(files.results, python_json(lm_eval_results(run.manifest, scores), 2));
  return files;
}

}  // namespace gpqa
