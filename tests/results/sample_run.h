// A manifest and records with something in every field.
#pragma once

#include <string>

#include "results/run_record.h"

namespace gpqa {

inline Manifest sample_manifest() {
  Manifest manifest;
  manifest.gpqa_version = "0.1.0";
  manifest.created = "2026-11-24T03:12:07Z";
  manifest.dataset_path = "data/gpqa_diamond.csv";
  manifest.dataset_sha256 = std::string(64, 'a');
  manifest.dataset_rows = 198;
  manifest.trials.version = TaskVersion::v1_0;
  manifest.trials.shuffle_seed = 18446744073709551615U;
  manifest.trials.run_seed = 42;
  manifest.trials.limit = 0.1;
  manifest.trials.repeats = 2;
  manifest.prompts_sha256 = std::string(64, 'b');
  manifest.profile = "card";
  manifest.sampling.temperature = 1.0;
  manifest.sampling.top_k = 64;
  manifest.sampling.top_p = 0.95;
  manifest.sampling.min_p = 0.05;
  manifest.sampling.dry_sequence_breakers = {"\n", ":", "\"", "*"};
  manifest.sampling.samplers = {"dry", "top_k"};
  manifest.sampling.reasoning_format = "deepseek";
  manifest.sampling.reasoning_budget = 8192;
  manifest.sampling.cache_prompt = false;
  manifest.sampling.stop = {"</s>"};
  manifest.sampling.max_tokens = 12288;
  manifest.assumptions = {"max_tokens 12288: the card names none"};
  manifest.variant = "98e v3";
  manifest.experts = 98;
  manifest.map_file = "98e.json";
  manifest.calibrated_on = "all categories";
  manifest.runner.kind = "llama-server";
  manifest.runner.url = "http://127.0.0.1:8099";
  manifest.runner.build = "b11434";
  manifest.runner.model_id = "models/98e.gguf";
  manifest.runner.model_path = "models/98e.gguf";
  manifest.runner.quant = "Q6_K";
  manifest.runner.n_params = 20'800'000'000;
  manifest.runner.server_defaults = {{"min_p", "0.05"}, {"dry_base", "1.75"}};
  manifest.runner.notes = {"the server's default temperature is 0.8"};
  return manifest;
}

inline TrialRecord sample_record(std::uint32_t doc_id, std::uint32_t repeat = 0) {
  TrialRecord record;
  record.id = {doc_id, repeat};
  record.record_id = "rec" + std::to_string(doc_id);
  record.target = "(C)";
  record.prompt_hash = std::string(64, 'c');
  record.seed = 4'000'000'000U + doc_id;
  record.outcome = Outcome::stop;
  record.finish_reason = "stop";
  record.score.strict = {"[invalid]", false};
  record.score.flexible = {"(C)", true};
  record.tokens = {211, 4321, 4000, 321};
  record.retries = 1;
  record.timing = {12.5, 1234.0625, 0.1, 1e-7};
  record.server_id = "http://127.0.0.1:8099";
  return record;
}

inline Transcript sample_transcript(std::uint32_t doc_id, std::uint32_t repeat = 0) {
  Transcript transcript;
  transcript.id = {doc_id, repeat};
  transcript.prompt = "What is the correct answer to this question: " + std::to_string(doc_id);
  transcript.choices = {"1/64", "µ-opioid\n", "\"quoted\"", " "};
  transcript.reasoning = "Let me see.\n";
  transcript.content = "The answer is (C).";
  transcript.raw = "<think>Let me see.\n</think>The answer is (C).";
  transcript.sampled_with = R"({"temperature":1.0})";
  return transcript;
}

}  // namespace gpqa
