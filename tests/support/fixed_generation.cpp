#include "tests/support/fixed_generation.h"

#include <algorithm>
#include <array>

namespace gpqa::test {
namespace {

bool is_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z');
}

constexpr std::array<std::string_view, 7> kSpecial = {"<|channel>", "<channel|>", "<|turn>", "<turn|>",
                                                      "<|think|>",  "<think>",    "</think>"};

std::size_t special_length(std::string_view text) {
  if (text.front() != '<') return 0;
  const auto found =
      std::find_if(kSpecial.begin(), kSpecial.end(), [&](auto tag) { return text.starts_with(tag); });
  return found == kSpecial.end() ? 0 : found->size();
}

// As a server that leaves a stop string out of the text: cut before the first one.
void cut_at_stop(std::string& content, const std::vector<std::string>& stops, Generated& out) {
  std::size_t first = content.size();
  for (const std::string& stop : stops) {
    const auto at = stop.empty() ? std::string::npos : content.find(stop);
    if (at == std::string::npos || at >= first) continue;
    first = at;
    out.stopping_word = stop;
    out.stop_type = "word";
  }
  content.resize(first);
}

}  // namespace

std::vector<std::string> split_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t end = i + special_length(text.substr(i));
    if (end == i) {
      while (end < text.size() && text[end] == ' ') ++end;
      const std::size_t word = end;
      while (end < text.size() && is_word(text[end])) ++end;
      if (end == word && end < text.size() && special_length(text.substr(end)) == 0) ++end;
    }
    tokens.emplace_back(text.substr(i, end - i));
    i = end;
  }
  return tokens;
}

std::int64_t token_id(std::string_view token) {
  constexpr std::int64_t kEndOfTurn = 106, kFirstWord = 500, kWords = 261000;
  return token.empty() ? kEndOfTurn : kFirstWord + static_cast<std::int64_t>(text_hash(token) % kWords);
}

std::string Generated::raw() const {
  std::string all;
  for (const Token& token : tokens) all += token.text;
  return all;
}

std::string Generated::text(Token::Part part) const {
  std::string all;
  for (const Token& token : tokens)
    if (token.part == part) all += token.text;
  return all;
}

Generated generate(const FixedAnswer& answer, const GenerationLimits& limits) {
  using Part = Token::Part;
  Generated out;
  out.finish_reason = answer.finish_reason.empty() ? "stop" : answer.finish_reason;
  out.stop_type = out.finish_reason == "length" ? "limit" : "eos";
  if (limits.thinking && !answer.reasoning.empty()) {
    out.tokens = {{"<|channel>", Part::tag}, {"thought", Part::tag}};
    // The budget counts what follows "thought", the newline included.
    std::vector<Token> thought = {{"\n", Part::tag}};
    for (std::string& text : split_tokens(answer.reasoning))
      thought.push_back({std::move(text), Part::reasoning});
    const bool forced = limits.budget && static_cast<std::int64_t>(thought.size()) >= *limits.budget;
    if (forced) {
      thought.resize(static_cast<std::size_t>(std::max<std::int64_t>(*limits.budget, 0)),
                     Token{"", Part::tag});
      for (std::string& text : split_tokens(limits.budget_message))
        thought.push_back({std::move(text), Part::reasoning});
    }
    out.tokens.insert(out.tokens.end(), thought.begin(), thought.end());
    out.tokens.push_back({"<channel|>", Part::tag});
  }
  std::string content = answer.content;
  cut_at_stop(content, limits.stop, out);
  for (std::string& text : split_tokens(content)) out.tokens.push_back({std::move(text), Part::content});
  if (out.stop_type == "eos") out.tokens.push_back({"", Part::end});

  // A server draws one token even where none is asked for.
  std::int64_t most = limits.max_tokens < 0 ? limits.room : std::max<std::int64_t>(limits.max_tokens, 1);
  const bool context_ends = limits.room < most || limits.max_tokens < 0;
  most = std::max<std::int64_t>(std::min(most, limits.room), 1);
  const auto size = static_cast<std::int64_t>(out.tokens.size());
  if (size > most) {
    out.tokens.resize(static_cast<std::size_t>(most), Token{"", Part::end});
    out.finish_reason = "length";
    out.stop_type = "limit";
    out.stopping_word.clear();
    out.truncated = context_ends;
  }
  return out;
}

}  // namespace gpqa::test
