#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/commands/command.h"
#include "harness/engine_options.h"
#include "harness/exit_code.h"
#include "harness/progress_line.h"
#include "harness/run_folders.h"
#include "prompts/input_error.h"
#include "results/posix_file.h"
#include "results/run_files.h"
#include "runners/embedded/engine/divergence.h"
#include "runners/model_files/chat_template.h"
#include "scoring/statistics.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kStep = 64;     // tokens; each has a row of logits of both models
constexpr std::size_t kWindow = 512;  // tokens of a long text that are read together
constexpr std::size_t kLongestText = 64U << 20;

struct Options {
  std::string first, second, text, run;
  std::size_t limit = 0;
  std::string format = "text";
  EngineOptions engine;
};

// Tokens, of which those from `from` on are predicted.
struct Text {
  std::vector<TokenId> ids;
  std::size_t from = 1;
};

std::vector<Text> windows_of(const std::string& text, const Tokenizer& tokenizer) {
  const auto ids = tokenizer.encode(text, {.parse_special = false});
  std::vector<Text> windows;
  for (std::size_t start = 0; start < ids.size(); start += kWindow - 1) {
    Text window{.ids = {tokenizer.vocabulary().ids.bos}};
    const auto end = std::min(start + kWindow - 1, ids.size());
    window.ids.insert(window.ids.end(), ids.begin() + static_cast<std::ptrdiff_t>(start),
                      ids.begin() + static_cast<std::ptrdiff_t>(end));
    windows.push_back(std::move(window));
  }
  return windows;
}

// What the model wrote, tags and the end of its turn too. Where only the parts are known, as it would have
// been written.
std::string answer_text(const TrialRecord& record, const Transcript& transcript) {
  std::string text = transcript.reasoning.empty()
                         ? transcript.content
                         : "<|channel>thought\n" + transcript.reasoning + "<channel|>" + transcript.content;
  if (transcript.raw) text = *transcript.raw;
  return record.outcome == Outcome::stop ? text + "<turn|>" : text;
}

std::vector<Text> transcripts_of(const std::string& folder, const ModelSource& source,
                                 const Tokenizer& tokenizer) {
  const auto run = read_run(find_run(folder));
  const auto format = chat_format(source.chat_template(), source.path().string(), false);
  std::vector<Text> texts;
  for (const auto& record : run.trials) {
    if (record.outcome == Outcome::failed || record.outcome == Outcome::lost_parse) continue;
    const auto transcript = read_transcript(run, record);
    const ChatMessage message{.role = "user", .content = transcript.prompt};
    ChatOptions options;
    options.thinking = run.manifest.sampling.thinking == Thinking::required;
    Text text{.ids =
                  tokenizer.encode(render_chat(format, std::span(&message, 1), options), {.add_bos = true})};
    text.from = text.ids.size();
    const auto answer = tokenizer.encode(answer_text(record, transcript));
    text.ids.insert(text.ids.end(), answer.begin(), answer.end());
    if (!answer.empty()) texts.push_back(std::move(text));
  }
  return texts;
}

// A figure a token, with its 95% interval over texts drawn anew.
struct Figure {
  double mean = 0;
  Interval interval;
};

Figure figure(const std::vector<Divergence>& texts, const std::function<double(const Divergence&)>& of) {
  std::vector<double> values;
  std::vector<double> tokens;
  double value = 0;
  double count = 0;
  for (const auto& text : texts) {
    values.push_back(of(text));
    tokens.push_back(static_cast<double>(text.tokens));
    value += values.back();
    count += tokens.back();
  }
  return {value / count, bootstrap_ratio_interval(values, tokens, 0)};
}

struct Findings {
  std::size_t texts = 0;
  Divergence sum;
  Figure kl, same_top, nll_first, nll_second, nll_difference;
};

Findings find(const std::vector<Divergence>& texts) {
  Findings f;
  f.texts = texts.size();
  for (const auto& text : texts) f.sum += text;
  f.kl = figure(texts, [](const Divergence& d) { return d.kl; });
  f.same_top = figure(texts, [](const Divergence& d) { return static_cast<double>(d.same_top); });
  f.nll_first = figure(texts, [](const Divergence& d) { return d.nll_first; });
  f.nll_second = figure(texts, [](const Divergence& d) { return d.nll_second; });
  f.nll_difference = figure(texts, [](const Divergence& d) { return d.nll_second - d.nll_first; });
  return f;
}

