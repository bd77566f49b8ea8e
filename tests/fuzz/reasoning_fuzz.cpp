// A model's text with the tags left in.
#include "runners/model_files/reasoning_parser.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

void check_split(std::string_view raw, const SplitText& split) {
  must(split.content.size() + split.reasoning.size() <= raw.size(), "nothing is added");
  must(split.parsed || (split.content == raw && split.reasoning.empty() && !split.unclosed),
       "what is not in the format stays as it is");
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  const auto raw = fuzz::input_of(data, size);
  fuzz::check_split(raw, split_gemma4(raw));
  fuzz::check_split(raw, split_think_tags(raw));
  const auto split = split_reasoning(raw);
  fuzz::check_split(raw, split);
  const bool tags = fuzz::holds(raw, "<|channel>") || fuzz::holds(raw, "<channel|>") ||
                    fuzz::holds(raw, "<think>") || fuzz::holds(raw, "</think>");
  fuzz::must(tags || (split.content == raw && split.reasoning.empty()), "without tags all is content");
  return 0;
}
