#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/utf8.h"
#include "results/json_object.h"
#include "results/json_value.h"
#include "results/run_record.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kRunFormat = 1;  // of run.json; grows when a field changes its meaning

template <class Enum>
struct Name {
  Enum value;
  std::string_view text;
};

constexpr Name<Outcome> kOutcomes[] = {
    {Outcome::stop, "stop"},
    {Outcome::cut_in_reasoning, "cut_in_reasoning"},
    {Outcome::cut_in_answer, "cut_in_answer"},
    {Outcome::rumination, "rumination"},
    {Outcome::context_full, "context_full"},
    {Outcome::lost_parse, "lost_parse"},
    {Outcome::cancelled, "cancelled"},
    {Outcome::failed, "failed"},
};
constexpr Name<Thinking> kThinking[] = {
    {Thinking::required, "required"}, {Thinking::off, "off"}, {Thinking::absent, "absent"}};
constexpr Name<SeedRule> kSeedRules[] = {
    {SeedRule::per_trial, "per_trial"}, {SeedRule::constant, "constant"}, {SeedRule::server, "server"}};
const Name<FlexVariant> kFlexVariants[] = {{FlexVariant::v0_4_12, lm_eval_release(FlexVariant::v0_4_12)},
                                           {FlexVariant::v0_4_13, lm_eval_release(FlexVariant::v0_4_13)}};

template <class Enum, std::size_t N>
std::string_view name_of(const Name<Enum> (&names)[N], Enum value) {
  for (const auto& name : names)
    if (name.value == value) return name.text;
  return "";
}

template <class Enum, std::size_t N>
Enum value_of(const Name<Enum> (&names)[N], std::string_view what, std::string_view text) {
  std::string known;
  for (const auto& name : names) {
    if (name.text == text) return name.value;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name.text);
  }
  throw InputError(fmt::format("'{}' is no {}: expected one of {}", text, what, known));
}

std::int64_t count(std::int64_t n) {
  return std::max<std::int64_t>(n, 0);
}
double milliseconds(double ms) {
  return std::isfinite(ms) ? ms : 0;
}

Json strings(const std::vector<std::string>& texts) {
  Json array = Json::array();
  for (const auto& text : texts) array.push_back(with_valid_utf8(text));
  return array;
}

Json field_json(double value) {
  if (!std::isfinite(value)) throw InputError("a sampling field is not a finite number");
  return value;
}
Json field_json(std::int64_t value) {
  return value;
}
Json field_json(bool value) {
  return value;
}
Json field_json(const std::string& value) {
  return with_valid_utf8(value);
}
Json field_json(const std::vector<std::string>& value) {
  return strings(value);
}

Json to_json(const FilterResult& result) {
  return {{"extracted", with_valid_utf8(result.extracted)}, {"correct", result.correct}};
}

Json to_json(const TokenCounts& tokens) {
  Json json = {{"prompt", count(tokens.prompt)}, {"completion", count(tokens.completion)}};
  if (tokens.reasoning) json["reasoning"] = count(*tokens.reasoning);
  if (tokens.content) json["content"] = count(*tokens.content);
  return json;
}

Json to_json(const RunnerInfo& runner) {
  Json defaults = Json::object();
  for (const auto& [name, value] : runner.server_defaults)
    defaults[with_valid_utf8(name)] = with_valid_utf8(value);
  return {
      {"kind", with_valid_utf8(runner.kind)},
      {"url", with_valid_utf8(runner.url)},
      {"build", with_valid_utf8(runner.build)},
      {"model_id", with_valid_utf8(runner.model_id)},
      {"model_path", with_valid_utf8(runner.model_path)},
      {"quant", with_valid_utf8(runner.quant)},
      {"n_params", runner.n_params},
      {"model_bytes", runner.model_bytes},
      {"slots", runner.slots},
      {"slot_context", runner.slot_context},
      {"context_pool", runner.context_pool},
      {"concurrency", runner.concurrency},
      {"chat_template_sha256", with_valid_utf8(runner.chat_template_sha256)},
      {"chat_template_name", with_valid_utf8(runner.chat_template_name)},
      {"thinking", with_valid_utf8(runner.thinking)},
      {"budget_probe", with_valid_utf8(runner.budget_probe)},
      {"fingerprint", with_valid_utf8(runner.fingerprint)},
      {"server_defaults", std::move(defaults)},
      {"notes", strings(runner.notes)},
  };
}

