// Which experts of a model a pruned one kept, found by their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "experts/drop_map.h"
#include "experts/expert_cut.h"
#include "experts/expert_slices.h"

namespace gpqa {

struct RecoveredKeep {
  KeepLists keep;  // [layers][slots]: the source's ids, ascending, that match best
  // A pruned expert that equals none of the source's in any of its parts: `keep` holds a guess.
  struct Place {
    std::size_t layer = 0;
    std::size_t slot = 0;
    bool operator==(const Place&) const = default;
  };
  std::vector<Place> unmatched;
  // [layers][experts]: the lowest id of those whose bytes are the same.
  std::vector<ExpertIds> same_as;

  // Whether these lists are as good as `keep`: they differ in experts of the same bytes only.
  bool equals(const KeepLists& lists) const;
};

// Both of as many layers. Router rows tell nearly always and are small; where they don't, each expert's
// weights are read. Parts that were damaged are outvoted by the others.
RecoveredKeep recover_keep(const ExpertSlices& original, const ExpertSlices& pruned, std::uint64_t experts,
                           std::uint64_t kept);

}  // namespace gpqa