void print_text(const Options& options, const Findings& f) {
  const auto line = [](const char* name, const Figure& x, const char* words) {
    fmt::print("{:<18}{:>10.5f}  [{:.5f}, {:.5f}]  {}\n", name, x.mean, x.interval.low, x.interval.high,
               words);
  };
  fmt::print("{} tokens of {} texts: A {}, B {}\n", f.sum.tokens, f.texts, options.first, options.second);
  line("KL(A, B)", f.kl, "nats a token: how much of what A says is lost in B");
  fmt::print("{:<18}{:>10.5f}  of one token\n", "  the most", f.sum.most_kl);
  line("same top token", f.same_top, "");
  line("NLL of A", f.nll_first, "nats a token that came");
  line("NLL of B", f.nll_second, "");
  line("B - A", f.nll_difference, "above 0: B expects this text less than A does");
  fmt::print("In brackets: 95% over texts like these{}.\n",
             f.texts < 10 ? "; of fewer than ten they say little" : "");
}

void print_json(const Options& options, const Findings& f) {
  const auto json = [](const Figure& x) {
    return Json({{"mean", x.mean}, {"low", x.interval.low}, {"high", x.interval.high}});
  };
  const Json all = {{"first", options.first},
                    {"second", options.second},
                    {"texts", f.texts},
                    {"tokens", f.sum.tokens},
                    {"kl", json(f.kl)},
                    {"most_kl", f.sum.most_kl},
                    {"same_top", json(f.same_top)},
                    {"nll_first", json(f.nll_first)},
                    {"nll_second", json(f.nll_second)},
                    {"nll_difference", json(f.nll_difference)}};
  fmt::print("{}\n", all.dump(2, ' ', true, Json::error_handler_t::replace));
}

void check_vocabularies(const Options& options, const Tokenizer& first, const Tokenizer& second) {
  bool same = first.size() == second.size();
  for (std::size_t id = 0; same && id < first.size(); ++id)
    same = first.vocabulary().texts[id] == second.vocabulary().texts[id];
  if (!same)
    throw InputError(fmt::format("{} and {} have different vocabularies: their predictions can't be compared",
                                 options.first, options.second));
}

int run(const Options& options) {
  if (options.text.empty() == options.run.empty())
    throw InputError("which text? Give one of --text FILE, and --run FOLDER for what a run's model wrote");
  auto first = std::make_unique<ModelSource>(options.first);
  auto second = std::make_unique<ModelSource>(options.second);
  const auto tokenizer = first->tokenizer();
  check_vocabularies(options, tokenizer, second->tokenizer());
  auto texts = options.run.empty() ? windows_of(read_whole_file(options.text, kLongestText), tokenizer)
                                   : transcripts_of(options.run, *first, tokenizer);
  if (options.limit > 0 && texts.size() > options.limit) texts.resize(options.limit);
  std::size_t longest = 0;
  std::size_t all = 0;
  for (const auto& text : texts) {
    longest = std::max(longest, text.ids.size());
    all += text.ids.size();
  }
  if (texts.empty()) throw InputError("no text in there: nothing to compare on");
  const Gemma4::Sizes sizes{.slots = 1, .cells = longest, .max_tokens = kStep, .max_logits = kStep};
  const auto a = load_model(std::move(first), options.engine, sizes);
  const auto b = load_model(std::move(second), options.engine, sizes);
  std::vector<Divergence> found;
  std::size_t done = 0;
  {
    ProgressLine progress("compared", ProgressLine::Unit::tokens);
    for (const auto& text : texts) {
      found.push_back(compare_on_text(*a, *b, text.ids, text.from,
                                      [&](std::size_t read) { progress.show(done + read, all); }));
      done += text.ids.size();
    }
  }
  const auto findings = find(found);
  options.format == "json" ? print_json(options, findings) : print_text(options, findings);
  return kDone;
}

}  // namespace

Command add_model_kld(CLI::App& model) {
  auto* app = model.add_subcommand(
      "kld",
      "Compare two models' predictions on the same text: tells variants apart long before answers do.");
  auto options = std::make_shared<Options>();
  app->add_option("A", options->first, "the reference: a GGUF file, or a checkpoint's folder")->required();
  app->add_option("B", options->second, "the variant")->required();
  app->add_option("--text", options->text, "a text, read in windows of 512 tokens")->type_name("FILE");
  app->add_option("--run", options->run, "a run's folder: its prompts are read, its answers predicted")
      ->type_name("RUN");
  app->add_option("--limit", options->limit, "only the first N windows or answers [all]")->type_name("N");
  app->add_option("--format", options->format, "text or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  add_engine_options(*app, options->engine);
  app->footer(
      "Both models read the same tokens (teacher-forced); each token's two distributions are compared.\n"
      "Example: gpqa model kld 128e-Q6_K.gguf 98e-Q6_K.gguf --run runs/card/128e");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