Json to_json(const std::vector<RunEvent>& history) {
  Json array = Json::array();
  for (const auto& event : history)
    array.push_back({{"time", with_valid_utf8(event.time)},
                     {"at_trials", count(event.at_trials)},
                     {"what", with_valid_utf8(event.what)}});
  return array;
}

RunEvent event_from(JsonObject object) {
  RunEvent event;
  event.time = object.get<std::string>("time");
  event.at_trials = object.get<std::int64_t>("at_trials");
  event.what = object.get<std::string>("what");
  object.finish();
  return event;
}

SamplingConfig sampling_from(JsonObject object) {
  SamplingConfig sampling;
  for_each_sampling_field(sampling, [&](const char* name, auto& field) {
    using Value = typename std::remove_reference_t<decltype(field)>::value_type;
    if (object.has(name)) field = object.get<Value>(name);
  });
  sampling.stop = object.get<std::vector<std::string>>("stop");
  sampling.max_tokens = object.get<std::int64_t>("max_tokens");
  if (sampling.max_tokens < 0) object.fail("max_tokens", "a number of tokens");
  object.choose("thinking", parse_thinking, sampling.thinking);
  object.choose("seed_rule", parse_seed_rule, sampling.seed_rule);
  sampling.constant_seed = object.get<std::uint32_t>("constant_seed");
  object.finish();
  return sampling;
}

RunnerInfo runner_from(JsonObject object) {
  RunnerInfo runner;
  runner.kind = object.get<std::string>("kind");
  runner.url = object.get<std::string>("url");
  runner.build = object.get<std::string>("build");
  runner.model_id = object.get<std::string>("model_id");
  runner.model_path = object.get<std::string>("model_path");
  runner.quant = object.get<std::string>("quant");
  runner.n_params = object.get<std::int64_t>("n_params");
  runner.model_bytes = object.get<std::int64_t>("model_bytes");
  runner.slots = object.get<std::int64_t>("slots");
  runner.slot_context = object.get<std::int64_t>("slot_context");
  runner.context_pool = object.get<std::int64_t>("context_pool");
  runner.concurrency = object.get<std::int64_t>("concurrency");
  runner.chat_template_sha256 = object.get<std::string>("chat_template_sha256");
  runner.chat_template_name = object.get<std::string>("chat_template_name");
  runner.thinking = object.get<std::string>("thinking");
  runner.budget_probe = object.get<std::string>("budget_probe");
  runner.fingerprint = object.get<std::string>("fingerprint");
  for (const auto& [name, value] : object.child("server_defaults").json().items()) {
    if (!value.is_string()) object.fail("server_defaults." + name, "a string");
    runner.server_defaults.emplace(name, value.get<std::string>());
  }
  runner.notes = object.get<std::vector<std::string>>("notes");
  object.finish();
  return runner;
}

// The last component: llama-server calls a model by the path it was started with.
std::string without_folder(const std::string& model_id) {
  return model_id.substr(model_id.find_last_of("/\\") + 1);
}

void flatten(const Json& json, const std::string& prefix, Json& flat) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = prefix.empty() ? key : fmt::format("{}.{}", prefix, key);
    if (value.is_object())
      flatten(value, name, flat);
    else
      flat[name] = value;
  }
}

FilterResult read_filter(const JsonValue& json) {
  FilterResult result;
  unsigned seen = 0;
  json.object([&](std::string_view key, const JsonValue& value) {
    if (key == "extracted") {
      result.extracted = value.string();
      seen |= 1U;
    } else if (key == "correct") {
      result.correct = value.boolean();
      seen |= 2U;
    } else {
      value.fail("no such key");
    }
  });
  if (seen != 3U) json.fail("both 'extracted' and 'correct'");
  return result;
}

