// A GPQA file: what is read from it, and the trials that are made of it.
#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "prompts/csv.h"
#include "prompts/dataset.h"
#include "prompts/dataset_report.h"
#include "prompts/input_error.h"
#include "prompts/trial.h"
#include "prompts/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

constexpr std::string_view kHeader =
    "Record ID,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\n";

std::string quoted(const std::vector<CsvRecord>& records) {
  std::string text;
  for (const auto& record : records) {
    for (const auto& field : record.fields) {
      text += &field == &record.fields.front() ? "\"" : ",\"";
      for (const char c : field) text += c == '"' ? std::string("\"\"") : std::string(1, c);
      text += '"';
    }
    text += '\n';
  }
  return text;
}

void check_table(std::string_view text) {
  const auto records = unless_refused<FormatError>([&] { return parse_csv(text, "fuzz.csv"); });
  if (!records) return;
  const auto again = parse_csv(quoted(*records), "fuzz.csv");
  must(std::equal(records->begin(), records->end(), again.begin(), again.end(),
                  [](const CsvRecord& a, const CsvRecord& b) { return a.fields == b.fields; }),
       "what was read is read again when it is quoted");
}

void check_trials(const Dataset& dataset, TaskVersion version) {
  const auto trials = unless_refused<InputError>([&] {
    return make_trials(dataset,
                       {.version = version, .shuffle_seed = 0, .run_seed = 1, .limit = 0, .repeats = 1});
  });
  if (!trials) return;
  must(trials->size() == dataset.questions.size(), "a trial a question");
  for (const auto& trial : *trials) {
    must(trial.gold >= 'A' && trial.gold <= 'D', "the gold letter is one of four");
    must(is_valid_utf8(trial.prompt), "a prompt is UTF-8");
    must(trial.prompt_hash.size() == 64, "a prompt has a hash");
  }
}

void check_dataset(std::string_view text) {
  const auto dataset = unless_refused<FormatError>([&] { return parse_dataset(text, "fuzz.csv"); });
  if (!dataset) return;
  must(!dataset->questions.empty() && dataset->questions.size() == dataset->cells.size(), "a question a row");
  for (const auto& row : dataset->cells) must(row.size() == dataset->columns.size(), "a cell a column");
  const std::unordered_set<std::string> names(dataset->columns.begin(), dataset->columns.end());
  must(names.size() == dataset->columns.size(), "columns have names of their own");
  must(report_on(*dataset).rows == dataset->questions.size(), "the report counts the rows");
  for (const auto version : {TaskVersion::v1_0, TaskVersion::v2_1, TaskVersion::v2_2}) {
    check_trials(*dataset, version);
  }
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa::fuzz;
  const auto text = input_of(data, size);
  check_table(text);
  check_dataset(text);
  // Most inputs never find the header's names, and rows have their own ways to go wrong.
  check_dataset(std::string(kHeader).append(text));
  return 0;
}
