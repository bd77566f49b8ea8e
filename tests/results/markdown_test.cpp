#include "results/markdown.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "results/comparison_files.h"
#include "tests/catch.h"
#include "tests/results/approval.h"
#include "tests/results/constructed_runs.h"

namespace gpqa {
namespace {

void check_tables(const std::string& name, const Comparison& comparison) {
  gpqa_test::check_approved(name + ".md", to_markdown(comparison));
  gpqa_test::check_approved(name + ".csv", to_csv(comparison));
  gpqa_test::check_approved(name + ".json", to_json(comparison).dump(2) + "\n");
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end, text.size() - 1) + 1);
  }
  return lines;
}

// Columns between unescaped bars.
std::size_t columns_of(const std::string& line) {
  std::size_t bars = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\') ? 1 : 0;
  }
  return bars - 1;
}

// RFC 4180, strictly: rows of cells.
std::vector<std::vector<std::string>> read_csv(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  std::size_t at = 0;
  while (at < text.size()) {
    std::vector<std::string> row;
    for (bool more = true; more;) {
      std::string cell;
      if (text[at] == '"') {
        for (++at; text.at(at) != '"' || (at + 1 < text.size() && text[at + 1] == '"'); ++at) {
          at += text[at] == '"' ? 1 : 0;
          cell += text[at];
        }
        ++at;
      } else {
        for (; text.at(at) != ',' && text[at] != '\r'; ++at) {
          REQUIRE(text[at] != '"');
          cell += text[at];
        }
      }
      row.push_back(cell);
      more = text.at(at) == ',';
      ++at;
    }
    REQUIRE(text.substr(at - 1, 2) == "\r\n");
    ++at;
    rows.push_back(row);
  }
  return rows;
}

TEST_CASE("tables of one run each", "[approval]") {
  check_tables("one_run_each", compare_runs(one_run_each(), {}));
}

TEST_CASE("tables of repeats", "[approval]") {
  check_tables("repeats", compare_runs(four_repeats(), {}));
}

TEST_CASE("tables of an unfinished, failing, contaminated run", "[approval]") {
  check_tables("unfinished", compare_runs(unfinished(), {.reference = "128e"}));
}

TEST_CASE("tables of the published card", "[approval]") {
  check_tables("published", published_comparison());
}

TEST_CASE("no name and no setting can break out of its cell") {
  auto runs = one_run_each();
  runs[1].manifest.variant = "a|b\n\x1b[2J\u202E<script>`";
  runs[1].manifest.runner.build = "[x](http://y) \x07|";
  runs[1].manifest.calibrated_on = "gpqa | \x1b]0;title\x07";
  const auto comparison = compare_runs(runs, {});
  for (const auto& text : {to_markdown(comparison), to_csv(comparison)}) {
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\x07') == std::string::npos);
    CHECK(text.find("\u202E") == std::string::npos);
  }
  const auto markdown = to_markdown(comparison);
  CHECK(markdown.find("\\<script\\>") != std::string::npos);
  CHECK(markdown.find("](http") == markdown.find("\\](http") + 1);
  std::size_t table = 0;
  for (const auto& line : lines_of(markdown)) {
    if (!line.starts_with("|")) {
      table = 0;
    } else if (table == 0) {
      table = columns_of(line);
    } else {
      CHECK(columns_of(line) == table);
    }
  }
}

TEST_CASE("columns are aligned by what is shown, not by bytes") {
  auto runs = one_run_each();
  runs[1].manifest.variant = "模型 é";  // 6 columns: two wide, a space, one
  runs[2].manifest.variant = "abcdef";
  const auto lines = lines_of(to_markdown(compare_runs(runs, {})));
  const auto row = [&](const std::string& name) {
    const auto at = std::find_if(lines.begin(), lines.end(),
                                 [&](const std::string& line) { return line.starts_with("| " + name); });
    REQUIRE(at != lines.end());
    return at->substr(2 + name.size());
  };
  CHECK(row("模型 é").find('|') == row("abcdef").find('|'));
}

TEST_CASE("what isn't known is a dash, not a zero") {
  auto runs = one_run_each();
  runs[1].trials.clear();
  for (auto& trial : runs[0].trials) {
    trial.tokens.reasoning.reset();
    trial.tokens.content.reset();
  }
  const auto comparison = compare_runs(runs, {});
  CHECK(to_json(comparison)["variants"][0]["mean_answer_tokens"].is_null());
  const auto text = to_markdown(comparison);
  CHECK(text.find("| 109e  |     109 |                   - |") != std::string::npos);
  CHECK(text.find("0 / 0 (of 198)") != std::string::npos);
}

TEST_CASE("CSV: every row has the header's columns, and quotes come back as they were") {
  auto runs = one_run_each();
  runs[1].manifest.variant = "a, \"b\"\nc";
  const auto rows = read_csv(to_csv(compare_runs(runs, {})));
  REQUIRE(rows.size() == 4);
  for (const auto& row : rows) {
    CHECK(row.size() == rows[0].size());
  }
  CHECK(std::set<std::string>(rows[0].begin(), rows[0].end()).size() == rows[0].size());
  CHECK(rows[2][0] == "a, \"b\"\nc");
}

TEST_CASE("CSV: formulas are inert") {
  for (const std::string start : {"=", "+", "-", "@", "\t"}) {
    auto runs = one_run_each();
    runs[1].manifest.variant = start + "1+1,\"x\"";
    CHECK(read_csv(to_csv(compare_runs(runs, {})))[2][0] == "'" + start + "1+1,\"x\"");
  }
}

TEST_CASE("CSV and JSON hold the same figures") {
  const auto comparison = compare_runs(unfinished(), {.reference = "128e"});
  const auto rows = read_csv(to_csv(comparison));
  const auto json = to_json(comparison);
  const auto column = [&](const std::string& name) {
    const auto at = std::find(rows[0].begin(), rows[0].end(), name);
    REQUIRE(at != rows[0].end());
    return static_cast<std::size_t>(at - rows[0].begin());
  };
  const auto& variant = json["variants"][1];
  CHECK(std::stod(rows[2][column("flex")]) == Approx(variant["flexible"]["accuracy"].get<double>()));
  CHECK(std::stod(rows[2][column("delta")]) ==
        Approx(variant["paired"]["delta"].get<double>()).epsilon(1e-4));
  CHECK(std::stoi(rows[2][column("failed")]) == 3);
  CHECK(std::stoi(rows[2][column("planned")]) == variant["planned"].get<int>());
  CHECK(rows[1][column("delta")].empty());
}

}  // namespace
}  // namespace gpqa
