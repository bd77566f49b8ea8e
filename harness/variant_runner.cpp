#include "harness/variant_runner.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "harness/engine_options.h"
#include "runners/embedded/engine/memory_plan.h"
#include "runners/remote/llama_server_runner.h"

namespace gpqa {
namespace {

constexpr std::size_t kSlots = 4;
constexpr std::size_t kPromptStep = 512;  // tokens of prompts that a step reads at most

std::size_t longest_prompt(const PreparedPlan& prepared, const ChatModel& chat) {
  const bool thinking = prepared.plan.sampling.thinking == Thinking::required;
  std::size_t longest = 0;
  for (const auto& trial : prepared.trials)
    longest = std::max(longest, chat.prompt(trial.prompt, thinking).size());
  return longest;
}

Gemma4::Sizes sizes_for(const VariantPlan& variant, std::size_t longest, std::int64_t max_tokens) {
  Gemma4::Sizes sizes;
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(variant.server.concurrency, 0));
  sizes.slots = variant.engine.slots;
  if (sizes.slots == 0) sizes.slots = wanted == 0 ? kSlots : std::min(wanted, kSlots);
  sizes.cells = variant.engine.context;
  if (sizes.cells == 0) sizes.cells = longest + static_cast<std::size_t>(max_tokens);
  sizes.max_tokens = kPromptStep + sizes.slots;
  sizes.max_logits = sizes.slots;
  return sizes;
}

}  // namespace

VariantRunner::VariantRunner(const PreparedPlan& prepared, const VariantPlan& variant,
                             const std::filesystem::path& folder, const std::stop_token& stop) {
  variant.embedded() ? load(prepared, variant, stop) : ask_servers(prepared, variant, folder, stop);
}

void VariantRunner::ask_servers(const PreparedPlan& prepared, const VariantPlan& variant,
                                const std::filesystem::path& folder, const std::stop_token& stop) {
  servers_ = open_servers(prepared, variant, folder, stop);
  LlamaServerOptions options;
  options.sampling = prepared.plan.sampling;
  runner_ = std::make_unique<LlamaServerRunner>(std::move(options), std::move(servers_.servers));
}

void VariantRunner::load(const PreparedPlan& prepared, const VariantPlan& variant,
                         const std::stop_token& stop) {
  const auto& sampling = prepared.plan.sampling;
  auto source = std::make_unique<ModelSource>(variant.model);
  chat_ = std::make_unique<ChatModel>(*source, variant.engine.force_template);
  const auto longest = longest_prompt(prepared, *chat_);
  const auto sizes = sizes_for(variant, longest, sampling.max_tokens);
  fmt::print(stderr, "loading: {}\n", memory_words(plan_memory(*source, sizes), sizes));
  model_ = load_model(std::move(source), variant.engine, sizes, stop);
  runner_ = std::make_unique<EmbeddedRunner>(*model_, *chat_, sampling, longest, "gpqa " GPQA_VERSION);
}

}  // namespace gpqa
