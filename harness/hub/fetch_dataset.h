// harness/hub/: from the Hugging Face hub to a checked file of GPQA. It is whole and what its name says, or
// it isn't there; the token stays with the hub.
#pragma once

#include <filesystem>
#include <string>

#include "harness/hub/hub_download.h"
#include "prompts/dataset_report.h"

namespace gpqa {

struct FetchedDataset {
  DatasetReport report;
  std::string commit;
  bool was_there = false;  // nothing was downloaded
  std::uint64_t resumed_at = 0;
};

// `set` as in gpqa_sets(); options.file.name is made from it. A file that is there is kept if it is this set,
// refused (InputError) if it is another, and replaced under `force` once the download has been checked.
// A download of the wrong columns or rows is kept beside as OUT.rejected, and an InputError says why.
FetchedDataset fetch_dataset(HubOptions options, const std::string& set, const std::filesystem::path& out,
                             bool force);

}  // namespace gpqa