std::int64_t read_count(const JsonValue& json) {
  return static_cast<std::int64_t>(json.unsigned_integer(std::numeric_limits<std::int64_t>::max()));
}

TokenCounts read_tokens(const JsonValue& json) {
  TokenCounts tokens;
  json.object([&](std::string_view key, const JsonValue& value) {
    if (key == "prompt")
      tokens.prompt = read_count(value);
    else if (key == "completion")
      tokens.completion = read_count(value);
    else if (key == "reasoning")
      tokens.reasoning = read_count(value);
    else if (key == "content")
      tokens.content = read_count(value);
    else
      value.fail("no such key");
  });
  return tokens;
}

Timing read_timing(const JsonValue& json) {
  Timing timing;
  json.object([&](std::string_view key, const JsonValue& value) {
    if (key == "queued_ms")
      timing.queued_ms = value.number();
    else if (key == "total_ms")
      timing.total_ms = value.number();
    else if (key == "prompt_ms")
      timing.prompt_ms = value.number();
    else if (key == "predicted_ms")
      timing.predicted_ms = value.number();
    else
      value.fail("no such key");
  });
  return timing;
}

void read_transcript_place(const JsonValue& json, TrialRecord& record) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();  // an off_t
  json.object([&](std::string_view key, const JsonValue& value) {
    if (key == "offset")
      record.transcript_offset = value.unsigned_integer(kMax);
    else if (key == "bytes")
      record.transcript_bytes = value.unsigned_integer(kMax);
    else if (key == "sha256")
      record.transcript_sha256 = value.string();
    else
      value.fail("no such key");
  });
}

struct TrialField {
  std::string_view key;
  void (*read)(const JsonValue&, TrialRecord&);
};

constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();

// In the order of to_json; every key is required.
constexpr TrialField kTrialFields[] = {
    {"doc_id", [](const JsonValue& in,
                  TrialRecord& r) { r.id.doc_id = static_cast<std::uint32_t>(in.unsigned_integer(kMax32)); }},
    {"repeat", [](const JsonValue& in,
                  TrialRecord& r) { r.id.repeat = static_cast<std::uint32_t>(in.unsigned_integer(kMax32)); }},
    {"record_id", [](const JsonValue& in, TrialRecord& r) { r.record_id = in.string(); }},
    {"target", [](const JsonValue& in, TrialRecord& r) { r.target = in.string(); }},
    {"prompt_hash", [](const JsonValue& in, TrialRecord& r) { r.prompt_hash = in.string(); }},
    {"seed", [](const JsonValue& in,
                TrialRecord& r) { r.seed = static_cast<std::uint32_t>(in.unsigned_integer(kMax32)); }},
    {"outcome", [](const JsonValue& in, TrialRecord& r) { r.outcome = parse_outcome(in.string()); }},
    {"finish_reason", [](const JsonValue& in, TrialRecord& r) { r.finish_reason = in.string(); }},
    {"error", [](const JsonValue& in, TrialRecord& r) { r.error = in.string(); }},
    {"strict", [](const JsonValue& in, TrialRecord& r) { r.score.strict = read_filter(in); }},
    {"flexible", [](const JsonValue& in, TrialRecord& r) { r.score.flexible = read_filter(in); }},
    {"tokens", [](const JsonValue& in, TrialRecord& r) { r.tokens = read_tokens(in); }},
    {"retries", [](const JsonValue& in,
                   TrialRecord& r) { r.retries = static_cast<std::uint32_t>(in.unsigned_integer(kMax32)); }},
    {"timing", [](const JsonValue& in, TrialRecord& r) { r.timing = read_timing(in); }},
    {"server_id", [](const JsonValue& in, TrialRecord& r) { r.server_id = in.string(); }},
    {"sampling_mismatch", [](const JsonValue& in, TrialRecord& r) { r.sampling_mismatch = in.string(); }},
    {"transcript", read_transcript_place},
};

}  // namespace

