#include "runners/embedded/engine/speed_test.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <numeric>
#include <random>
#include <utility>

#include "runners/runner_errors.h"

namespace gpqa {
namespace {

std::size_t most_slots(const SpeedPlan& plan) {
  return *std::max_element(plan.slots.begin(), plan.slots.end());
}

}  // namespace

// A row of the table goes back to the end of the prompts. The keys that its first tokens see are still there,
// also in the layers with a window: they keep as many more as a step has tokens.
Gemma4::Sizes SpeedTest::sizes(const SpeedPlan& plan) {
  return {.slots = most_slots(plan),
          .cells = plan.prompt + kWarmUp + plan.steps,
          .max_tokens = std::max(kStepTokens, most_slots(plan)),
          .max_logits = most_slots(plan)};
}

std::size_t SpeedTest::tokens(const SpeedPlan& plan) {
  const std::size_t steps = kWarmUp + plan.steps + std::min(plan.steps, kCounted);
  return most_slots(plan) * plan.prompt +
         steps * std::accumulate(plan.slots.begin(), plan.slots.end(), std::size_t{0});
}

SpeedTest::SpeedTest(LoadedModel& loaded, MemoryBandwidth& bandwidth, const SpeedPlan& plan,
                     std::function<void(std::size_t)> progress, std::stop_token stop)
    : loaded_(loaded),
      bandwidth_(bandwidth),
      plan_(plan),
      progress_(std::move(progress)),
      stop_(std::move(stop)) {
  assert(plan.prompt > 0 && plan.steps > 0 && kWarmUp + plan.steps < kStepTokens);
  std::mt19937 random(plan.seed);
  const auto vocabulary = loaded.model().config().vocabulary;
  ids_.resize(most_slots(plan));
  for (auto& ids : ids_)
    for (std::size_t i = 0; i < plan.prompt + kWarmUp + plan.steps; ++i)
      ids.push_back(static_cast<std::int32_t>(random() % vocabulary));
}

Batch SpeedTest::step(std::size_t slots, std::size_t position) const {
  Batch batch;
  for (std::uint32_t slot = 0; slot < slots; ++slot) batch.add(ids_[slot][position], position, slot);
  return batch;
}

double SpeedTest::time(const Batch& batch, const std::vector<std::size_t>& wanted) {
  if (stop_.stop_requested()) throw Interrupted();
  const auto begin = std::chrono::steady_clock::now();
  loaded_.model().forward(batch, wanted);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::vector<OpTime> SpeedTest::operations() {
  return loaded_.timed() == nullptr ? std::vector<OpTime>() : loaded_.timed()->take();
}

void SpeedTest::done(std::size_t tokens) {
  done_ += tokens;
  if (progress_) progress_(done_);
}

PromptSpeed SpeedTest::read_prompts() {
  PromptSpeed speed;
  speed.tokens = plan_.prompt;
  time(step(1, 0), {0});  // finds its pages and buffers untouched; the prompt comes to the same cells
  speed.bandwidth.before = bandwidth_.measure();
  operations();
  for (std::uint32_t slot = 0; slot < ids_.size(); ++slot) {
    double seconds = 0;
    for (std::size_t start = 0; start < plan_.prompt; start += kStepTokens) {
      Batch batch;
      for (std::size_t i = start; i < std::min(start + kStepTokens, plan_.prompt); ++i)
        batch.add(ids_[slot][i], i, slot);
      const bool last = start + batch.size() == plan_.prompt;
      seconds += time(batch, last ? std::vector{batch.size() - 1} : std::vector<std::size_t>{});
      done(batch.size());
    }
    speed.seconds.push_back(seconds);
  }
  speed.operations = operations();
  speed.bandwidth.after = bandwidth_.measure();
  return speed;
}

DecodeSpeed SpeedTest::decode(std::size_t slots) {
  assert(slots > 0 && slots <= ids_.size());
  DecodeSpeed speed;
  speed.slots = slots;
  std::vector<std::size_t> wanted(slots);
  std::iota(wanted.begin(), wanted.end(), std::size_t{0});
  const std::size_t first = plan_.prompt + kWarmUp;
  const std::size_t end = first + plan_.steps;
  for (std::size_t position = plan_.prompt; position < first; ++position) {
    time(step(slots, position), wanted);
    done(slots);
  }
  speed.bandwidth.before = bandwidth_.measure();
  operations();
  for (std::size_t position = first; position < end; ++position) {
    speed.seconds.push_back(time(step(slots, position), wanted));
    done(slots);
  }
  speed.operations = operations();
  speed.bandwidth.after = bandwidth_.measure();
  const auto bytes = weight_bytes(loaded_.source());
  for (std::size_t position = end - std::min(plan_.steps, kCounted); position < end; ++position) {
    if (stop_.stop_requested()) throw Interrupted();
    speed.reads.push_back(
        count_reads(loaded_.backend(), loaded_.model(), bytes, step(slots, position), wanted));
    done(slots);
  }
  return speed;
}

}  // namespace gpqa
