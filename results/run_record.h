// results/: what is kept of a run, and every table that can be made from it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "prompts/trial.h"
#include "runners/completion.h"
#include "runners/runner.h"
#include "runners/sampling_config.h"
#include "scoring/score.h"

namespace gpqa {

// What befell a run while it went on: a server that was started again, a change that was accepted.
struct RunEvent {
  std::string time;            // UTC, ISO 8601
  std::int64_t at_trials = 0;  // so many were recorded then
  std::string what;
};

// All that can change a score. Two manifests whose `identity` JSON is equal describe the same run.
struct Manifest {
  std::string gpqa_version;
  std::string created;  // UTC, ISO 8601; not part of the identity
  // the questions
  std::string dataset_path;  // not part of the identity: the hash is
  std::string dataset_sha256;
  std::uint64_t dataset_rows = 0;
  std::string task_name = "gpqa_diamond_cot_zeroshot";
  TrialOptions trials;
  std::string prompts_sha256;  // over the prompt hashes of all trials, in order
  // how they are answered
  std::string profile;
  SamplingConfig sampling;
  std::vector<std::string> assumptions;  // e.g. "max_tokens 12288: the card names none"
  // by whom
  std::string variant;
  std::optional<std::int64_t> experts;
  bool reference = false;               // not part of the identity
  std::string map_file;                 // the drop map, "" if none
  std::string map_sha256;               // of the map's bytes; "" if its file isn't known
  std::string calibrated_on;            // "" if no map or unknown
  bool on_evaluated_questions = false;  // the map was calibrated on questions that scores are reported on
  std::vector<std::string>
      map_drops;  // each layer's dropped experts: "2 10 12"; not part of the identity, the hash is
  RunnerInfo runner;
  // how they are scored
  FlexVariant flex_variant = FlexVariant::v0_4_13;
  std::vector<RunEvent> history;  // not part of the identity
};

// One line of trials.jsonl.
struct TrialRecord {
  TrialId id;
  std::string record_id;
  std::string target;
  std::string prompt_hash;
  std::uint32_t seed = 0;
  Outcome outcome = Outcome::failed;
  std::string finish_reason;
  std::string error;
  Score score;
  TokenCounts tokens;
  std::uint32_t retries = 0;  // not canonical
  Timing timing;              // not canonical
  std::string server_id;      // not canonical
  std::string sampling_mismatch;
  std::uint64_t transcript_offset = 0;  // bytes into transcripts.jsonl; not canonical
  std::uint64_t transcript_bytes = 0;   // of its line, newline included; not canonical
  std::string transcript_sha256;        // of that line without the newline
};

// One line of transcripts.jsonl: GPQA text lives here and nowhere else.
struct Transcript {
  TrialId id;
  std::string prompt;
  std::array<std::string, 4> choices;
  std::string reasoning;
  std::string content;
  std::optional<std::string> raw;
  std::string sampled_with;    // JSON object as the server read it back
  std::uint64_t replaced = 0;  // invalid UTF-8 parts of the above that are stored as U+FFFD
};

struct RunRecord {
  std::filesystem::path folder;
  Manifest manifest;
  std::vector<TrialRecord> trials;  // by id; a cancelled one is not kept
};

std::string_view to_string(Outcome outcome);
Outcome parse_outcome(std::string_view text);  // throws InputError
std::string_view to_string(Thinking thinking);
Thinking parse_thinking(std::string_view text);  // throws InputError
std::string_view to_string(SeedRule rule);
SeedRule parse_seed_rule(std::string_view text);        // throws InputError
FlexVariant parse_flex_variant(std::string_view text);  // throws InputError

// What JSON can't hold is written as the nearest that it can, so that nothing a server says can lose a
// record: invalid UTF-8 as U+FFFD (lm-eval would have seen the same), negative counts and non-finite times as
// 0.
nlohmann::ordered_json to_json(const SamplingConfig& sampling);
nlohmann::ordered_json to_json(const Manifest& manifest);
nlohmann::ordered_json to_json(const TrialRecord& record);
nlohmann::ordered_json to_json(const Transcript& transcript);
// Throw InputError naming the key: types and ranges are checked, files are hostile.
Manifest manifest_from_json(const nlohmann::ordered_json& json);
TrialRecord trial_record_from_json(const nlohmann::ordered_json& json);
TrialRecord parse_trial_record(std::string_view line);  // the same from a line of trials.jsonl, fast
Transcript transcript_from_json(const nlohmann::ordered_json& json);

// What resume and merge compare: the manifest, flat ("sampling.min_p"), less times, places (dataset path, map
// file, url, model path, the folder in a model id), `reference`, and words about other fields (assumptions,
// notes).
nlohmann::ordered_json identity(const Manifest& manifest);
// The record less timing, server id, retries and the place of its transcript: what came of the trial,
// whatever befell the run.
nlohmann::ordered_json canonical(const TrialRecord& record);

}  // namespace gpqa
