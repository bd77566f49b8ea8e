#include "runners/embedded/engine/memory_plan.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

std::string gib(std::uint64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1U << 30));
}

std::optional<std::uint64_t> number_in(const char* path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;  // "max" is no number: no limit
}

std::optional<std::uint64_t> kernels_word() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  while (file >> name >> kib) {
    if (name == "MemAvailable:") return kib * 1024;
    file.ignore(256, '\n');
  }
  return std::nullopt;
}

// Pages of files that the group has read count as used there, though they are given up when needed.
std::optional<std::uint64_t> groups_word() {
  const auto most = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (!most || !used) return std::nullopt;
  std::uint64_t files = 0;
  std::ifstream stat("/sys/fs/cgroup/memory.stat");
  std::string name;
  std::uint64_t value = 0;
  while (stat >> name >> value)
    if (name == "file") files = value;
  const std::uint64_t held = *used - std::min(*used, files);
  return *most - std::min(*most, held);
}

}  // namespace

MemoryPlan plan_memory(const ModelSource& source, const Gemma4::Sizes& sizes) {
  return {.weights = source.tensor_bytes(),
          .kv = Gemma4::kv_bytes(source.config(), sizes),
          .buffers = Gemma4::buffer_bytes(source.config(), sizes)};
}

std::string memory_words(const MemoryPlan& plan, const Gemma4::Sizes& sizes) {
  return fmt::format("weights {} + keys and values {} x {} + buffers {} = {}", gib(plan.weights), sizes.slots,
                     gib(plan.kv / sizes.slots), gib(plan.buffers), gib(plan.sum()));
}

std::optional<std::uint64_t> available_memory() {
  const auto kernel = kernels_word();
  const auto group = groups_word();
  if (!kernel || !group) return kernel ? kernel : group;
  return std::min(*kernel, *group);
}

void check_memory(const MemoryPlan& plan, const Gemma4::Sizes& sizes,
                  std::optional<std::uint64_t> available) {
  if (!available || plan.sum() <= *available) return;
  const std::uint64_t fixed = plan.weights + plan.buffers;
  const std::uint64_t slot = plan.kv / sizes.slots;
  const std::uint64_t fit = fixed < *available && slot > 0 ? (*available - fixed) / slot : 0;
  throw InputError(fmt::format("the model doesn't fit into memory: {}; available are {}. {}",
                               memory_words(plan, sizes), gib(*available),
                               fit > 0 ? fmt::format("{} slot{} of {} tokens would fit (--slots {})", fit,
                                                     fit == 1 ? "" : "s", sizes.cells, fit)
                                       : "Take a smaller file or a shorter context, or free memory"));
}

}  // namespace gpqa
