// What a model will take of the memory, before anything of it is loaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runners/embedded/model/gemma4.h"
#include "runners/embedded/model/model_source.h"

namespace gpqa {

struct MemoryPlan {
  std::uint64_t weights = 0;  // mapped from the file
  std::uint64_t kv = 0;       // of all slots, when they are full
  std::uint64_t buffers = 0;
  std::uint64_t sum() const { return weights + kv + buffers; }
};

MemoryPlan plan_memory(const ModelSource& source, const Gemma4::Sizes& sizes);

// "weights 17.2 GiB + keys and values 8 x 1.9 GiB + buffers 0.1 GiB = 32.5 GiB"
std::string memory_words(const MemoryPlan& plan, const Gemma4::Sizes& sizes);

// What this process may still take, by the kernel's and the control group's word; nothing where neither says.
std::optional<std::uint64_t> available_memory();

// Throws InputError, with the arithmetic and how many slots would fit, if it can't.
void check_memory(const MemoryPlan& plan, const Gemma4::Sizes& sizes, std::optional<std::uint64_t> available);

}  // namespace gpqa
