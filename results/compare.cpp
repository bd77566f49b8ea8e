#include "results/compare.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "prompts/input_error.h"
#include "results/comparison_warnings.h"
#include "results/verdict.h"

namespace gpqa {
namespace {

// Each run's variant, with its folder where two share a name.
std::vector<std::string> names_of(std::span<const RunRecord> runs) {
  std::vector<std::string> names;
  std::map<std::string, int> count;
  for (const auto& run : runs) {
    const auto& variant = run.manifest.variant;
    names.push_back(variant.empty() ? run.folder.filename().string() : variant);
    ++count[names.back()];
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (count[names[i]] > 1) {
      names[i] += " (" + runs[i].folder.string() + ")";
    }
  }
  return names;
}

std::size_t find_reference(std::span<const RunRecord> runs, const std::vector<std::string>& names,
                           const std::string& wanted) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (wanted.empty() ? runs[i].manifest.reference : names[i] == wanted) {
      return i;
    }
  }
  if (wanted.empty()) {
    return 0;
  }
  throw InputError(
      fmt::format("reference \"{}\": no such variant; there are {}", wanted, fmt::join(names, ", ")));
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

void require_same_prompts(const RunRecord& reference, const std::string& reference_name, const RunRecord& run,
                          const std::string& name) {
  constexpr std::size_t kNamed = 5;
  std::size_t shared = 0;
  std::vector<std::string> different;
  std::size_t count = 0;
  bool more = false;
  each_pair(reference, run, [&](const TrialRecord& a, const TrialRecord& b) {
    ++shared;
    if (a.prompt_hash != b.prompt_hash || a.target != b.target) {
      ++count;
      const auto doc = std::to_string(a.id.doc_id);
      if (different.empty() || different.back() != doc) {  // once for all its repeats
        more = different.size() == kNamed;
        if (!more) {
          different.push_back(doc);
        }
      }
    }
  });
  if (count > 0) {
    throw InputError(
        fmt::format("{} and {} asked different prompts in {} of {} shared trials (doc {}{}): they can't be "
                    "compared. Did they use the same "
                    "data set, task version and shuffle seed?",
                    reference_name, name, count, shared, fmt::join(different, ", "), more ? ", ..." : ""));
  }
  if (shared == 0 && !reference.trials.empty() && !run.trials.empty()) {
    throw InputError(fmt::format("{} and {} share no trial", reference_name, name));
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
      ++paired.failed;  // no answer of the model's to compare
      return;
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
    paired.delta += difference;
    paired.questions_moved += difference != 0 ? 1 : 0;
  }
  paired.delta /= static_cast<double>(std::max<std::size_t>(differences.size(), 1));
  paired.bootstrap = bootstrap_mean_interval(differences, options.bootstrap_seed, options.resamples);
  paired.standard_error = standard_error(differences);
  if (paired.n == paired.questions) {
    paired.mcnemar_p = mcnemar_exact(paired.right_to_wrong, paired.wrong_to_right);
  }
  return paired;
}

void add_notes(const Comparison& comparison, std::vector<std::string>& notes) {
  const auto any = [&](auto predicate) {
    return std::any_of(comparison.variants.begin(), comparison.variants.end(), predicate);
  };
  const bool repeats = any([](const ComparedVariant& v) { return v.summary.repeats > 1; });
  const bool exact = any([](const ComparedVariant& v) { return v.paired && v.paired->mcnemar_p; });
  notes.push_back(
      fmt::format("Intervals are 95% (accuracy: Wilson{}; delta: questions resampled){} of questions like "
                  "these, not of these. More repeats would say more about these questions; only more "
                  "questions say more about questions "
                  "like them.",
                  repeats ? ", or with repeats 1.96 standard errors clustered by question" : "",
                  exact ? "; p is of the exact McNemar test. They speak" : ". They speak"));
  if (comparison.variants.size() > 1) {
    notes.push_back(
        fmt::format("Delta, flips and p are on the flexible filter, paired by question{}.",
                    comparison.variants.size() > 2 ? "; p is not corrected for the number of variants" : ""));
  }
  if (any([](const ComparedVariant& v) {
        return v.summary.flexible.bounds.low < v.summary.flexible.bounds.high;
      })) {
    notes.push_back("Bounds: lost, failed and missing trials counted as all wrong, and as all right.");
  }
}

}  // namespace

Comparison compare_runs(std::span<const RunRecord> runs, const CompareOptions& options) {
  if (runs.empty()) {
    throw InputError("no runs to compare");
  }
  const auto names = names_of(runs);
  const std::size_t at = find_reference(runs, names, options.reference);
  const RunRecord& reference = runs[at];
  Comparison comparison;
  comparison.title = reference.manifest.task_name + ", task version " +
                     std::string(to_string(reference.manifest.trials.version)) + ", profile " +
                     reference.manifest.profile;
  comparison.bootstrap_seed = options.bootstrap_seed;
  comparison.resamples = options.resamples;

  std::vector<std::size_t> order{at};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i != at) {
      require_same_prompts(reference, names[at], runs[i], names[i]);
      order.push_back(i);
    }
  }
  comparison.variants.reserve(order.size());
  for (const std::size_t i : order) {
    const RunRecord& run = runs[i];
    auto& variant = comparison.variants.emplace_back();
    variant.name = names[i];
    variant.experts = run.manifest.experts;
    variant.folder = run.folder.string();
    variant.summary = summarise(run);
    variant.reference = i == at;
    variant.contaminated = contamination(run.manifest);
    if (!variant.reference) {
      variant.paired = pair_up(reference, run, options);
      variant.verdict = paired_verdict(*variant.paired);
      warn_of_differences(reference, names[at], run, names[i], comparison.warnings);
    }
    warn_of_run(run, variant, comparison.warnings);
    if (!variant.reference) {
      warn_of_missing_pairs(comparison.variants.front(), variant, comparison.warnings);
    }
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      warn_of_nested_maps(runs[order[i]].manifest, names[order[i]], runs[order[j]].manifest, names[order[j]],
                          comparison.warnings);
    }
  }
  add_notes(comparison, comparison.notes);
  return comparison;
}

}  // namespace gpqa