std::string_view to_string(Outcome outcome) {
  return name_of(kOutcomes, outcome);
}
Outcome parse_outcome(std::string_view text) {
  return value_of(kOutcomes, "outcome", text);
}
std::string_view to_string(Thinking thinking) {
  return name_of(kThinking, thinking);
}
Thinking parse_thinking(std::string_view text) {
  return value_of(kThinking, "thinking mode", text);
}
std::string_view to_string(SeedRule rule) {
  return name_of(kSeedRules, rule);
}
SeedRule parse_seed_rule(std::string_view text) {
  return value_of(kSeedRules, "seed rule", text);
}
FlexVariant parse_flex_variant(std::string_view text) {
  return value_of(kFlexVariants, "variant of flexible-extract", text);
}

Json to_json(const SamplingConfig& sampling) {
  Json json = Json::object();
  for_each_sampling_field(sampling, [&](const char* name, const auto& field) {
    if (field) json[name] = field_json(*field);
  });
  json["stop"] = strings(sampling.stop);
  json["max_tokens"] = sampling.max_tokens;
  json["thinking"] = to_string(sampling.thinking);
  json["seed_rule"] = to_string(sampling.seed_rule);
  json["constant_seed"] = sampling.constant_seed;
  return json;
}

Json to_json(const Manifest& manifest) {
  if (!std::isfinite(manifest.trials.limit)) throw InputError("the limit is not a finite number");
  return {
      {"format", kRunFormat},
      {"gpqa_version", with_valid_utf8(manifest.gpqa_version)},
      {"created", with_valid_utf8(manifest.created)},
      {"dataset",
       {{"path", with_valid_utf8(manifest.dataset_path)},
        {"sha256", with_valid_utf8(manifest.dataset_sha256)},
        {"rows", manifest.dataset_rows}}},
      {"task",
       {{"name", with_valid_utf8(manifest.task_name)}, {"version", to_string(manifest.trials.version)}}},
      {"trials",
       {{"shuffle_seed", manifest.trials.shuffle_seed},
        {"run_seed", manifest.trials.run_seed},
        {"limit", manifest.trials.limit},
        {"repeats", manifest.trials.repeats},
        {"prompts_sha256", with_valid_utf8(manifest.prompts_sha256)}}},
      {"profile", with_valid_utf8(manifest.profile)},
      {"sampling", to_json(manifest.sampling)},
      {"assumptions", strings(manifest.assumptions)},
      {"variant",
       {{"name", with_valid_utf8(manifest.variant)},
        {"experts", manifest.experts ? Json(*manifest.experts) : Json()},
        {"reference", manifest.reference},
        {"map_file", with_valid_utf8(manifest.map_file)},
        {"map_sha256", with_valid_utf8(manifest.map_sha256)},
        {"calibrated_on", with_valid_utf8(manifest.calibrated_on)},
        {"on_evaluated_questions", manifest.on_evaluated_questions},
        {"map_drops", strings(manifest.map_drops)}}},
      {"runner", to_json(manifest.runner)},
      {"scoring", {{"flex_variant", lm_eval_release(manifest.flex_variant)}}},
      {"history", to_json(manifest.history)},
  };
}

