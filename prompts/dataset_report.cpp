#include "prompts/dataset_report.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <fmt/format.h>

#include "prompts/prompt.h"
#include "prompts/python_strip.h"

namespace gpqa {
namespace {

constexpr std::array kSets = {GpqaSet{"diamond", 198}, GpqaSet{"main", 448}, GpqaSet{"extended", 546}};

// A file that is odd throughout should not fill the screen.
constexpr std::size_t kMaxWarningsOfAKind = 20;

constexpr std::array<std::string_view, 4> kChoiceColumns = {"Correct Answer", "Incorrect Answer 1",
                                                            "Incorrect Answer 2", "Incorrect Answer 3"};

std::string stripped(const Cell& cell) {
  return cell ? std::string(python_strip(*cell)) : "";
}

void keep(std::vector<std::string>& warnings, const std::vector<std::string>& found) {
  const auto shown = std::min(found.size(), kMaxWarningsOfAKind);
  warnings.insert(warnings.end(), found.begin(), found.begin() + static_cast<std::ptrdiff_t>(shown));
  if (found.size() > shown) {
    warnings.push_back(fmt::format("and {} more of this kind", found.size() - shown));
  }
}

// `text_of(question)` gives the text that should be another in every row; "" is not compared.
template <class TextOf>
std::vector<std::string> repeated(const Dataset& dataset, std::string_view what, TextOf text_of) {
  std::vector<std::string> found;
  std::unordered_map<std::string, std::size_t> first;
  for (const auto& question : dataset.questions) {
    const std::string text = text_of(question);
    if (text.empty()) {
      continue;
    }
    const auto [at, is_new] = first.emplace(text, question.row);
    if (!is_new) {
      found.push_back(fmt::format("row {}: the same {} as row {}", question.row, what, at->second));
    }
  }
  return found;
}

std::vector<std::string> empty_cells(const Dataset& dataset) {
  std::vector<std::string> found;
  for (const auto& question : dataset.questions) {
    const auto look = [&](const Cell& cell, std::string_view column) {
      if (stripped(cell).empty()) {
        found.push_back(
            fmt::format("row {}: \"{}\" is empty, or what pandas reads as null", question.row, column));
      }
    };
    look(question.text, "Question");
    look(question.correct, kChoiceColumns[0]);
    for (std::size_t i = 0; i < question.incorrect.size(); ++i) {
      look(question.incorrect[i], kChoiceColumns[i + 1]);
    }
  }
  return found;
}

// As the model would see them: the first of two equal choices is the one that counts as right.
std::vector<std::string> equal_choices(const Dataset& dataset) {
  std::vector<std::string> found;
  for (const auto& question : dataset.questions) {
    const std::array cells = {question.correct, question.incorrect[0], question.incorrect[1],
                              question.incorrect[2]};
    std::array<std::string, 4> choices;
    std::transform(cells.begin(), cells.end(), choices.begin(),
                   [](const Cell& cell) { return clean_choice(cell, TaskVersion::v2_2); });
    for (std::size_t i = 1; i < choices.size(); ++i) {
      const auto same = static_cast<std::size_t>(
          std::find(choices.begin(), choices.begin() + static_cast<std::ptrdiff_t>(i), choices[i]) -
          choices.begin());
      if (same < i && cells[same] && cells[i]) {
        found.push_back(fmt::format("row {}: \"{}\" and \"{}\" are the same", question.row,
                                    kChoiceColumns[same], kChoiceColumns[i]));
      }
    }
  }
  return found;
}

}  // namespace

std::span<const GpqaSet> gpqa_sets() {
  return kSets;
}

DatasetReport report_on(const Dataset& dataset) {
  DatasetReport report;
  report.rows = dataset.questions.size();
  report.sha256 = dataset.sha256;
  for (const auto& set : kSets) {
    if (set.rows == report.rows) {
      report.set = set.name;
    }
  }
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(dataset.columns.begin(), dataset.columns.end(), name) -
                                    dataset.columns.begin());
  };
  const std::size_t canary = column("Canary String");
  if (canary < dataset.columns.size()) {
    report.canaries =
        static_cast<std::size_t>(std::count_if(dataset.cells.begin(), dataset.cells.end(),
                                               [&](const auto& row) { return row[canary].has_value(); }));
  }
  for (const std::string_view name : {"Record ID", "High-level domain", "Subdomain"}) {
    if (column(name) == dataset.columns.size()) {
      report.warnings.push_back(fmt::format("no column \"{}\"; the published files have it", name));
    }
  }
  keep(report.warnings, repeated(dataset, "question", [](const Question& q) { return stripped(q.text); }));
  keep(report.warnings, repeated(dataset, "\"Record ID\"", [](const Question& q) { return q.record_id; }));
  keep(report.warnings, empty_cells(dataset));
  keep(report.warnings, equal_choices(dataset));
  return report;
}

}  // namespace gpqa
