// A model's answer beside four choices, and a line of `gpqa extract`.
#include <array>
#include <string>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/utf8.h"
#include "scoring/extract_answer.h"
#include "scoring/extract_json.h"
#include "scoring/score.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

// The input's first four lines; the rest is the answer.
std::array<std::string, 4> take_choices(std::string_view& input) {
  std::array<std::string, 4> choices;
  for (auto& choice : choices) {
    choice = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(choice.size() + 1, input.size()));
  }
  return choices;
}

void check_answer(std::string_view response, const std::array<std::string, 4>& choices, FlexVariant variant) {
  const auto strict = extract_strict(response);
  must(is_valid_utf8(strict), "strict-match gives UTF-8");
  const auto flexible = extract_flexible(response, choices, variant);
  must(is_valid_utf8(flexible.answer), "flexible-extract gives UTF-8");
  must(!flexible.answer.empty(), "flexible-extract gives something");
  must((flexible.rule == FlexRule::none) == (flexible.answer == kInvalid) ||
           flexible.rule == FlexRule::choice_text,
       "[invalid] is what no rule found");
  const auto scored = score(response, choices, "(C)", variant);
  must(scored.strict.extracted == strict && scored.flexible.extracted == flexible.answer,
       "a score is of what the filters extract");
  // The clients that lm-eval hears a server by.
  const auto replaced = with_valid_utf8(response);
  must(extract_strict(replaced) == strict &&
           extract_flexible(replaced, choices, variant).answer == flexible.answer,
       "what is no UTF-8 counts as U+FFFD");
}

void check_line(std::string_view line) {
  const auto result = unless_refused<InputError>([&] { return extract_json_line(line); });
  if (result && nlohmann::json::accept(line)) {
    must(nlohmann::json::accept(*result), "JSON in, JSON out");
  }
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  auto response = fuzz::input_of(data, size);
  fuzz::check_line(response);
  const auto choices = fuzz::take_choices(response);
  fuzz::check_answer(response, choices, FlexVariant::v0_4_12);
  fuzz::check_answer(response, choices, FlexVariant::v0_4_13);
  return 0;
}
