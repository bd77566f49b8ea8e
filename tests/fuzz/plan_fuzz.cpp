// A plan's TOML.
#include <nlohmann/json.hpp>

#include "harness/plan.h"
#include "prompts/input_error.h"
#include "results/run_record.h"
#include "runners/remote/wire_format.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

void check_sampling(const SamplingConfig& sampling) {
  must(sampling.max_tokens >= 1, "an answer may have a token");
  sampling_fields(sampling, 1).dump();
  to_json(sampling).dump();
  describe_sampling(sampling);
}

void check_plan(Plan plan) {
  must(plan.trials.repeats >= 1 && plan.trials.repeats <= kMostRepeats, "repeats keep to the bounds");
  check_sampling(plan.sampling);
  for (const auto& variant : plan.variants) {
    check_folder_name("variant", variant.name);
    must(variant.server.named() || variant.embedded(),
         "a variant has a server, or a model that answers itself");
    must(variant.server.urls.empty() || variant.server.command.empty(), "a server runs or is started");
    must(variant.server.concurrency >= 0, "concurrency counts from 0");
    must(variant.server.port >= 0 && variant.server.port <= 65535, "a port is one");
  }
  // Files are asked for, never opened; one that is there lets the checks go on.
  plan.dataset = "/proc/self/exe";
  unless_refused<InputError>([&] {
    validate(plan);
    return true;
  });
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  const auto plan = fuzz::unless_refused<FormatError>(
      [&] { return parse_plan(fuzz::input_of(data, size), "plans/fuzz.toml"); });
  if (plan) fuzz::check_plan(*plan);
  return 0;
}
