#include "runners/model_files/reasoning_parser.h"

#include <algorithm>

namespace gpqa {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";
constexpr std::string_view kGemmaTurn = "<|turn>model\n";
constexpr std::string_view kGemmaOpen = "<|channel>";
constexpr std::string_view kGemmaThought = "<|channel>thought";
constexpr std::string_view kGemmaClose = "<channel|>";
constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

bool eat(std::string_view& rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) {
    return false;
  }
  rest.remove_prefix(prefix.size());
  return true;
}

std::string_view take(std::string_view& rest, std::size_t count) {
  const auto taken = rest.substr(0, count);
  rest.remove_prefix(taken.size());
  return taken;
}

// The text of a thought whose opening tag has been eaten, up to and past its closing tag.
void read_thought(std::string_view& rest, std::string_view close, SplitText& out) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kSpace), rest.size()));
  out.reasoning += take(rest, rest.find(close));
  out.unclosed = !eat(rest, close);
}

}  // namespace

SplitText split_gemma4(std::string_view raw) {
  SplitText out;
  std::string_view rest = raw;
  eat(rest, kGemmaTurn);
  const auto start = rest.size();
  while (!rest.empty()) {
    while (rest.starts_with(kGemmaOpen) && rest.substr(kGemmaOpen.size()).starts_with(kGemmaThought)) {
      eat(rest, kGemmaOpen);  // said twice
    }
    if (eat(rest, kGemmaThought)) {
      read_thought(rest, kGemmaClose, out);
    } else if (kGemmaThought.starts_with(rest) && rest.size() >= kGemmaOpen.size()) {
      out.unclosed = true;  // cut inside the opening tag
      break;
    } else if (rest.starts_with(kGemmaOpen)) {
      if (rest.size() == start) {
        return {.reasoning = "", .content = std::string(raw), .unclosed = false, .parsed = false};
      }
      break;  // another channel after the answer: dropped
    } else if (rest.starts_with(kGemmaClose)) {
      break;  // closes nothing: what follows is dropped
    } else {
      out.content += take(rest, std::min(rest.find(kGemmaOpen), rest.find(kGemmaClose)));
    }
  }
  return out;
}

SplitText split_think_tags(std::string_view raw) {
  SplitText out;
  std::string_view rest = raw;
  if (rest.find(kThinkClose) < rest.find(kThinkOpen)) {
    read_thought(rest, kThinkClose, out);  // the template had opened it
  }
  while (!rest.empty()) {
    out.content += take(rest, rest.find(kThinkOpen));
    if (eat(rest, kThinkOpen)) {
      read_thought(rest, kThinkClose, out);
    }
  }
  return out;
}

SplitText split_reasoning(std::string_view raw) {
  const auto gemma = std::min(raw.find(kGemmaOpen), raw.find(kGemmaClose));
  const auto think = std::min(raw.find(kThinkOpen), raw.find(kThinkClose));
  return gemma < think ? split_gemma4(raw) : split_think_tags(raw);
}

}  // namespace gpqa
