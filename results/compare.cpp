#include "results/compare.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "results/verdict.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

std::string label(const RunRecord& run) {
  return run.manifest.variant.empty() ? run.folder.filename().string() : run.manifest.variant;
}

std::size_t find_reference(std::span<const RunRecord> runs, const std::string& name) {
  const auto by = [&](auto predicate) {
    return static_cast<std::size_t>(std::find_if(runs.begin(), runs.end(), predicate) - runs.begin());
  };
  if (name.empty()) {
    const auto at = by([](const RunRecord& run) { return run.manifest.reference; });
    return at == runs.size() ? 0 : at;
  }
  const auto at = by([&](const RunRecord& run) { return label(run) == name; });
  if (at == runs.size()) {
    std::vector<std::string> names;
    for (const auto& run : runs) {
      names.push_back(label(run));
    }
    throw InputError(
        fmt::format("reference \"{}\": no such variant; there are {}", name, fmt::join(names, ", ")));
  }
  return at;
}

// Calls visit(a, b) for each trial that both have; trials are sorted by id.
template <class Visit>
void each_pair(const RunRecord& first, const RunRecord& second, Visit visit) {
  auto a = first.trials.begin();
  auto b = second.trials.begin();
  while (a != first.trials.end() && b != second.trials.end()) {
    if (a->id < b->id) {
      ++a;
    } else if (b->id < a->id) {
      ++b;
    } else {
      visit(*a++, *b++);
    }
  }
}

void require_same_prompts(const RunRecord& reference, const RunRecord& run) {
  constexpr std::size_t kNamed = 5;
  std::size_t shared = 0;
  std::vector<std::string> different;
  std::size_t count = 0;
  each_pair(reference, run, [&](const TrialRecord& a, const TrialRecord& b) {
    ++shared;
    if (a.prompt_hash != b.prompt_hash || a.target != b.target) {
      ++count;
      if (different.size() < kNamed) {
        different.push_back(fmt::format("{}", a.id.doc_id));
      }
    }
  });
  if (count > 0) {
    throw InputError(
        fmt::format("{} and {} asked different prompts in {} of {} shared trials (doc {}{}): they can't be "
                    "compared. Did they use the same "
                    "data set, task version and shuffle seed?",
                    label(reference), label(run), count, shared, fmt::join(different, ", "),
                    count > kNamed ? ", ..." : ""));
  }
  if (shared == 0 && !reference.trials.empty() && !run.trials.empty()) {
    throw InputError(fmt::format("{} and {} share no trial", label(reference), label(run)));
  }
}

PairedDifference pair_up(const RunRecord& reference, const RunRecord& run, const CompareOptions& options) {
  PairedDifference paired;
  std::vector<double> differences;  // one a question
  std::uint32_t current = 0;
  double sum = 0;
  std::int64_t repeats = 0;
  const auto end_question = [&] {
    if (repeats > 0) {
      differences.push_back(sum / static_cast<double>(repeats));
    }
    sum = 0;
    repeats = 0;
  };
  each_pair(reference, run, [&](const TrialRecord& a, const TrialRecord& b) {
    if (a.outcome == Outcome::failed || b.outcome == Outcome::failed) {
      return;  // no answer of the model's to compare
    }
    if (a.id.doc_id != current) {
      end_question();
      current = a.id.doc_id;
    }
    const bool was = a.score.flexible.correct;
    const bool is = b.score.flexible.correct;
    ++paired.n;
    paired.right_to_wrong += was && !is ? 1 : 0;
    paired.wrong_to_right += !was && is ? 1 : 0;
    sum += (is ? 1 : 0) - (was ? 1 : 0);
    ++repeats;
  });
  end_question();
  paired.questions = static_cast<std::int64_t>(differences.size());
  for (const double difference : differences) {
    paired.delta += difference / static_cast<double>(differences.size());
  }
  paired.bootstrap = bootstrap_mean_interval(differences, options.bootstrap_seed, options.resamples);
  paired.standard_error = standard_error(differences);
  if (reference.manifest.trials.repeats <= 1 && run.manifest.trials.repeats <= 1) {
    paired.mcnemar_p = mcnemar_exact(paired.right_to_wrong, paired.wrong_to_right);
  }
  return paired;
}

bool contains_word(std::string text, std::string_view word) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find(word) != std::string::npos;
}

std::string contamination(const Manifest& manifest) {
  const auto& on = manifest.calibrated_on;
  return contains_word(on, "gpqa") || contains_word(on, "evaluated") || contains_word(on, "teacher_force")
             ? on
             : "";
}

// Fields of a manifest that are meant to differ between variants, or that the table shows anyway.
bool expected_to_differ(const std::string& key) {
  for (const std::string_view prefix :
       {"variant.", "runner.model_id", "runner.n_params", "runner.model_bytes", "runner.fingerprint",
        "runner.chat_template_name", "trials.prompts_sha256", "trials.limit", "runner.server_defaults."}) {
    if (key.starts_with(prefix)) {
      return true;
    }
  }
  return false;
}

