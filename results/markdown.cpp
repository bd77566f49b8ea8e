#include "results/markdown.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "results/inert_text.h"

namespace gpqa {
namespace {

std::size_t display_width(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int64_t>(text.size());
  std::size_t width = 0;
  for (std::int64_t i = 0; i < size;) {
    UChar32 code = 0;
    U8_NEXT(bytes, i, size, code);
    const auto type = u_charType(code);
    const auto east_asian = u_getIntPropertyValue(code, UCHAR_EAST_ASIAN_WIDTH);
    if (type != U_NON_SPACING_MARK && type != U_ENCLOSING_MARK && type != U_FORMAT_CHAR) {
      width += east_asian == U_EA_WIDE || east_asian == U_EA_FULLWIDTH ? 2 : 1;
    }
  }
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

std::string percent(const Accuracy& accuracy) {
  return fmt::format("{:.2f}%", 100 * accuracy.mean);
}

std::string interval(const Interval& i) {
  return fmt::format("{:.1f} to {:.1f}", 100 * i.low, 100 * i.high);
}

std::string p_value(double p) {
  return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p);
}

std::string delta_of(const ComparedVariant& variant) {
  if (variant.reference) {
    return "reference";
  }
  const double delta = variant.paired     ? variant.paired->delta
                       : variant.unpaired ? variant.unpaired->delta
                                          : 0;
  return fmt::format("{:+.2f}", 100 * delta + 0.0);
}

std::string accuracy_table(const Comparison& comparison) {
  Table table({{"Model"},
               {"Experts", true},
               {"GPQA Diamond (flex)", true},
               {"correct / n", true},
               {"95%", true},
               {"strict", true},
               {"delta (pp)", true},
               {"What the data say"}});
  for (const auto& v : comparison.variants) {
    const auto& flex = v.summary.flexible;
    table.add({name_of(v), v.experts ? std::to_string(*v.experts) : "-", percent(flex),
               fmt::format("{} / {}", flex.correct, v.summary.done), interval(flex.wilson),
               v.strict_known ? percent(v.summary.strict) : "-", delta_of(v), v.verdict});
  }
  return table.text();
}

std::string endings_table(const Comparison& comparison) {
  Table table({{"Model"},
               {"answered", true},
               {"unparsed", true},
               {"truncated", true},
               {"of these rumination", true},
               {"lost", true},
               {"failed", true},
               {"retries", true},
               {"bounds (%)", true},
               {"reasoning tokens", true},
               {"answer tokens", true}});
  for (const auto& v : comparison.variants) {
    const auto& s = v.summary;
    table.add({name_of(v), std::to_string(s.answered), std::to_string(s.unparsed),
               std::to_string(s.truncated), std::to_string(s.rumination), std::to_string(s.lost),
               std::to_string(s.failed), std::to_string(s.retries), interval(s.flexible.bounds),
               fmt::format("{:.0f}", s.mean_reasoning_tokens), fmt::format("{:.0f}", s.mean_answer_tokens)});
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
               {"95% (bootstrap)", true}});
  for (const auto& v : comparison.variants) {
    if (!v.paired) {
      continue;
    }
    const auto& p = *v.paired;
    table.add({name_of(v), std::to_string(p.n), std::to_string(p.right_to_wrong),
               std::to_string(p.wrong_to_right), p.mcnemar_p ? p_value(*p.mcnemar_p) : "-", delta_of(v),
               fmt::format("{:+.1f} to {:+.1f}", 100 * p.bootstrap.low, 100 * p.bootstrap.high)});
  }
  return table.text();
}

}  // namespace

std::string to_markdown(const Comparison& comparison) {
  std::string out = "## " + markdown_escape(comparison.title) + "\n\n";
  for (const auto& warning : comparison.warnings) {
    out += "> **Note:** " + markdown_escape(warning) + "\n>\n";
  }
  if (!comparison.warnings.empty()) {
    out.erase(out.size() - 2);  // the last separator
    out += "\n";
  }
  out += accuracy_table(comparison);
  const bool measured = std::any_of(comparison.variants.begin(), comparison.variants.end(),
                                    [](const ComparedVariant& v) { return !v.folder.empty(); });
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
