#include "harness/hub/fetch_dataset.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/hub/partial_file.h"
#include "prompts/input_error.h"
#include "results/posix_file.h"

namespace gpqa {
namespace {

// Throws InputError for another set than `set`.
DatasetReport check_set(const Dataset& dataset, const std::string& set) {
  auto report = report_on(dataset);
  if (report.set == set) return report;
  const auto sets = gpqa_sets();
  const auto expected = std::find_if(sets.begin(), sets.end(), [&](const auto& s) { return s.name == set; });
  throw InputError(fmt::format("{}: expected the {} rows of gpqa_{}.csv, found {}", dataset.path.string(),
                               expected == sets.end() ? 0 : expected->rows, set, report.rows));
}

}  // namespace

FetchedDataset fetch_dataset(HubOptions options, const std::string& set, const std::filesystem::path& out,
                             bool force) {
  if (std::filesystem::is_directory(out))
    throw InputError(fmt::format("--out {}: is a folder; name the file, like {}", out.string(),
                                 (out / ("gpqa_" + set + ".csv")).string()));
  if (!force && std::filesystem::exists(out)) {
    try {
      return {.report = check_set(load_dataset(out), set), .commit = "", .was_there = true};
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}\nNothing was downloaded: name another --out, or replace it by --force",
                                   error.what()));
    }
  }

  options.file.name = "gpqa_" + set + ".csv";
  PartialFile part(out);
  const auto download = download_from_hub(options, part);
  const std::string bytes = part.read();
  const std::filesystem::path rejected = out.string() + ".rejected";
  FetchedDataset fetched;
  fetched.commit = download.commit;
  fetched.resumed_at = download.resumed_at;
  try {
    fetched.report = check_set(parse_dataset(bytes, rejected), set);
  } catch (const InputError& error) {
    replace_file(rejected, bytes);
    part.remove();
    throw InputError(
        fmt::format("{}\nThe download is no {}: it was kept as {}, and {} was not touched. Is the "
                    "revision right? `--revision main` is the published one",
                    error.what(), options.file.name, rejected.string(), out.string()));
  }
  replace_file(out, bytes);
  part.remove();
  return fetched;
}

}  // namespace gpqa
