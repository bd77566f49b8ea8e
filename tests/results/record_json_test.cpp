#include <cmath>
#include <limits>
#include <random>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/utf8.h"
#include "results/run_record.h"
#include "tests/catch.h"
#include "tests/results/sample_run.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

Json through_text(const Json& json) {
  return Json::parse(json.dump());
}

std::string error_of(const Json& manifest) {
  try {
    manifest_from_json(manifest);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("A manifest comes back from its text with every field") {
  const Manifest manifest = sample_manifest();
  const Manifest back = manifest_from_json(through_text(to_json(manifest)));
  CHECK(to_json(back) == to_json(manifest));
  CHECK(back.sampling == manifest.sampling);
  CHECK(back.trials.shuffle_seed == 18446744073709551615U);
  CHECK(back.trials.version == TaskVersion::v1_0);
  CHECK(back.experts == 98);
  CHECK(back.runner.server_defaults == manifest.runner.server_defaults);
  CHECK(back.runner.notes == manifest.runner.notes);

  const Manifest bare = manifest_from_json(through_text(to_json(Manifest{})));
  CHECK(bare.sampling == SamplingConfig{});
  CHECK_FALSE(bare.experts.has_value());
}

TEST_CASE("Every sampling field is kept exactly and is part of the identity") {
  const Manifest empty;
  int fields = 0;
  SamplingConfig all;
  for_each_sampling_field(all, [&](const char* name, auto& field) {
    using Value = typename std::remove_reference_t<decltype(field)>::value_type;
    if constexpr (std::is_same_v<Value, double>)
      field = 0.1 + std::nextafter(static_cast<double>(fields), 100.0);
    else if constexpr (std::is_same_v<Value, std::int64_t>)
      field = std::numeric_limits<std::int64_t>::min() + fields;
    else if constexpr (std::is_same_v<Value, bool>)
      field = false;
    else if constexpr (std::is_same_v<Value, std::string>)
      field = "text";
    else
      field = Value{"a", ""};
    ++fields;
    Manifest manifest;
    manifest.sampling = all;
    CHECK(identity(manifest).at(std::string("sampling.") + name) == through_text(to_json(all)).at(name));
    CHECK_FALSE(identity(empty).contains(std::string("sampling.") + name));
  });
  CHECK(fields > 20);
  Manifest manifest;
  manifest.sampling = all;
  CHECK(manifest_from_json(through_text(to_json(manifest))).sampling == all);
}

TEST_CASE("Doubles of any size come back bit for bit") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 5'000; ++i) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    TrialRecord record = sample_record(0);
    record.timing.total_ms = value;
    const double back = parse_trial_record(to_json(record).dump()).timing.total_ms;
    std::uint64_t back_bits = 0;
    std::memcpy(&back_bits, &back, sizeof back);
    REQUIRE(back_bits == bits);
  }
}

