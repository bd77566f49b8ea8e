#include "results/lm_eval_results.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <numeric>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "scoring/statistics.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

// What lm-eval's client sends when nobody says otherwise.
constexpr std::int64_t kDefaultMaxTokens = 256;
constexpr std::uint32_t kDefaultSeed = 1234;

constexpr std::string_view kDocToText =
    "What is the correct answer to this question:{{Question}}\nChoices:\n(A) {{choice1}}\n(B) {{choice2}}\n"
    "(C) {{choice3}}\n(D) {{choice4}}\nLet's think step by step: ";

double version_number(TaskVersion version) {
  const std::string_view text = to_string(version);
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// "2026-11-24T03:12:11Z" as seconds since 1970, null for another form.
Json unix_seconds(std::string_view utc) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (utc.size() < kForm.size()) return {};
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = utc[i] >= '0' && utc[i] <= '9';
    if (kForm[i] == '0' ? !digit : utc[i] != kForm[i]) return {};
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    int n = 0;
    std::from_chars(utc.data() + at, utc.data() + at + digits, n);
    return n;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  if (!day.ok()) return {};
  const auto days = std::chrono::sys_days(day).time_since_epoch().count();
  return static_cast<double>(days) * 86400.0 + number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2);
}

Json model_args(const RunnerInfo& runner) {
  std::string url = runner.url;
  while (!url.empty() && url.back() == '/') url.pop_back();
  return {{"model", runner.model_id},
          {"base_url", url.empty() ? Json() : Json(url + "/v1/chat/completions")},
          {"num_concurrent", runner.concurrency}};
}

// lm-eval calls a server by the client that talks to it.
std::string model_source(const RunnerInfo& runner) {
  return runner.kind == "llama-server" ? "local-chat-completions" : runner.kind;
}

Json file_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

Json task_config(const Manifest& manifest) {
  const std::string process_docs =
      fmt::format("choices as task version {} cleans and shuffles them, by gpqa {}",
                  to_string(manifest.trials.version), manifest.gpqa_version);
  Json metadata = {{"version", version_number(manifest.trials.version)}};
  metadata.update(model_args(manifest.runner));
  metadata["config_source"] = Json();
  return {
      {"task", manifest.task_name},
      {"dataset_path", "csv"},
      {"dataset_kwargs", {{"data_files", {{"train", file_name(manifest.dataset_path)}}}}},
      {"training_split", "train"},
      {"validation_split", "train"},
      {"process_docs", process_docs},
      {"doc_to_text", kDocToText},
      {"doc_to_target", "answer"},
      {"unsafe_code", false},
      {"description", ""},
      {"target_delimiter", " "},
      {"fewshot_delimiter", "\n\n"},
      {"fewshot_config",
       {{"sampler", "default"},
        {"split", nullptr},
        {"process_docs", process_docs},
        {"fewshot_indices", nullptr},
        {"samples", nullptr},
        {"doc_to_text", kDocToText},
        {"doc_to_choice", nullptr},
        {"doc_to_target", "answer"},
        {"gen_prefix", nullptr},
        {"fewshot_delimiter", "\n\n"},
        {"target_delimiter", " "}}},
      {"num_fewshot", 0},
      {"metric_list", Json::array({{{"metric", "exact_match"},
                                    {"aggregation", "mean"},
                                    {"higher_is_better", true},
                                    {"ignore_case", true},
                                    {"ignore_punctuation", true}}})},
      {"output_type", "generate_until"},
      {"generation_kwargs", lm_eval_generation_kwargs(manifest.sampling)},
      {"repeats", 1},
      {"filter_list",
       Json::array({{{"name", "strict-match"},
                     {"filter",
                      Json::array({{{"function", "regex"}, {"regex_pattern", "(?<=The answer is )(.*)(?=.)"}},
                                   {{"function", "take_first"}}})}},
                    {{"name", "flexible-extract"},
                     {"filter", Json::array({{{"function", "multi_choice_regex"},
                                              {"group_select", -1},
                                              {"ignore_case", true},
                                              {"ignore_punctuation", true},
                                              {"regex_pattern", "(\\([A-Z]\\))"}},
                                             {{"function", "take_first"}}})}}})},
      {"should_decontaminate", false},
      {"metadata", std::move(metadata)},
  };
}

// What --gen_kwargs would have had to say.
Json gen_kwargs(const SamplingConfig& sampling) {
  const Json of_task = {{"until", {"</s>"}}, {"do_sample", false}, {"temperature", 0.0}};
  const Json sent = lm_eval_generation_kwargs(sampling);
  Json changed = Json::object();
  for (const auto& [name, value] : sent.items())
    if (!of_task.contains(name) || of_task[name] != value) changed[name] = value;
  return changed;
}

