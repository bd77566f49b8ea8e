#include "results/markdown.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unicode/uchar.h>

#include "prompts/utf8.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  each_character(text, [&](UChar32 code, std::string_view) {
    const auto type = u_charType(code);
    const auto east_asian = u_getIntPropertyValue(code, UCHAR_EAST_ASIAN_WIDTH);
    if (type != U_NON_SPACING_MARK && type != U_ENCLOSING_MARK && type != U_FORMAT_CHAR) {
      width += east_asian == U_EA_WIDE || east_asian == U_EA_FULLWIDTH ? 2 : 1;
    }
  });
  return width;
}

struct Column {
  std::string title;
  bool number = false;  // aligned to the right
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string text() const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      std::size_t width = std::max<std::size_t>(display_width(columns_[i].title), 3);
      for (const auto& row : rows_) {
        width = std::max(width, display_width(row[i]));
      }
      widths.push_back(width);
    }
    std::string out = "|";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      out += cell(columns_[i].title, widths[i], columns_[i].number);
    }
    out += "\n|";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      out +=
          columns_[i].number ? std::string(widths[i] + 1, '-') + ":|" : std::string(widths[i] + 2, '-') + "|";
    }
    for (const auto& row : rows_) {
      out += "\n|";
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        out += cell(row[i], widths[i], columns_[i].number);
      }
    }
    return out + "\n";
  }

 private:
  static std::string cell(const std::string& text, std::size_t width, bool right) {
    const std::string padding(width - std::min(display_width(text), width), ' ');
    return " " + (right ? padding + text : text + padding) + " |";
  }

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

std::string name_of(const ComparedVariant& variant) {
  return markdown_escape(variant.name) + (variant.contaminated.empty() ? "" : " (contaminated)");
}

std::string percent(const Accuracy& accuracy, const Summary& summary) {
  return summary.done == 0 ? "-" : fmt::format("{:.2f}%", 100 * accuracy.mean);
}

std::string correct_of(const Summary& s) {
  return fmt::format("{} / {}", s.flexible.correct, s.done) +
         (s.done < s.n ? fmt::format(" (of {})", s.n) : "");
}

std::string interval(const Interval& i) {
  return fmt::format("{:.1f} to {:.1f}", 100 * i.low, 100 * i.high);
}

std::string p_value(double p) {
  return p < 0.0001 ? "< 0.0001" : fmt::format("{:.4f}", p);
}

std::string tokens(std::optional<double> mean) {
  return mean ? fmt::format("{:.0f}", *mean) : "-";
}

std::string points(double fraction) {
  const auto text = fmt::format("{:+.2f}", 100 * fraction);
  return text == "-0.00" ? "+0.00" : text;
}

std::string delta_of(const ComparedVariant& variant) {
  if (variant.paired && variant.paired->n > 0) {
    return points(variant.paired->delta);
  }
  return variant.unpaired ? points(variant.unpaired->delta) : "-";
}

std::string accuracy_table(const Comparison& comparison) {
  Table table({{"Model"},
               {"Experts", true},
               {"GPQA Diamond (flex)", true},
               {"correct / n", true},
               {"95%", true},
               {"strict", true},
               {"delta (pp)", true}});
  for (const auto& v : comparison.variants) {
    const auto& flex = v.summary.flexible;
    table.add({name_of(v), v.experts ? std::to_string(*v.experts) : "-", percent(flex, v.summary),
               correct_of(v.summary), interval(flex.wilson),
               v.counts_only ? "-" : percent(v.summary.strict, v.summary),
               v.reference ? "reference" : delta_of(v)});
  }
  return table.text();
}

std::string endings_table(const Comparison& comparison) {
  Table table({{"Model"},
               {"answered", true},
               {"unparsed", true},
               {"truncated", true},
               {"rumination", true},
               {"lost", true},
               {"failed", true},
               {"retries", true},
               {"bounds (%)", true},
               {"reasoning tok", true},
               {"answer tok", true}});
  for (const auto& v : comparison.variants) {
    const auto& s = v.summary;
    table.add({name_of(v), std::to_string(s.answered), std::to_string(s.unparsed),
               std::to_string(s.truncated), std::to_string(s.rumination), std::to_string(s.lost),
               std::to_string(s.failed), std::to_string(s.retries), interval(s.flexible.bounds),
               tokens(s.mean_reasoning_tokens), tokens(s.mean_answer_tokens)});
  }
  return table.text();
}

std::string paired_table(const Comparison& comparison) {
  Table table({{"Against the reference"},
               {"pairs", true},
               {"right->wrong", true},
               {"wrong->right", true},
               {"McNemar p", true},
               {"delta (pp)", true},
               {"95% (bootstrap)", true},
               {"SE (pp)", true}});
  for (const auto& v : comparison.variants) {
    if (!v.paired) {
      continue;
    }
    const auto& p = *v.paired;
    table.add(
        {name_of(v), std::to_string(p.n), std::to_string(p.right_to_wrong), std::to_string(p.wrong_to_right),
         p.mcnemar_p && p.n > 0 ? p_value(*p.mcnemar_p) : "-", delta_of(v),
         p.n == 0 ? "-" : fmt::format("{:+.1f} to {:+.1f}", 100 * p.bootstrap.low, 100 * p.bootstrap.high),
         p.standard_error ? fmt::format("{:.2f}", 100 * *p.standard_error) : "-"});
  }
  return table.text();
}

// What the data say of each variant, in words.
std::string verdicts(const Comparison& comparison) {
  std::string out;
  for (const auto& v : comparison.variants) {
    if (!v.verdict.empty()) {
      out += fmt::format("- **{}**: {}\n", name_of(v), v.verdict);
    }
  }
  return out.empty() ? out : "\n" + out;
}

}  // namespace

std::string to_markdown(const Comparison& comparison) {
  std::string out = "## " + markdown_escape(comparison.title) + "\n\n";
  for (const auto& warning : comparison.warnings) {
    out += "- **Note:** " + markdown_escape(warning) + "\n";
  }
  if (!comparison.warnings.empty()) {
    out += "\n";
  }
  out += accuracy_table(comparison) + verdicts(comparison);
  const bool measured = std::any_of(comparison.variants.begin(), comparison.variants.end(),
                                    [](const ComparedVariant& v) { return !v.counts_only; });
  if (measured) {
    out += "\n" + endings_table(comparison);
  }
  if (std::any_of(comparison.variants.begin(), comparison.variants.end(),
                  [](const ComparedVariant& v) { return v.paired.has_value(); })) {
    out += "\n" + paired_table(comparison);
  }
  for (const auto& note : comparison.notes) {
    out += "\n" + markdown_escape(note) + "\n";
  }
  return out;
}

}  // namespace gpqa
