#include "experts/recover_keep.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "experts/slice_hash.h"
#include "runners/model_files/mapped_file.h"

namespace gpqa {
namespace {

using Hashes = std::vector<std::uint64_t>;  // of each expert's slice

constexpr std::size_t kSmallSlice = 256u << 10;  // router rows: 11 KB
constexpr std::size_t kTellingSlice = 64;        // fewer bytes may be the same by chance: one scale

// A part of a layer that both models have, with the same bytes an expert.
struct Part {
  std::size_t original = 0;  // indices in all()
  std::size_t pruned = 0;
  std::size_t slice_bytes = 0;
};

std::vector<Part> common_parts(const ExpertSlices& original, const ExpertSlices& pruned, std::size_t layer,
                               std::uint64_t experts, std::uint64_t kept) {
  std::vector<Part> parts;
  for (const auto a : original.layers()[layer]) {
    for (const auto b : pruned.layers()[layer]) {
      if (original.place(a)->part == pruned.place(b)->part && original.experts_of(a) == experts &&
          pruned.experts_of(b) == kept && original.all()[a].format.name == pruned.all()[b].format.name &&
          original.slice(a, 0).size() == pruned.slice(b, 0).size()) {
        parts.push_back({a, b, original.slice(a, 0).size()});
      }
    }
  }
  return parts;
}

Hashes hashes_of(const ExpertSlices& model, std::size_t index) {
  Hashes hashes;
  for (std::uint64_t expert = 0; expert < model.experts_of(index); ++expert) {
    const auto slice = model.slice(index, expert);
    hashes.push_back(slice_hash(slice));
    if (slice.size() > kSmallSlice) {
      drop_pages(slice);
    }
  }
  return hashes;
}

// How much of each pruned expert is the same as in each of the source's: [slots][experts].
class Scores {
 public:
  Scores(std::size_t slots, std::size_t experts) : experts_(experts), scores_(slots * experts) {}

  void add(const Hashes& original, const Hashes& pruned, int weight) {
    most_ += weight;
    for (std::size_t slot = 0; slot < pruned.size(); ++slot) {
      for (std::size_t id = 0; id < original.size(); ++id) {
        if (original[id] == pruned[slot]) {
          scores_[slot * experts_ + id] += weight;
        }
      }
    }
  }
  int at(std::size_t slot, std::size_t id) const { return scores_[slot * experts_ + id]; }
  int most() const { return most_; }
  std::size_t experts() const { return experts_; }
  std::size_t slots() const { return scores_.size() / experts_; }

 private:
  std::size_t experts_;
  int most_ = 0;
  std::vector<int> scores_;
};

// The ascending list with the highest sum of scores; of equal ones, the lowest ids.
ExpertIds best_ascending(const Scores& scores) {
  const auto slots = scores.slots();
  const auto experts = scores.experts();
  // best[slot][id]: of slots from `slot` on, which take ids from `id` on. -1: there aren't enough.
  const auto width = experts + 1;
  std::vector<int> best((slots + 1) * width, -1);
  std::fill(best.end() - static_cast<std::ptrdiff_t>(width), best.end(), 0);
  const auto take = [&](std::size_t slot, std::size_t id) {
    const int rest = best[(slot + 1) * width + id + 1];
    return rest < 0 ? -1 : scores.at(slot, id) + rest;
  };
  for (std::size_t slot = slots; slot-- > 0;) {
    for (std::size_t id = experts; id-- > 0;) {
      best[slot * width + id] = std::max(take(slot, id), best[slot * width + id + 1]);
    }
  }
  ExpertIds ids;
  std::size_t id = 0;
  for (std::size_t slot = 0; slot < slots; ++slot, ++id) {
    while (take(slot, id) < best[slot * width + id]) {
      ++id;
    }
    ids.push_back(static_cast<std::uint32_t>(id));
  }
  return ids;
}

// What the routers' rows alone tell, if that is clear.
std::optional<ExpertIds> clear_ids(const Hashes& original, const Hashes& pruned) {
  std::unordered_map<std::uint64_t, std::uint32_t> id_of;
  for (std::uint32_t id = 0; id < original.size(); ++id) {
    if (!id_of.emplace(original[id], id).second) {
      return std::nullopt;
    }
  }
  ExpertIds ids;
  for (const auto hash : pruned) {
    const auto found = id_of.find(hash);
    if (found == id_of.end() || (!ids.empty() && found->second <= ids.back())) {
      return std::nullopt;
    }
    ids.push_back(found->second);
  }
  return ids;
}

ExpertIds counted(std::uint64_t experts) {
  ExpertIds ids;
  for (std::uint32_t id = 0; id < experts; ++id) {
    ids.push_back(id);
  }
  return ids;
}

ExpertIds lowest_of_the_same(const std::vector<Hashes>& parts, std::uint64_t experts) {
  ExpertIds same = counted(experts);
  for (std::uint32_t id = 0; id < experts; ++id) {
    const auto first = std::find_if(same.begin(), same.begin() + id, [&](std::uint32_t other) {
      return std::all_of(parts.begin(), parts.end(),
                         [&](const Hashes& hashes) { return hashes[other] == hashes[id]; });
    });
    same[id] = first == same.begin() + id ? id : *first;
  }
  return same;
}

}  // namespace

bool RecoveredKeep::equals(const KeepLists& lists) const {
  if (lists.size() != keep.size() || !unmatched.empty()) {
    return false;
  }
  for (std::size_t layer = 0; layer < keep.size(); ++layer) {
    const bool same = std::equal(keep[layer].begin(), keep[layer].end(), lists[layer].begin(),
                                 lists[layer].end(), [&](std::uint32_t a, std::uint32_t b) {
                                   return b < same_as[layer].size() && same_as[layer][a] == same_as[layer][b];
                                 });
    if (!same) {
      return false;
    }
  }
  return true;
}

RecoveredKeep recover_keep(const ExpertSlices& original, const ExpertSlices& pruned, std::uint64_t experts,
                           std::uint64_t kept) {
  RecoveredKeep out;
  for (std::size_t layer = 0; layer < original.layers().size(); ++layer) {
    const auto parts = common_parts(original, pruned, layer, experts, kept);
    const auto small = std::find_if(parts.begin(), parts.end(), [](const Part& part) {
      return part.slice_bytes >= kTellingSlice && part.slice_bytes <= kSmallSlice;
    });
    if (small != parts.end()) {
      const auto clear = clear_ids(hashes_of(original, small->original), hashes_of(pruned, small->pruned));
      if (clear) {
        out.keep.push_back(*clear);
        out.same_as.push_back(counted(experts));
        continue;
      }
    }
    Scores scores(kept, experts);
    std::vector<Hashes> hashes;
    for (const auto& part : parts) {
      hashes.push_back(hashes_of(original, part.original));
      scores.add(hashes.back(), hashes_of(pruned, part.pruned), part.slice_bytes >= kTellingSlice ? 16 : 1);
    }
    out.keep.push_back(best_ascending(scores));
    out.same_as.push_back(parts.empty() ? counted(experts) : lowest_of_the_same(hashes, experts));
    for (std::size_t slot = 0; slot < kept; ++slot) {
      if (scores.at(slot, out.keep.back()[slot]) < 16) {
        out.unmatched.push_back({layer, slot});
      }
    }
  }
  return out;
}

}  // namespace gpqa