TEST_CASE("A manifest with a missing, unknown, mistyped or impossible key is refused by the key's name") {
  const Json good = through_text(to_json(sample_manifest()));
  REQUIRE(error_of(good).empty());
  const Json wrong[] = {
      Json(), Json(-1), Json(1.5), Json(true), Json("x"), Json::array({1}), Json::object({{"x", 1}})};

  // Each member, at both depths.
  for (const auto& [key, value] : good.items()) {
    Json missing = good;
    missing.erase(key);
    CHECK(contains(error_of(missing), key));
    if (!value.is_object() || key == "server_defaults") continue;
    for (const auto& inner : value.items()) {
      const bool optional = key == "sampling" && inner.key() != "stop" && inner.key() != "max_tokens" &&
                            inner.key() != "thinking" && inner.key() != "seed_rule" &&
                            inner.key() != "constant_seed";
      // Runs that are older than these lack them.
      const bool newer = key == "variant" && (inner.key() == "map_sha256" || inner.key() == "map_drops" ||
                                              inner.key() == "on_evaluated_questions");
      Json changed = good;
      changed[key].erase(inner.key());
      if (!optional && !newer) CHECK(contains(error_of(changed), key + "." + inner.key()));
      int refused = 0;
      for (const auto& bad : wrong) {
        changed = good;
        changed[key][inner.key()] = bad;
        refused += contains(error_of(changed), key + "." + inner.key()) ? 1 : 0;
      }
      INFO(key << "." << inner.key());
      CHECK(refused >= 4);  // the others are of its type
    }
    Json unknown = good;
    unknown[key]["surprise"] = 1;
    CHECK(contains(error_of(unknown), key + ".surprise"));
  }

  const auto with = [&](const char* group, const char* key, const Json& value) {
    Json changed = good;
    changed[group][key] = value;
    return error_of(changed);
  };
  CHECK(contains(with("trials", "repeats", 4294967296), "trials.repeats"));
  CHECK(contains(with("trials", "repeats", 0), "trials.repeats"));
  CHECK(contains(with("trials", "limit", -1), "trials.limit"));
  CHECK(contains(with("task", "version", "3.0"), "task.version"));
  CHECK(contains(with("sampling", "thinking", "maybe"), "required, off, absent"));
  CHECK(contains(with("runner", "slots", 9223372036854775808U), "runner.slots"));
  Json newer = good;
  newer["format"] = 2;
  CHECK(contains(error_of(newer), "format"));
  CHECK_FALSE(error_of(Json::array()).empty());
}

TEST_CASE("A sampling value that is no finite number is refused before it is written") {
  SamplingConfig sampling;
  sampling.min_p = std::nan("");
  CHECK_THROWS_AS(to_json(sampling), InputError);
}

TEST_CASE("Outcomes, thinking modes and seed rules have names that read back") {
  for (const auto outcome :
       {Outcome::stop, Outcome::cut_in_reasoning, Outcome::cut_in_answer, Outcome::rumination,
        Outcome::context_full, Outcome::lost_parse, Outcome::cancelled, Outcome::failed})
    CHECK(parse_outcome(to_string(outcome)) == outcome);
  for (const auto thinking : {Thinking::required, Thinking::off, Thinking::absent})
    CHECK(parse_thinking(to_string(thinking)) == thinking);
  for (const auto rule : {SeedRule::per_trial, SeedRule::constant, SeedRule::server})
    CHECK(parse_seed_rule(to_string(rule)) == rule);
  CHECK(to_string(Outcome::cut_in_reasoning) == "cut_in_reasoning");
  CHECK_THROWS_WITH(parse_seed_rule("none"), Catch::Contains("per_trial, constant, server"));
}