std::string shown(const Json& value) {
  constexpr std::size_t kLong = 40;
  const std::string text = value.is_string() ? value.get<std::string>()
                                             : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > kLong ? text.substr(0, kLong) + "..." : text.empty() ? "none" : text;
}

void warn_of_differences(const RunRecord& reference, const RunRecord& run,
                         std::vector<std::string>& warnings) {
  const Json a = identity(reference.manifest);
  const Json b = identity(run.manifest);
  const auto warn = [&](const std::string& key) {
    const Json va = a.value(key, Json());
    const Json vb = b.value(key, Json());
    if (!expected_to_differ(key) && va != vb) {
      warnings.push_back(fmt::format("{} differs: {} has {}, {} has {}", key, label(reference), shown(va),
                                     label(run), shown(vb)));
    }
  };
  for (const auto& [key, value] : a.items()) {
    warn(key);
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key)) {
      warn(key);
    }
  }
  // A field that is left to the server is what the server makes of it.
  for (const auto& [name, value] : reference.manifest.runner.server_defaults) {
    const auto other = run.manifest.runner.server_defaults.find(name);
    const bool asked = !a.value("sampling." + name, Json()).is_null();
    if (!asked && other != run.manifest.runner.server_defaults.end() && other->second != value) {
      warnings.push_back(fmt::format("{} is left to the servers, and differs: {} has {}, {} has {}", name,
                                     label(reference), value, label(run), other->second));
    }
  }
}

void warn_of_run(const RunRecord& run, const ComparedVariant& variant, std::vector<std::string>& warnings) {
  const auto& s = variant.summary;
  if (s.done < s.n) {
    warnings.push_back(fmt::format("{} is not finished: {} of {} trials; its figures are over those",
                                   variant.name, s.done, s.n));
  }
  if (s.failed > 0) {
    warnings.push_back(
        fmt::format("{} has {} failed trial{} (no answer came): run the same command again to ask {} again",
                    variant.name, s.failed, s.failed == 1 ? "" : "s", s.failed == 1 ? "it" : "them"));
  }
  if (s.context_full > 0) {
    warnings.push_back(fmt::format("{}: {} answers were cut by a full context, before max_tokens",
                                   variant.name, s.context_full));
  }
  if (s.sampling_mismatches > 0) {
    warnings.push_back(fmt::format("{}: in {} trials the server says that it sampled otherwise than asked",
                                   variant.name, s.sampling_mismatches));
  }
  if (!variant.contaminated.empty()) {
    warnings.push_back(fmt::format("{} is contaminated: its drop map {}was calibrated on {}", variant.name,
                                   run.manifest.map_file.empty() ? "" : "(" + run.manifest.map_file + ") ",
                                   variant.contaminated));
  }
}

void add_notes(const Comparison& comparison, std::int64_t repeats, std::vector<std::string>& notes) {
  notes.push_back(
      "Accuracy: 95% intervals (Wilson" +
      std::string(repeats > 1 ? "; with repeats 1.96 standard errors, clustered by question" : "") +
      "). They are about questions like these, not about these questions.");
  if (comparison.variants.size() > 1) {
    notes.push_back(
        "Flips, p and the interval of the delta are on the flexible filter, paired by question. More repeats "
        "would say more about these "
        "questions; only more questions say more about questions like them.");
  }
  const bool bounds =
      std::any_of(comparison.variants.begin(), comparison.variants.end(), [](const ComparedVariant& v) {
        return v.summary.flexible.bounds.low < v.summary.flexible.bounds.high;
      });
  if (bounds) {
    notes.push_back("Bounds: lost, failed and missing trials counted as all wrong, and as all right.");
  }
}

}  // namespace

Comparison compare_runs(std::span<const RunRecord> runs, const CompareOptions& options) {
  if (runs.empty()) {
    throw InputError("no runs to compare");
  }
  const std::size_t at = find_reference(runs, options.reference);
  const RunRecord& reference = runs[at];
  Comparison comparison;
  comparison.title = reference.manifest.task_name + ", task version " +
                     std::string(to_string(reference.manifest.trials.version)) + ", profile " +
                     reference.manifest.profile;

  std::vector<std::size_t> order{at};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i != at) {
      require_same_prompts(reference, runs[i]);
      order.push_back(i);
    }
  }
  std::int64_t repeats = 1;
  for (const std::size_t i : order) {
    const RunRecord& run = runs[i];
    ComparedVariant variant;
    variant.name = label(run);
    variant.experts = run.manifest.experts;
    variant.folder = run.folder.string();
    variant.summary = summarise(run);
    variant.reference = i == at;
    variant.contaminated = contamination(run.manifest);
    repeats = std::max(repeats, variant.summary.repeats);
    if (!variant.reference) {
      variant.paired = pair_up(reference, run, options);
      variant.verdict =
          paired_verdict(*variant.paired, std::min(variant.summary.repeats, summarise(reference).repeats));
      warn_of_differences(reference, run, comparison.warnings);
    }
    warn_of_run(run, variant, comparison.warnings);
    comparison.variants.push_back(std::move(variant));
  }
  add_notes(comparison, repeats, comparison.notes);
  return comparison;
}

}  // namespace gpqa