Manifest manifest_from_json(const Json& json) {
  JsonObject object(json, "");
  const auto format = object.get<std::uint64_t>("format");
  if (format != kRunFormat)
    object.fail("format",
                fmt::format("{}, found {}: written by another version of gpqa", kRunFormat, format));
  Manifest manifest;
  manifest.gpqa_version = object.get<std::string>("gpqa_version");
  manifest.created = object.get<std::string>("created");

  JsonObject dataset = object.child("dataset");
  manifest.dataset_path = dataset.get<std::string>("path");
  manifest.dataset_sha256 = dataset.get<std::string>("sha256");
  manifest.dataset_rows = dataset.get<std::uint64_t>("rows");
  dataset.finish();

  JsonObject task = object.child("task");
  manifest.task_name = task.get<std::string>("name");
  task.choose("version", parse_task_version, manifest.trials.version);
  task.finish();

  JsonObject trials = object.child("trials");
  manifest.trials.shuffle_seed = trials.get<std::uint64_t>("shuffle_seed");
  manifest.trials.run_seed = trials.get<std::uint64_t>("run_seed");
  manifest.trials.limit = trials.get<double>("limit");
  if (manifest.trials.limit < 0) trials.fail("limit", "no negative number");
  manifest.trials.repeats = trials.get<std::uint32_t>("repeats");
  if (manifest.trials.repeats == 0) trials.fail("repeats", "at least 1");
  manifest.prompts_sha256 = trials.get<std::string>("prompts_sha256");
  trials.finish();

  manifest.profile = object.get<std::string>("profile");
  manifest.sampling = sampling_from(object.child("sampling"));
  manifest.assumptions = object.get<std::vector<std::string>>("assumptions");

  JsonObject variant = object.child("variant");
  manifest.variant = variant.get<std::string>("name");
  if (!variant.null("experts")) manifest.experts = variant.get<std::int64_t>("experts");
  manifest.reference = variant.get<bool>("reference");
  manifest.map_file = variant.get<std::string>("map_file");
  manifest.calibrated_on = variant.get<std::string>("calibrated_on");
  // Runs that are older than these fields lack them.
  if (variant.has("map_sha256")) manifest.map_sha256 = variant.get<std::string>("map_sha256");
  if (variant.has("on_evaluated_questions"))
    manifest.on_evaluated_questions = variant.get<bool>("on_evaluated_questions");
  if (variant.has("map_drops")) manifest.map_drops = variant.get<std::vector<std::string>>("map_drops");
  variant.finish();

  manifest.runner = runner_from(object.child("runner"));
  JsonObject scoring = object.child("scoring");
  scoring.choose("flex_variant", parse_flex_variant, manifest.flex_variant);
  scoring.finish();
  for (auto& event : object.children("history")) manifest.history.push_back(event_from(std::move(event)));
  object.finish();
  return manifest;
}

Json to_json(const TrialRecord& record) {
  return {
      {"doc_id", record.id.doc_id},
      {"repeat", record.id.repeat},
      {"record_id", with_valid_utf8(record.record_id)},
      {"target", with_valid_utf8(record.target)},
      {"prompt_hash", with_valid_utf8(record.prompt_hash)},
      {"seed", record.seed},
      {"outcome", to_string(record.outcome)},
      {"finish_reason", with_valid_utf8(record.finish_reason)},
      {"error", with_valid_utf8(record.error)},
      {"strict", to_json(record.score.strict)},
      {"flexible", to_json(record.score.flexible)},
      {"tokens", to_json(record.tokens)},
      {"retries", record.retries},
      {"timing",
       {{"queued_ms", milliseconds(record.timing.queued_ms)},
        {"total_ms", milliseconds(record.timing.total_ms)},
        {"prompt_ms", milliseconds(record.timing.prompt_ms)},
        {"predicted_ms", milliseconds(record.timing.predicted_ms)}}},
      {"server_id", with_valid_utf8(record.server_id)},
      {"sampling_mismatch", with_valid_utf8(record.sampling_mismatch)},
      {"transcript",
       {{"offset", record.transcript_offset},
        {"bytes", record.transcript_bytes},
        {"sha256", with_valid_utf8(record.transcript_sha256)}}},
  };
}

TrialRecord parse_trial_record(std::string_view line) {
  constexpr std::size_t kFields = std::size(kTrialFields);
  thread_local simdjson::dom::parser parser;  // keeps its buffers from line to line
  simdjson::dom::element element;
  if (const auto error = parser.parse(line.data(), line.size()).get(element); error != simdjson::SUCCESS)
    throw InputError(fmt::format("expected JSON: {}", simdjson::error_message(error)));
  const JsonValue json(element);
  TrialRecord record;
  std::uint32_t seen = 0;
  std::size_t expected = 0;  // our own lines hold the keys in order, so each is found at once
  json.object([&](std::string_view key, const JsonValue& value) {
    std::size_t field = expected;
    if (field == kFields || kTrialFields[field].key != key)
      for (field = 0; field < kFields && kTrialFields[field].key != key;) ++field;
    if (field == kFields || (seen >> field & 1U) != 0) value.fail("no such key, or only once");
    kTrialFields[field].read(value, record);
    seen |= 1U << field;
    expected = field + 1;
  });
  for (std::size_t field = 0; field < kFields; ++field)
    if ((seen >> field & 1U) == 0) json.fail(fmt::format("the key '{}'", kTrialFields[field].key));
  return record;
}

