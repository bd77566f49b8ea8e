// The k highest logits of many, equal ones in the very order in which llama-server has them.
//
// Its order among equals is that of the algorithm: std::partial_sort over the candidates for k <= 128, sorted
// buckets above. The same calls on the same sequences are made here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runners/embedded/sampling/candidate.h"

namespace gpqa {

// Kept from token to token: a vocabulary's worth of memory is dear to ask for.
struct SortScratch {
  std::vector<Candidate> sorted;
  std::vector<std::uint8_t> bucket;  // of each element
};

// Of a vocabulary, id = place. `best` becomes the k, descending. k <= logits.size().
void best_of_logits(std::span<const float> logits, std::size_t k, std::vector<Candidate>& best,
                    SortScratch& scratch);

// Moves the k of `list` to its front, descending; what follows them is unspecified.
void best_in_place(std::span<Candidate> list, std::size_t k, SortScratch& scratch);

// By buckets whatever k is, `list` left as it is: `scratch.sorted` gets the k, descending, and perhaps some
// more.
void best_by_buckets(std::span<const Candidate> list, std::size_t k, SortScratch& scratch);

}  // namespace gpqa