TEST_CASE("A record comes back from its line with every field") {
  TrialRecord record = sample_record(7, 3);
  record.outcome = Outcome::lost_parse;
  record.error = "500: \"output unparsable\"\n";
  record.transcript_offset = 9'000'000'000;
  record.transcript_bytes = 17;
  record.transcript_sha256 = std::string(64, 'd');
  record.sampling_mismatch = "min_p";
  const TrialRecord back = parse_trial_record(to_json(record).dump());
  CHECK(to_json(back) == to_json(record));
  CHECK(back.id == record.id);
  CHECK(back.tokens == record.tokens);
  CHECK(back.seed == 4'000'000'007U);
  CHECK(back.transcript_offset == 9'000'000'000);
  CHECK(back.score.flexible.correct);

  record.tokens.reasoning.reset();
  record.tokens.content.reset();
  const TrialRecord without = trial_record_from_json(to_json(record));
  CHECK_FALSE(without.tokens.reasoning.has_value());
  CHECK_FALSE(without.tokens.content.has_value());
}

TEST_CASE("A record's keys may stand in any order, but none twice, missing or unknown") {
  const Json good = to_json(sample_record(1));
  Json reversed = Json::object();
  for (auto at = good.rbegin(); at != good.rend(); ++at) reversed[at.key()] = at.value();
  CHECK(to_json(trial_record_from_json(reversed)) == good);
  for (const auto& item : good.items()) {
    Json missing = good;
    missing.erase(item.key());
    CHECK_THROWS_WITH(trial_record_from_json(missing), Catch::Contains("'" + item.key() + "'"));
  }
  Json unknown = good;
  unknown["surprise"] = 1;
  CHECK_THROWS_WITH(trial_record_from_json(unknown), Catch::Contains("surprise"));
  const std::string line = good.dump();
  CHECK_THROWS_AS(parse_trial_record(R"({"doc_id":1,)" + line.substr(1)), InputError);
  CHECK_THROWS_AS(parse_trial_record(line + "x"), InputError);
}

TEST_CASE("Numbers outside their range are refused in a record") {
  const auto refused = [](const char* pointer, const Json& value) {
    Json json = to_json(sample_record(1));
    json[Json::json_pointer(pointer)] = value;
    CHECK_THROWS_AS(trial_record_from_json(json), InputError);
  };
  refused("/doc_id", 4294967296);
  refused("/doc_id", -1);
  refused("/doc_id", 1.0);
  refused("/seed", "1");
  refused("/tokens/completion", -1);
  refused("/transcript/offset", 9223372036854775808U);
  refused("/timing/total_ms", nullptr);
  refused("/strict/correct", 1);
  refused("/outcome", "fine");
  CHECK_THROWS_AS(parse_trial_record(R"({"timing":{"total_ms":1e999}})"), InputError);
}

TEST_CASE("A fingerprint counts by its greedy tokens") {
  Manifest manifest = sample_manifest();
  manifest.runner.fingerprint = R"({"prompt":"p","tokens":[{"id":5,"top":[[5,-0.101]]},{"id":7,"top":[]}]})";
  const Json first = identity(manifest);
  CHECK(first["runner.fingerprint"] == "[5,7]");
  manifest.runner.fingerprint = R"({"prompt":"p","tokens":[{"id":5,"top":[[5,-0.102]]},{"id":7,"top":[]}]})";
  CHECK(identity(manifest) == first);
  manifest.runner.fingerprint = R"({"prompt":"p","tokens":[{"id":5,"top":[[5,-0.102]]},{"id":8,"top":[]}]})";
  CHECK(identity(manifest) != first);
  manifest.runner.fingerprint =
      "{\"tokens\":[{\"id\":" + std::string(200000, '[') + std::string(200000, ']') + "}]}";
  CHECK(identity(manifest)["runner.fingerprint"] == "[null]");
}

TEST_CASE("The record reader accepts only JSON, and reads it as a JSON library does") {
  std::mt19937 random(20261124);
  const std::string alphabet = "{}[]\",:\\u0123456789eE+-.tfn \n\t\x01\x7f\xc3\xa9\xed\xa0\x80\xff/bd";
  TrialRecord record = sample_record(3);
  record.error = "caf\xC3\xA9 \\ \"x\" \x01 \xF0\x9D\x84\x9E";
  const std::string line = to_json(record).dump();
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = line;
    for (std::uint32_t n = 1 + random() % 2; n > 0; --n) {
      const std::size_t at = random() % changed.size();
      const char c = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0:
          changed[at] = c;
          break;
        case 1:
          changed.insert(at, 1, c);
          break;
        default:
          changed.erase(at, 1);
      }
    }
    try {
      const TrialRecord read = parse_trial_record(changed);
      ++accepted;
      REQUIRE(Json::accept(changed));
      const Json dom = Json::parse(changed);
      INFO(changed);
      REQUIRE(dom.at("error") == read.error);
      REQUIRE(dom.at("timing").at("total_ms").get<double>() == read.timing.total_ms);
      REQUIRE(dom.at("tokens").at("completion") == read.tokens.completion);
      REQUIRE(dom.at("seed") == read.seed);
    } catch (const InputError&) {
    }
  }
  CHECK(accepted > 300);  // mutations inside strings and numbers
}