TrialRecord trial_record_from_json(const Json& json) {
  return parse_trial_record(json.dump());
}

Json to_json(const Transcript& transcript) {
  std::uint64_t replaced = transcript.replaced;
  const auto text = [&](const std::string& raw) { return with_valid_utf8(raw, replaced); };
  Json choices = Json::array();
  for (const auto& choice : transcript.choices) choices.push_back(text(choice));
  Json json = {
      {"doc_id", transcript.id.doc_id},
      {"repeat", transcript.id.repeat},
      {"prompt", text(transcript.prompt)},
      {"choices", std::move(choices)},
      {"reasoning", text(transcript.reasoning)},
      {"content", text(transcript.content)},
      {"raw", transcript.raw ? Json(text(*transcript.raw)) : Json()},
      {"sampled_with", text(transcript.sampled_with)},
  };
  json["replaced"] = replaced;
  return json;
}

Transcript transcript_from_json(const Json& json) {
  JsonObject object(json, "");
  Transcript transcript;
  transcript.id.doc_id = object.get<std::uint32_t>("doc_id");
  transcript.id.repeat = object.get<std::uint32_t>("repeat");
  transcript.prompt = object.get<std::string>("prompt");
  const auto choices = object.get<std::vector<std::string>>("choices");
  if (choices.size() != transcript.choices.size()) object.fail("choices", "four strings");
  std::copy(choices.begin(), choices.end(), transcript.choices.begin());
  transcript.reasoning = object.get<std::string>("reasoning");
  transcript.content = object.get<std::string>("content");
  if (!object.null("raw")) transcript.raw = object.get<std::string>("raw");
  transcript.sampled_with = object.get<std::string>("sampled_with");
  transcript.replaced = object.get<std::uint64_t>("replaced");
  object.finish();
  return transcript;
}

namespace {

// The greedy tokens alone: their log probabilities may move in the last digits when a server starts again.
std::string greedy_tokens(const std::string& fingerprint) {
  const Json print = Json::parse(fingerprint, nullptr, false);
  if (!print.is_object() || !print.contains("tokens") || !print["tokens"].is_array()) return fingerprint;
  Json ids = Json::array();
  for (const Json& token : print["tokens"]) {
    if (!token.is_object()) continue;
    const auto id = token.find("id");
    // Nothing else is copied: nlohmann recurses, and a hostile file nests as deep as it likes.
    ids.push_back(id != token.end() && id->is_number() ? *id : Json());
  }
  return ids.dump();
}

}  // namespace

Json identity(const Manifest& manifest) {
  Json json = to_json(manifest);
  json.erase("created");
  json.erase("assumptions");
  json.erase("history");
  json["dataset"].erase("path");
  json["variant"].erase("reference");
  json["variant"].erase("map_file");
  json["variant"].erase("map_drops");
  json["runner"].erase("url");
  json["runner"].erase("model_path");
  json["runner"].erase("notes");
  // Our own engine answers the same however many answers run beside it.
  if (manifest.runner.kind == "embedded")
    for (const char* field : {"slots", "slot_context", "context_pool", "concurrency"})
      json["runner"].erase(field);
  json["runner"]["fingerprint"] = greedy_tokens(json["runner"]["fingerprint"].get<std::string>());
  json["runner"]["model_id"] = without_folder(json["runner"]["model_id"].get<std::string>());
  Json flat = Json::object();
  flatten(json, "", flat);
  return flat;
}

Json canonical(const TrialRecord& record) {
  Json json = to_json(record);
  json.erase("timing");
  json.erase("server_id");
  json.erase("retries");
  json["transcript"].erase("offset");
  json["transcript"].erase("bytes");
  return json;
}

}  // namespace gpqa
