// Whether a pruned model is what it should be, byte for byte: every kept expert, router row and scale equals
// its source, everything else is the original's, and all that counts experts agrees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "experts/damage.h"
#include "experts/drop_map.h"
#include "experts/drop_report.h"
#include "experts/expert_cut.h"
#include "experts/recover_keep.h"

namespace gpqa {

struct Verification {
  std::size_t layers = 0;
  std::uint64_t experts_before = 0;
  std::uint64_t experts_after = 0;
  KeepLists keep;             // what was compared with: the map's lists, or those that were recovered
  RecoveredKeep recovered;    // what the bytes say; empty lists if there was nothing to recover from
  std::uint64_t tensors = 0;  // that were compared
  std::uint64_t slices = 0;   // of experts
  std::uint64_t bytes = 0;
  Damages damages;

  bool holds() const { return damages.count() == 0; }
};

struct VerifyOptions {
  std::optional<DropMap> map;      // none: the kept experts are recovered
  std::filesystem::path map_path;  // for messages
  std::size_t threads = 1;
  OnProgress on_progress = [](std::uint64_t, std::uint64_t) {};
};

// Two GGUF files (of split ones the first). Throw what reading the original throws, and the pruned one as far
// as it can't be read at all; a map that doesn't fit the original is an InputError.
Verification verify_gguf_drop(const std::filesystem::path& original, const std::filesystem::path& pruned,
                              const VerifyOptions& options);
// Two folders of checkpoints.
Verification verify_checkpoint_drop(const std::filesystem::path& original,
                                    const std::filesystem::path& pruned, const VerifyOptions& options);

}  // namespace gpqa