TEST_CASE("Escapes in strings are decoded, lone surrogates refused") {
  const auto read = [](const std::string& text) {
    std::string line = to_json(sample_record(3)).dump();
    const std::string key = "\"error\":";
    const auto at = line.find(key) + key.size();
    return parse_trial_record(line.replace(at, line.find(",\"strict\"") - at, text)).error;
  };
  CHECK(read(R"("\u0041\u00e9\u20ac\ud834\udd1e\/\b\f\n\r\t\"\\\u0000")") ==
        std::string("A\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E/\b\f\n\r\t\"\\\0", 19));
  for (const char* bad : {R"("\ud800")", R"("\udc00")", R"("\ud800\u0041")", R"("\ud800x")", R"("\u12")",
                          R"("\u12g4")", R"("\x")", "\"a\nb\"", "\"\xff\"", "\"open", R"("\)", "x"})
    CHECK_THROWS_AS(read(bad), InputError);
}

TEST_CASE("What a server says can't lose a record") {
  TrialRecord record = sample_record(1);
  record.tokens.completion = -5;
  record.tokens.reasoning = std::numeric_limits<std::int64_t>::min();
  record.timing.prompt_ms = std::nan("");
  record.timing.predicted_ms = std::numeric_limits<double>::infinity();
  record.finish_reason = "\xff";
  record.score.strict.extracted = "\xE2\x82";
  record.error = std::string("a\0b", 3);
  const TrialRecord back = parse_trial_record(to_json(record).dump());
  CHECK(back.tokens.completion == 0);
  CHECK(back.tokens.reasoning == 0);
  CHECK(back.timing.prompt_ms == 0);
  CHECK(back.timing.predicted_ms == 0);
  CHECK(back.finish_reason == "\xEF\xBF\xBD");
  CHECK(back.score.strict.extracted == "\xEF\xBF\xBD");
  CHECK(back.error == std::string("a\0b", 3));
}

TEST_CASE("Invalid UTF-8 in a transcript is replaced and counted, the rest kept") {
  Transcript transcript = sample_transcript(1);
  transcript.content = std::string("A\0B\xff C\xED\xA0\x80", 9);
  transcript.raw.reset();
  transcript.reasoning = "\xE2\x82";
  const Transcript back = transcript_from_json(through_text(to_json(transcript)));
  CHECK(back.content == std::string("A\0B", 3) + "\xEF\xBF\xBD C\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(back.reasoning == "\xEF\xBF\xBD");
  CHECK(back.replaced == 5);
  CHECK_FALSE(back.raw.has_value());
  CHECK(to_json(transcript_from_json(to_json(back))) == to_json(back));  // and counted once

  const Transcript plain = transcript_from_json(through_text(to_json(sample_transcript(2))));
  CHECK(plain.replaced == 0);
  CHECK(plain.choices == sample_transcript(2).choices);
  CHECK(plain.raw == sample_transcript(2).raw);

  Json three = to_json(sample_transcript(1));
  three["choices"].erase(3);
  CHECK_THROWS_WITH(transcript_from_json(three), Catch::Contains("choices"));
}

TEST_CASE("Invalid UTF-8 is replaced as Python's errors='replace' does it") {
  const std::string r = "\xEF\xBF\xBD";
  const std::pair<std::string, std::string> cases[] = {
      {"\x80", r},
      {"\xC0\xAF", r + r},
      {"\xC2", r},
      {"\xC2 ", r + " "},
      {"\xE0\x80\x80", r + r + r},
      {"\xE2\x82", r},
      {"\xE2\x82x", r + "x"},
      {"\xED\x9F\xBF", "\xED\x9F\xBF"},
      {"\xED\xA0\x80", r + r + r},
      {"\xF0\x90\x80", r},
      {"\xF0\x80\x80\x80", r + r + r + r},
      {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
      {"\xF4\x90\x80\x80", r + r + r + r},
      {"\xF5", r},
      {"\xF0\x9D\x84\x9E\xFF", "\xF0\x9D\x84\x9E" + r},
      {"eight ok\xFF eight more", "eight ok" + r + " eight more"},
  };
  for (const auto& [bytes, text] : cases) {
    CHECK(with_valid_utf8(bytes) == text);
    CHECK(is_valid_utf8(bytes) == (bytes == text));
  }
}

TEST_CASE("The identity leaves out times, places, labels of the table, and words") {
  const Manifest manifest = sample_manifest();
  Manifest moved = manifest;
  moved.created = "2027-01-01T00:00:00Z";
  moved.dataset_path = "elsewhere.csv";
  moved.reference = true;
  moved.map_file = "maps/98e.json";
  moved.map_drops = {"1 2", "0 3"};  // the map's hash stands for them
  moved.runner.url = "http://other:1";
  moved.runner.model_path = "/models/98e.gguf";
  moved.runner.model_id = "/models/98e.gguf";
  moved.runner.notes.clear();
  moved.assumptions.clear();
  CHECK(identity(moved) == identity(manifest));

  const auto changes = [&](auto change) {
    Manifest other = manifest;
    change(other);
    return identity(other) != identity(manifest);
  };
  CHECK(changes([](Manifest& m) { m.dataset_sha256[0] = 'f'; }));
  CHECK(changes([](Manifest& m) { m.trials.version = TaskVersion::v2_2; }));
  CHECK(changes([](Manifest& m) { m.trials.shuffle_seed = 1; }));
  CHECK(changes([](Manifest& m) { m.prompts_sha256[0] = 'f'; }));
  CHECK(changes([](Manifest& m) { m.sampling.max_tokens = 1; }));
  CHECK(changes([](Manifest& m) { m.sampling.thinking = Thinking::off; }));
  CHECK(changes([](Manifest& m) { m.runner.build = "b1"; }));
  CHECK(changes([](Manifest& m) { m.runner.slots = 4; }));
  CHECK(changes([](Manifest& m) { m.runner.model_id = "models/109e.gguf"; }));
  CHECK(changes([](Manifest& m) { m.runner.server_defaults["min_p"] = "0.1"; }));
  CHECK(changes([](Manifest& m) { m.experts.reset(); }));
  CHECK(changes([](Manifest& m) { m.flex_variant = FlexVariant::v0_4_12; }));
  CHECK(identity(manifest).at("sampling.min_p") == 0.05);
}

TEST_CASE(
    "A canonical record leaves out timing, server, retries and the transcript's place, and nothing else") {
  const TrialRecord record = sample_record(1);
  TrialRecord again = record;
  again.timing = {};
  again.server_id = "other";
  again.retries = 7;
  again.transcript_offset = 99;
  again.transcript_bytes = 3;
  CHECK(canonical(again) == canonical(record));
  again.transcript_sha256 = "x";
  CHECK(canonical(again) != canonical(record));
  again = record;
  again.score.flexible.correct = false;
  CHECK(canonical(again) != canonical(record));
}

TEST_CASE("what a run's map says of itself is kept, and a run that is older than that is read") {
  Manifest manifest = sample_manifest();
  manifest.map_sha256 = std::string(64, 'a');
  manifest.on_evaluated_questions = true;
  manifest.map_drops = {"2 10 12", "0 7 11"};
  auto json = to_json(manifest);
  const auto read = manifest_from_json(json);
  CHECK(read.map_sha256 == manifest.map_sha256);
  CHECK(read.on_evaluated_questions);
  CHECK(read.map_drops == manifest.map_drops);
  auto other = manifest;
  other.map_sha256[0] = 'b';
  CHECK(identity(other) != identity(manifest));
  other = manifest;
  other.on_evaluated_questions = false;
  CHECK(identity(other) != identity(manifest));
  for (const char* key : {"map_sha256", "on_evaluated_questions", "map_drops"}) json["variant"].erase(key);
  const auto old = manifest_from_json(json);
  CHECK(old.map_sha256.empty());
  CHECK_FALSE(old.on_evaluated_questions);
  CHECK(old.map_drops.empty());
}

}  // namespace gpqa
