#include "harness/suggest.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>

namespace gpqa {
namespace {

constexpr std::size_t kLongestName = 64;  // what is longer is no typo of ours

char folded(char c) {
  if (c == '-') return '_';
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// Damerau-Levenshtein (optimal string alignment), case and '-' ignored.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      const bool swapped =
          i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

// "seed" may mean "run_seed", "api_key" "api_key_env": the shortest of them.
std::string containing_name(std::string_view typed, std::span<const std::string> known) {
  constexpr std::size_t kTellingLength = 4;
  std::string best;
  for (const auto& name : known) {
    const bool related = typed.size() >= kTellingLength && name.find(typed) != std::string::npos;
    if (related && (best.empty() || name.size() < best.size())) best = name;
  }
  return best;
}

}  // namespace

std::string nearest_name(std::string_view typed, std::span<const std::string> known) {
  if (typed.empty() || typed.size() > kLongestName) return "";
  const std::string* best = nullptr;
  std::size_t best_distance = 1 + std::max<std::size_t>(1, typed.size() / 3);
  for (const auto& name : known) {
    const std::size_t distance = edit_distance(typed, name);
    if (distance < best_distance) {
      best = &name;
      best_distance = distance;
    }
  }
  return best != nullptr ? *best : containing_name(typed, known);
}

std::string suggestion(std::string_view typed, std::span<const std::string> known) {
  if (const auto nearest = nearest_name(typed, known); !nearest.empty())
    return fmt::format("; did you mean '{}'?", nearest);
  return fmt::format("; known: {}", fmt::join(known, ", "));
}

}  // namespace gpqa
