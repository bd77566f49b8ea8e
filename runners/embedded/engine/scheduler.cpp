#include "runners/embedded/engine/scheduler.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {

Scheduler::Scheduler(Backend& backend, Gemma4& model)
    : backend_(backend), model_(model), slots_(model.sizes().slots) {}

Scheduler::~Scheduler() {
  cancel_all();
}

void Scheduler::check(const SequenceRequest& request) const {
  const auto& sizes = model_.sizes();
  if (request.prompt.empty()) throw InputError("a prompt without a token");
  if (request.prompt.size() >= sizes.cells)
    throw InputError(fmt::format("a prompt of {} tokens; a slot holds {}, and the answer needs room too",
                                 request.prompt.size(), sizes.cells));
  for (const auto id : request.prompt)
    if (id < 0 || static_cast<std::size_t>(id) >= model_.config().vocabulary)
      throw InputError(fmt::format("token {} in the prompt; the vocabulary ends at {}", id,
                                   model_.config().vocabulary - 1));
}

void Scheduler::add(SequenceRequest request) {
  auto sequence = std::make_unique<Sequence>();
  sequence->unread = request.prompt;
  sequence->request = std::move(request);
  waiting_.push_back(std::move(sequence));
}

void Scheduler::run_alone(SequenceRequest request) {
  check(request);
  add(std::move(request));
  while (!idle()) step();
}

void Scheduler::admit() {
  for (auto& slot : slots_) {
    if (slot != nullptr) continue;
    if (waiting_.empty()) return;
    slot = std::move(waiting_.front());
    waiting_.pop_front();
    ++running_;
  }
}

void Scheduler::drop_cancelled() {
  for (auto& slot : slots_)
    if (slot != nullptr && *slot->request.cancelled) end(slot, SequenceEnd::cancelled);
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!*(*it)->request.cancelled) {
      ++it;
      continue;
    }
    const Slot gone = std::move(*it);
    it = waiting_.erase(it);
    gone->request.on_done(SequenceEnd::cancelled, "");
  }
}

void Scheduler::cancel_all() {
  for (const auto& sequence : waiting_) *sequence->request.cancelled = true;
  for (const auto& sequence : slots_)
    if (sequence != nullptr) *sequence->request.cancelled = true;
  drop_cancelled();
}

// `asking`: the slots whose logits are wanted, in the order of `wanted`.
Batch Scheduler::next_batch(std::vector<std::size_t>& wanted, std::vector<std::size_t>& asking) {
  Batch batch;
  const std::size_t room = model_.sizes().max_tokens;
  const auto read = [&](std::size_t index, std::size_t count) {
    Sequence& sequence = *slots_[index];
    for (std::size_t i = 0; i < count; ++i)
      batch.add(sequence.unread[sequence.read++], sequence.position++, static_cast<std::uint32_t>(index));
    if (sequence.read < sequence.unread.size()) return;
    wanted.push_back(batch.size() - 1);
    asking.push_back(index);
  };
  const auto left = [&](std::size_t index) { return slots_[index]->unread.size() - slots_[index]->read; };
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i] != nullptr && slots_[i]->written > 0) read(i, 1);
  // Prompts take turns in being first, so that a long one holds up no other.
  for (std::size_t i = 0; i < slots_.size() && batch.size() < room; ++i) {
    const std::size_t index = (next_prompt_ + i) % slots_.size();
    if (slots_[index] != nullptr && slots_[index]->written == 0 && left(index) > 0)
      read(index, std::min(left(index), room - batch.size()));
  }
  ++next_prompt_;
  return batch;
}

void Scheduler::step() {
  drop_cancelled();
  admit();
  std::vector<std::size_t> wanted;
  std::vector<std::size_t> asking;
  const Batch batch = next_batch(wanted, asking);
  if (batch.size() == 0) return;
  const Tensor logits = model_.forward(batch, wanted);
  const auto all = backend_.read_back(logits);
  const std::size_t width = model_.config().vocabulary;
  for (std::size_t i = 0; i < asking.size(); ++i)
    go_on(slots_[asking[i]], std::span(all).subspan(i * width, width));
}

void Scheduler::go_on(Slot& slot, std::span<const float> logits) {
  Sequence& sequence = *slot;
  try {
    const std::int32_t token = sequence.request.choose(logits);
    ++sequence.written;
    sequence.unread = {token};
    sequence.read = 0;
    if (!sequence.request.on_token(token))
      end(slot, SequenceEnd::stopped);
    else if (sequence.written >= sequence.request.max_tokens)
      end(slot, SequenceEnd::length);
    else if (sequence.position + 1 >= model_.sizes().cells)
      end(slot,
          SequenceEnd::context_full);  // prompt and answer are as many as the slot holds: llama-server's end
  } catch (const std::exception& error) {
    end(slot, SequenceEnd::failed, error.what());
  }
}

void Scheduler::end(Slot& slot, SequenceEnd how, const std::string& error) {
  const Slot gone = std::move(slot);
  --running_;
  gone->request.on_done(how, error);
}

}  // namespace gpqa
