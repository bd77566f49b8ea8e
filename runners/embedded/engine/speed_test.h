// How fast a loaded model reads prompts and writes answers, with random tokens: sampling and text cost
// nothing here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "runners/embedded/engine/loaded_model.h"
#include "runners/embedded/engine/memory_bandwidth.h"
#include "runners/embedded/engine/step_reads.h"

namespace gpqa {

struct SpeedPlan {
  std::size_t prompt = 512;  // tokens of each slot
  std::size_t steps = 64;    // timed ones, below kStepTokens - kWarmUp
  std::vector<std::size_t> slots = {1, 8, 16};
  std::uint32_t seed = 1;
};

// Bytes a second before and after what stands beside it.
struct BandwidthAround {
  double before = 0;
  double after = 0;
};

struct PromptSpeed {
  std::size_t tokens = 0;       // of each prompt
  std::vector<double> seconds;  // of each
  BandwidthAround bandwidth;
  std::vector<OpTime> operations;  // of all of them; none if the model doesn't take their time
};

struct DecodeSpeed {
  std::size_t slots = 0;
  std::vector<double> seconds;   // of each step
  std::vector<StepReads> reads;  // of the last of these steps
  BandwidthAround bandwidth;
  std::vector<OpTime> operations;  // of all timed steps, likewise
};

class SpeedTest {
 public:
  static constexpr std::size_t kStepTokens = 512;  // of a prompt that are read together
  static constexpr std::size_t kWarmUp = 4;        // decode steps that aren't timed
  static constexpr std::size_t kCounted = 16;      // steps that run once more, to count what they read

  // What a model must be loaded with.
  static Gemma4::Sizes sizes(const SpeedPlan& plan);
  // Tokens that will pass through the model, those of the warm-up and the count among them.
  static std::size_t tokens(const SpeedPlan& plan);

  // `progress`: tokens done. All of these must outlive it.
  SpeedTest(LoadedModel& loaded, MemoryBandwidth& bandwidth, const SpeedPlan& plan,
            std::function<void(std::size_t)> progress, std::stop_token stop);

  // Both throw Interrupted. Every slot's prompt, one after the other; must come first.
  PromptSpeed read_prompts();
  // A token a step in each of the first `slots` slots, after their prompts: every row of a table starts
  // there.
  DecodeSpeed decode(std::size_t slots);

 private:
  Batch step(std::size_t slots, std::size_t position) const;
  double time(const Batch& batch, const std::vector<std::size_t>& wanted);
  std::vector<OpTime> operations();  // since the last call of it
  void done(std::size_t tokens);

  LoadedModel& loaded_;
  MemoryBandwidth& bandwidth_;
  const SpeedPlan& plan_;
  std::function<void(std::size_t)> progress_;
  std::stop_token stop_;
  std::vector<std::vector<std::int32_t>> ids_;  // of each slot, by position
  std::size_t done_ = 0;
};

}  // namespace gpqa
