// Runs put together from counts, for the tests of tables.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "results/run_record.h"

namespace gpqa {

inline Manifest constructed_manifest(const std::string& name, std::int64_t experts, std::uint64_t rows,
                                     std::uint32_t repeats = 1) {
  Manifest manifest;
  manifest.gpqa_version = "0.1.0";
  manifest.dataset_sha256 = std::string(64, 'a');
  manifest.dataset_rows = rows;
  manifest.trials.repeats = repeats;
  manifest.profile = "card";
  manifest.sampling.max_tokens = 12288;
  manifest.sampling.reasoning_budget = 8192;
  manifest.variant = name;
  manifest.experts = experts;
  manifest.runner.kind = "llama-server";
  manifest.runner.build = "b11434";
  manifest.runner.quant = "Q6_K";
  manifest.runner.slots = 1;
  return manifest;
}

// `fill` decides each trial; one whose outcome it sets to `cancelled` is left out.
inline RunRecord constructed_run(Manifest manifest, const std::function<void(TrialRecord&)>& fill) {
  RunRecord run;
  run.folder = "runs/" + manifest.variant;
  run.manifest = std::move(manifest);
  for (std::uint32_t doc_id = 0; doc_id < run.manifest.dataset_rows; ++doc_id) {
    for (std::uint32_t repeat = 0; repeat < run.manifest.trials.repeats; ++repeat) {
      TrialRecord trial;
      trial.id = {doc_id, repeat};
      trial.target = "(A)";
      trial.prompt_hash = "hash of " + std::to_string(doc_id);
      trial.outcome = Outcome::stop;
      trial.score.flexible.extracted = "(B)";
      trial.score.strict.extracted = "[invalid]";
      trial.tokens = {.prompt = 300, .completion = 900, .reasoning = 700, .content = 200};
      fill(trial);
      if (trial.outcome != Outcome::cancelled) {
        run.trials.push_back(std::move(trial));
      }
    }
  }
  return run;
}

inline void make_right(TrialRecord& trial, bool right = true) {
  trial.score.flexible = {.extracted = right ? "(A)" : "(B)", .correct = right};
  trial.score.strict = {.extracted = right ? "(A)" : "[invalid]", .correct = right};
}

// 149 right in the reference; 23 of them lost and 16 others won: net 7 of 39.
inline std::vector<RunRecord> one_run_each() {
  std::vector<RunRecord> runs;
  runs.push_back(constructed_run(constructed_manifest("128e", 128, 198),
                                 [](TrialRecord& t) { make_right(t, t.id.doc_id < 149); }));
  runs.push_back(constructed_run(constructed_manifest("109e", 109, 198), [](TrialRecord& t) {
    make_right(t, (t.id.doc_id >= 23 && t.id.doc_id < 149) || t.id.doc_id >= 182);
    if (t.id.doc_id < 5) {
      t.outcome = Outcome::rumination;
    }
  }));
  runs.push_back(constructed_run(constructed_manifest("E4B", 0, 198),
                                 [](TrialRecord& t) { make_right(t, t.id.doc_id < 113); }));
  runs[0].manifest.reference = true;
  runs[2].manifest.experts.reset();
  runs[2].manifest.runner.quant = "Q8_0";
  return runs;
}

// Four repeats; 98e worse on more questions than it is better on.
inline std::vector<RunRecord> four_repeats() {
  std::vector<RunRecord> runs;
  runs.push_back(constructed_run(constructed_manifest("128e", 128, 198, 4), [](TrialRecord& t) {
    make_right(t, (t.id.doc_id * 7 + t.id.repeat * 3) % 10 < 8);
  }));
  runs.push_back(constructed_run(constructed_manifest("98e", 98, 198, 4), [](TrialRecord& t) {
    make_right(t, (t.id.doc_id * 7 + t.id.repeat) % 10 < 7);
  }));
  return runs;
}

// The second run stopped after 150 of 198, lost 5, failed in 3, rests on a contaminated map, was asked by
// another server with another max_tokens, and has a name that tries to break the table.
inline std::vector<RunRecord> unfinished() {
  std::vector<RunRecord> runs;
  runs.push_back(constructed_run(constructed_manifest("128e", 128, 198),
                                 [](TrialRecord& t) { make_right(t, t.id.doc_id < 149); }));
  auto manifest = constructed_manifest("109e | v3\x1b[31m", 109, 198);
  manifest.map_file = "teacher_force.json";
  manifest.calibrated_on = "GPQA Diamond itself";
  manifest.runner.build = "b10434";
  manifest.sampling.max_tokens = 4096;
  runs.push_back(constructed_run(manifest, [](TrialRecord& t) {
    make_right(t, t.id.doc_id % 3 != 0);
    if (t.id.doc_id < 3) {
      t.outcome = Outcome::failed;
    } else if (t.id.doc_id < 8) {
      t.outcome = Outcome::lost_parse;
      make_right(t, false);
    } else if (t.id.doc_id >= 150) {
      t.outcome = Outcome::cancelled;
    }
  }));
  return runs;
}

}  // namespace gpqa
