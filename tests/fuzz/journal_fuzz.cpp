// The files of a run's folder: what is read from them is written back the same, and a crash tears off no more
// than the last line.
#include <algorithm>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "results/run_files.h"
#include "results/run_record.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

using Json = nlohmann::ordered_json;

// Writing may mend (invalid UTF-8, negative counts), but only once.
template <class Record, class FromJson>
void check_rewriting(const Record& record, const FromJson& from_json) {
  const Json written = to_json(record);
  const auto text = written.dump();
  must(to_json(from_json(Json::parse(text))).dump() == text, "what was written is read back");
}

std::string joined(const std::vector<TrialRecord>& records) {
  std::string text;
  for (const auto& record : records) text += to_json(record).dump() + "\n";
  return text;
}

// What a crash leaves of the last line: its start, or any of its pages as zeros.
void check_tear(std::string_view text, const StoredTrials& whole, std::uint8_t from, std::uint8_t length) {
  const auto last = text.substr(0, whole.whole_bytes - 1).rfind('\n') + 1;  // npos + 1: the first line
  const auto size = whole.whole_bytes - last;
  const auto start = last + from * size / 256;
  const auto torn = read_trials(text.substr(0, start), "trials.jsonl");
  must(torn.whole_bytes == last && torn.records.size() + 1 == whole.records.size(),
       "a cut tears off one line");

  std::string zeroed(text.substr(0, whole.whole_bytes));
  const auto hole = std::min<std::size_t>(length * size / 256 + 1, whole.whole_bytes - start);
  std::fill_n(zeroed.begin() + static_cast<std::ptrdiff_t>(start), hole, '\0');
  const auto kept = read_trials(zeroed, "trials.jsonl");
  must(kept.whole_bytes == last && kept.records.size() + 1 == whole.records.size(),
       "a hole tears off one line");
}

void check_trials(std::string_view text, std::uint8_t from, std::uint8_t length) {
  const auto stored = unless_refused<FormatError>([&] { return read_trials(text, "trials.jsonl"); });
  if (!stored) return;
  must(stored->whole_bytes <= text.size(), "whole lines are of the file");
  must(static_cast<std::size_t>(
           std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(stored->whole_bytes), '\n')) ==
           stored->records.size(),
       "a record a line");
  for (const auto& record : stored->records) check_rewriting(record, trial_record_from_json);
  const auto again = joined(stored->records);
  const auto read_again = read_trials(again, "trials.jsonl");
  must(read_again.whole_bytes == again.size() && joined(read_again.records) == again, "a file is read back");
  if (!stored->records.empty()) check_tear(again, read_again, from, length);
  unless_refused<InputError>([&] { return one_per_trial(stored->records, "trials.jsonl"); });
}

void check_documents(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return;
  const auto manifest = unless_refused<InputError>([&] { return manifest_from_json(json); });
  if (manifest) {
    check_rewriting(*manifest, manifest_from_json);
    must(differences(*manifest, *manifest).empty(), "a run goes on with itself");
  }
  if (const auto transcript = unless_refused<InputError>([&] { return transcript_from_json(json); })) {
    check_rewriting(*transcript, transcript_from_json);
  }
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa::fuzz;
  auto input = input_of(data, size);
  const auto from = take_byte(input);
  const auto length = take_byte(input);
  check_trials(input, from, length);
  check_documents(input);
  return 0;
}
