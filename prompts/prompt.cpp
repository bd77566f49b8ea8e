#include "prompts/prompt.h"

#include <cstdint>

#include <fmt/format.h>
#include <unicode/utf8.h>

#include "prompts/python_json_string.h"
#include "prompts/python_strip.h"

namespace gpqa {
namespace {

// str.replace: one pass from the left, what was put in is not looked at again.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  std::size_t at = 0;
  for (auto hit = text.find(from); hit != std::string_view::npos; hit = text.find(from, at)) {
    out.append(text.substr(at, hit - at)).append(to);
    at = hit + from.size();
  }
  return out.append(text.substr(at));
}

// re.sub(r"\[.*?\]", "", text): the nearest closing bracket on the same line.
std::size_t end_of_any(std::string_view text, std::size_t open) {
  const auto stop = text.find_first_of("]\n", open + 1);
  return stop != std::string_view::npos && text[stop] == ']' ? stop + 1 : std::string_view::npos;
}

// re.sub(r"\[\w+\]", "", text)
std::size_t end_of_word(std::string_view text, std::size_t open) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int64_t>(text.size());
  auto at = static_cast<std::int64_t>(open) + 1;
  const auto first = at;
  while (at < size) {
    std::int64_t next = at;
    UChar32 code = 0;
    U8_NEXT(bytes, next, size, code);
    if (code == ']' && at > first) {
      return static_cast<std::size_t>(next);
    }
    if (code < 0 || !is_python_word(static_cast<char32_t>(code))) {
      break;
    }
    at = next;
  }
  return std::string_view::npos;
}

template <class EndOf>
std::string remove_brackets(std::string_view text, EndOf end_of) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto open = text.find('[', at);
    if (open == std::string_view::npos) {
      break;
    }
    const auto end = end_of(text, open);
    const bool hit = end != std::string_view::npos;
    out.append(text.substr(at, open - at + (hit ? 0 : 1)));
    at = hit ? end : open + 1;
  }
  return at < text.size() ? out.append(text.substr(at)) : out;
}

}  // namespace

std::string clean_choice(const Cell& cell, TaskVersion version) {
  if (!cell) {
    return " ";
  }
  std::string text = replace_all(python_strip(*cell), " [title]", ". ");
  if (version == TaskVersion::v1_0) {
    text = remove_brackets(text, end_of_any);
  } else if (version == TaskVersion::v2_1) {
    text = remove_brackets(text, end_of_word);
  }
  return replace_all(text, "  ", " ");
}

std::string prompt_text(const Cell& question, const std::array<std::string, 4>& choices) {
  return fmt::format(
      "What is the correct answer to this question:{}\nChoices:\n(A) {}\n(B) {}\n(C) {}\n(D) {}\n"
      "Let's think step by step: ",
      question.value_or("None"), choices[0], choices[1], choices[2], choices[3]);
}

std::string messages_json(std::string_view prompt) {
  return R"([{"role": "user", "content": )" + python_json_string(prompt) + "}]";
}

}  // namespace gpqa