double mean(const std::vector<double>& scores) {
  return std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
}

Json stderr_of(const std::vector<double>& scores) {
  const auto error = standard_error(scores);
  return error ? Json(*error) : Json("N/A");
}

}  // namespace

Json lm_eval_generation_kwargs(const SamplingConfig& sampling, std::optional<std::uint32_t> seed) {
  Json kwargs = {{"until", sampling.stop}, {"do_sample", sampling.temperature.value_or(1.0) > 0}};
  if (sampling.temperature) kwargs["temperature"] = *sampling.temperature;
  if (sampling.max_tokens != kDefaultMaxTokens) kwargs["max_gen_toks"] = sampling.max_tokens;
  for_each_sampling_field(sampling, [&](const char* name, const auto& field) {
    if (field) kwargs[name] = *field;
  });
  if (sampling.thinking != Thinking::absent)
    kwargs["chat_template_kwargs"] = {{"enable_thinking", sampling.thinking == Thinking::required}};
  if (sampling.seed_rule == SeedRule::per_trial && seed) kwargs["seed"] = *seed;
  if (sampling.seed_rule == SeedRule::constant && sampling.constant_seed != kDefaultSeed)
    kwargs["seed"] = sampling.constant_seed;
  return kwargs;
}

std::string lm_eval_sanitized(std::string_view model_name) {
  constexpr std::string_view kReplaced = "\"<>:/|\\?*[]";
  std::string name;
  bool replacing = false;  // a run of them becomes one "__"
  for (const char c : model_name) {
    const bool replaced = kReplaced.find(c) != std::string_view::npos;
    if (!replaced) name += c;
    if (replaced && !replacing) name += "__";
    replacing = replaced;
  }
  return name;
}

Json lm_eval_results(const Manifest& manifest, const LmEvalScores& scores) {
  const std::string& task = manifest.task_name;
  const std::string model = manifest.runner.model_id;
  const std::string source = model_source(manifest.runner);
  const double limit = manifest.trials.limit;
  return {
      {"results",
       {{task,
         {{"name", task},
          {"alias", task},
          {"sample_len", scores.strict.size()},
          {"exact_match,strict-match", mean(scores.strict)},
          {"exact_match_stderr,strict-match", stderr_of(scores.strict)},
          {"exact_match,flexible-extract", mean(scores.flexible)},
          {"exact_match_stderr,flexible-extract", stderr_of(scores.flexible)}}}}},
      {"group_subtasks", Json::object()},
      {"configs", {{task, task_config(manifest)}}},
      {"versions", {{task, version_number(manifest.trials.version)}}},
      {"n-shot", {{task, 0}}},
      {"higher_is_better", {{task, {{"exact_match", true}}}}},
      {"n-samples", {{task, {{"original", manifest.dataset_rows}, {"effective", scores.strict.size()}}}}},
      {"config",
       {{"model", source},
        {"model_args", model_args(manifest.runner)},
        {"batch_size", 1},
        {"batch_sizes", Json::array()},
        {"device", nullptr},
        {"use_cache", nullptr},
        {"limit", limit == 0 ? Json() : Json(limit)},
        {"bootstrap_iters", 100000},
        {"gen_kwargs", gen_kwargs(manifest.sampling)},
        {"random_seed", manifest.trials.shuffle_seed},
        {"numpy_seed", 1234},
        {"torch_seed", 1234},
        {"fewshot_seed", 1234}}},
      {"git_hash", nullptr},
      {"date", unix_seconds(manifest.created)},
      {"pretty_env_info", fmt::format("not run by lm-eval: exported by gpqa {} ({} {})",
                                      manifest.gpqa_version, manifest.runner.kind, manifest.runner.build)},
      {"transformers_version", "N/A"},
      {"lm_eval_version", "0.4.13"},
      {"upper_git_hash", nullptr},
      {"task_hashes", {{task, scores.task_hash}}},
      {"model_source", source},
      {"model_name", model},
      {"model_name_sanitized", lm_eval_sanitized(model)},
      {"system_instruction", nullptr},
      {"system_instruction_sha", nullptr},
      {"fewshot_as_multiturn", true},
      {"chat_template", ""},
      {"chat_template_sha", nullptr},
      {"total_evaluation_time_seconds", nullptr},
  };
}

}  // namespace gpqa
