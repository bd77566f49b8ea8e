#include "harness/profiles.h"

#include <fmt/format.h>

#include "harness/suggest.h"
#include "prompts/input_error.h"

namespace gpqa {
namespace {

// lm-eval's task stops at it, whatever the server's command line says.
const std::vector<std::string> kTaskStop = {"</s>"};
constexpr std::int64_t kWholeContext = 32768;  // the card's -c

// The card's flags, and every default of llama-server that joins in silently, written out.
SamplingConfig card_sampling() {
  SamplingConfig s;
  s.temperature = 1.0;
  s.top_k = 64;
  s.top_p = 0.95;
  s.min_p = 0.05;
  s.min_keep = 0;
  s.typical_p = 1.0;
  s.top_n_sigma = -1.0;
  s.xtc_probability = 0.0;
  s.xtc_threshold = 0.1;
  s.dynatemp_range = 0.0;
  s.dynatemp_exponent = 1.0;
  s.repeat_last_n = 64;
  s.repeat_penalty = 1.0;
  s.presence_penalty = 0.0;
  s.frequency_penalty = 0.0;
  s.dry_multiplier = 0.5;
  s.dry_base = 1.75;
  s.dry_allowed_length = 2;
  s.dry_penalty_last_n = kWholeContext;
  s.dry_sequence_breakers = {"\n", ":", "\"", "*"};
  s.mirostat = 0;
  s.mirostat_tau = 5.0;
  s.mirostat_eta = 0.1;
  s.samplers = {"penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"};
  s.reasoning_format = "deepseek";
  s.reasoning_budget = 8192;
  s.reasoning_budget_message = "";
  s.cache_prompt = false;  // a reused prefix changes batch shapes, and with them rounding
  s.stop = kTaskStop;
  s.max_tokens = 12288;
  s.thinking = Thinking::required;
  s.seed_rule = SeedRule::per_trial;
  return s;
}

const Assumption kCardMaxTokens = {
    "max_tokens", "max_tokens 12288: the card names none; its author's notes pair it with a budget of 8192"};
const Assumption kCardTemperature = {
    "temperature",
    "temperature 1.0 as the card's server flag says; lm-eval sends 0.0 unless its gen_kwargs say otherwise"};
const Assumption kCardSeed = {"seed", "one seed for each question and repeat: the card names none"};

Profile card() {
  return {"card",
          "the card's command, with the defaults of its time pinned: DRY over the whole context, task "
          "version 1.0",
          card_sampling(),
          TaskVersion::v1_0,
          0,
          {kCardMaxTokens,
           kCardTemperature,
           {"dry_penalty_last_n",
            "DRY over the whole context (32768): llama-server's default before August 2026; the "
            "card names no build"},
           {"task_version", "task version 1.0: the card names none; its date points to lm-eval <= 0.4.11"},
           kCardSeed}};
}

Profile card_b11434() {
  auto sampling = card_sampling();
  sampling.dry_penalty_last_n = 64;
  return {"card-b11434",
          "the card's command as llama.cpp b11434 reads it: DRY over the last 64 tokens, task version 2.2",
          std::move(sampling),
          TaskVersion::v2_2,
          0,
          {kCardMaxTokens, kCardTemperature, kCardSeed}};
}

// The locked settings of the author's evaluation protocol: the server's flags, and temperature, top_p and the
// number of tokens as lm-eval's gen_kwargs.
Profile author_late() {
  auto sampling = card_sampling();
  sampling.reasoning_budget = 16384;
  sampling.max_tokens = 24576;
  sampling.seed_rule = SeedRule::constant;
  sampling.constant_seed = 42;
  return {"author-late",
          "the author's later protocol: budget 16384, max_tokens 24576, one request at a time, seed 42",
          std::move(sampling),
          TaskVersion::v2_2,
          1,
          {{"seed",
            "seed 42 for every request, as the protocol's server flag says; lm-eval's requests carried 1234, "
            "which a "
            "server prefers (seed=1234 imitates that)"},
           {"dry_penalty_last_n",
            "DRY over the whole context (32768): llama-server's default before August 2026"},
           {"task_version", "task version 2.2: the protocol names none, and is younger than 2.2"}}};
}

Profile lm_eval() {
  SamplingConfig sampling;
  sampling.temperature = 0.0;
  sampling.stop = kTaskStop;
  sampling.max_tokens = 256;
  sampling.thinking = Thinking::absent;  // nothing is sent about it
  sampling.seed_rule = SeedRule::constant;
  sampling.constant_seed = 1234;
  return {
      "lm-eval",
      "what lm-eval sends by itself: temperature 0, max_tokens 256, seed 1234; everything else is the "
      "server's",
      std::move(sampling),
      TaskVersion::v2_2,
      0,
      {{"max_tokens", "max_tokens 256 is lm-eval's default: answers that think are cut long before they end"},
       {"thinking",
        "nothing is said about thinking: a llama-server thinks by itself wherever its template can"}}};
}

Profile greedy() {
  auto sampling = card_sampling();
  sampling.temperature = 0.0;
  sampling.top_k = 1;
  sampling.top_p = 1.0;
  sampling.min_p = 0.0;
  sampling.dry_multiplier = 0.0;
  return {"greedy",
          "the most likely token, always: temperature 0, no penalties, budget 8192, max_tokens 12288",
          std::move(sampling),
          TaskVersion::v2_2,
          0,
          {}};
}

}  // namespace

const std::vector<Profile>& profiles() {
  static const std::vector<Profile> all = {card(), card_b11434(), author_late(), lm_eval(), greedy()};
  return all;
}

const Profile& find_profile(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& profile : profiles()) {
    if (profile.name == name) return profile;
    names.push_back(profile.name);
  }
  throw InputError(fmt::format("unknown profile '{}'{}", name, suggestion(name, names)));
}

}  // namespace gpqa
