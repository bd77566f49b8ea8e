// runners/embedded/engine/: many sequences through one model at once. The scheduler says which tokens go into
// the next step; it owns the slots.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runners/embedded/model/gemma4.h"

namespace gpqa {

enum class SequenceEnd {
  stopped,       // on_token wanted no more
  length,        // max_tokens were written
  context_full,  // the slot holds no further token
  cancelled,
  failed  // choose or on_token threw, or the model's numbers went wrong
};

// Cancels from any thread; that it did is known by on_done.
using CancelFlag = std::shared_ptr<std::atomic<bool>>;

// One text to go on with. The functions are called by whoever drives the steps, one at a time.
struct SequenceRequest {
  std::vector<std::int32_t> prompt;  // at least one token, fewer than a slot holds
  std::int64_t max_tokens = 1;       // at least 1
  // The next token, from the logits [vocabulary] after all that there is so far.
  std::function<std::int32_t(std::span<const float>)> choose;
  std::function<bool(std::int32_t)> on_token;                    // false: no more is wanted
  std::function<void(SequenceEnd, const std::string&)> on_done;  // once, with the error of `failed`
  CancelFlag cancelled = std::make_shared<std::atomic<bool>>(false);
};

class Scheduler {
 public:
  Scheduler(Backend& backend, Gemma4& model);
  ~Scheduler();  // cancels all

  // Throws InputError for a prompt that is empty, too long for a slot, or holds an id that the vocabulary
  // doesn't. From any thread.
  void check(const SequenceRequest& request) const;
  // A request that was checked; it waits for a slot, in order.
  void add(SequenceRequest request);
  bool idle() const { return waiting_.empty() && running_ == 0; }
  // One pass of the model: a token of each sequence that writes, and as much of the prompts as fits beside.
  void step();
  void cancel_all();
  // Checks one request and steps until it is done.
  void run_alone(SequenceRequest request);

 private:
  struct Sequence {
    SequenceRequest request;
    std::vector<std::int32_t> unread;  // tokens that the model has not seen
    std::size_t read = 0;              // of `unread`
    std::size_t position = 0;          // of the next token to be read
    std::int64_t written = 0;
  };
  using Slot = std::unique_ptr<Sequence>;

  void admit();
  void drop_cancelled();
  Batch next_batch(std::vector<std::size_t>& wanted, std::vector<std::size_t>& asking);
  void go_on(Slot& slot, std::span<const float> logits);
  void end(Slot& slot, SequenceEnd how, const std::string& error = "");

  Backend& backend_;
  Gemma4& model_;
  std::deque<Slot> waiting_;
  std::vector<Slot> slots_;  // null: free
  std::size_t running_ = 0;
  std::size_t next_prompt_ = 0;  // the slot whose prompt is read first
};

}  // namespace gpqa
