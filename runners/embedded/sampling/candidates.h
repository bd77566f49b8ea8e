// The tokens that may come next: what every sampler of the chain reads and narrows.
#pragma once

#include <cassert>
#include <cstddef>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "prompts/input_error.h"
#include "runners/embedded/sampling/best_logits.h"
#include "runners/embedded/sampling/candidate.h"

namespace gpqa {

// Logits among which no token can be chosen: NaN, +inf, or -inf everywhere. Damaged weights make them, or
// settings that push a logit out of a float's range. llama-server would take the last candidate without a
// word.
class BadLogits : public InputError {
 public:
  using InputError::InputError;
};

// Begins as the whole vocabulary in the order of ids, held as plain logits; it becomes a list when a sampler
// needs one, and by then top-k has usually left 64. No logit in it is ever NaN or +inf.
class Candidates {
 public:
  // Throws BadLogits.
  void assign(std::span<const float> logits);

  std::size_t size() const { return whole_ ? logits_.size() : size_; }
  std::size_t vocabulary() const { return logits_.size(); }
  bool whole() const { return whole_; }    // every token, id = place
  bool sorted() const { return sorted_; }  // by logit, descending
  void set_unsorted() { sorted_ = false; }

  std::span<Candidate> list();
  std::span<const Candidate> list() const;  // not while whole

  // Every logit but this one's becomes -inf. While whole.
  void leave_only(int id);
  // While whole; an id outside the vocabulary is left alone.
  void add(int id, float bias, std::string_view sampler);

  // logit = change(logit, value) for the candidates that `by_id` holds a value for.
  template <class Value, class Change>
  void adjust(const std::unordered_map<int, Value>& by_id, std::string_view sampler, Change change);
  // logit = change(logit) for all of them.
  template <class Change>
  void change_each(std::string_view sampler, Change change);
  template <class Visit>
  void each_logit(Visit visit) const;

  // The k of the highest logits, descending; equal ones as llama-server leaves them. All that were sorted
  // already are only cut.
  void keep_best(std::size_t k);
  // Them alone, the list as it is: at least k, by buckets whatever k is. Until the next call of anything
  // here.
  std::span<const Candidate> best(std::size_t k);
  void keep_first(std::size_t n);
  void drop_first(std::size_t n);
  // Replaces the list; at most as many as there are.
  void replace(std::span<const Candidate> kept, bool sorted);

 private:
  static void require(int id, float logit, std::string_view sampler);

  std::vector<float> logits_;  // [vocabulary]; current while whole
  std::vector<Candidate> list_;
  SortScratch scratch_;
  std::size_t first_ = 0;  // in list_
  std::size_t size_ = 0;
  bool whole_ = true;
  bool sorted_ = false;
};

// p = exp(logit - max) / sum in float, as llama-server adds it up; `sort` first if asked. Throws BadLogits if
// all logits are -inf.
void softmax(Candidates& candidates, bool sort);
// The highest logit; throws BadLogits if it is -inf.
float highest_logit(const Candidates& candidates);

template <class Value, class Change>
void Candidates::adjust(const std::unordered_map<int, Value>& by_id, std::string_view sampler,
                        Change change) {
  if (whole_) {
    for (const auto& [id, value] : by_id) {
      if (id >= 0 && static_cast<std::size_t>(id) < logits_.size()) {
        float& logit = logits_[static_cast<std::size_t>(id)];
        logit = change(logit, value);
        require(id, logit, sampler);
      }
    }
    return;
  }
  for (auto& candidate : list()) {
    if (const auto it = by_id.find(candidate.id); it != by_id.end()) {
      candidate.logit = change(candidate.logit, it->second);
      require(candidate.id, candidate.logit, sampler);
    }
  }
}

template <class Change>
void Candidates::change_each(std::string_view sampler, Change change) {
  if (whole_) {
    for (std::size_t id = 0; id < logits_.size(); ++id) {
      logits_[id] = change(logits_[id]);
      require(static_cast<int>(id), logits_[id], sampler);
    }
    return;
  }
  for (auto& candidate : list()) {
    candidate.logit = change(candidate.logit);
    require(candidate.id, candidate.logit, sampler);
  }
}

template <class Visit>
void Candidates::each_logit(Visit visit) const {
  if (whole_) {
    for (const float logit : logits_) visit(logit);
    return;
  }
  for (const auto& candidate : list()) visit(candidate.logit);
}

}  // namespace gpqa
