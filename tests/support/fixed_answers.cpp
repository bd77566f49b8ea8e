#include "tests/support/fixed_answers.h"

#include <array>
#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace gpqa::test {
namespace {

constexpr std::array<const char*, 8> kWords = {"hold",    "true", "energy", "compare",
                                               "because", "care", "then",   "only"};

// The text of choice `letter` in a prompt of the task, "" if it isn't one.
std::string choice_text(std::string_view prompt, char letter) {
  const std::string mark = std::string("\n(") + letter + ") ";
  const std::string next = letter == 'D' ? std::string("\nLet's think step by step")
                                         : std::string("\n(") + static_cast<char>(letter + 1) + ") ";
  const auto choices = prompt.rfind("\nChoices:\n(A) ");
  if (choices == std::string_view::npos) return {};
  auto begin = prompt.find(mark, choices);
  if (begin == std::string_view::npos) return {};
  begin += mark.size();
  const auto end = prompt.find(next, begin);
  if (end == std::string_view::npos) return {};
  return std::string(prompt.substr(begin, end - begin));
}

std::string words(std::uint64_t hash, std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i) {
    hash = hash * 6364136223846793005u + 1442695040888963407u;
    if (i) text += ' ';
    text += kWords[hash >> 61];
  }
  return text;
}

}  // namespace

std::uint64_t text_hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash ^ (hash >> 29);
}

FixedAnswer answer_of_prompt(std::string_view prompt, std::uint32_t seed) {
  std::uint64_t hash = text_hash(prompt) ^ (seed * 0x9e3779b97f4a7c15u);
  hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93u;
  hash ^= hash >> 32;
  const char letter = static_cast<char>('A' + hash % 4);
  const char other = static_cast<char>('A' + (hash >> 2) % 4);
  const std::string choice = choice_text(prompt, letter);
  FixedAnswer answer;
  answer.reasoning = words(hash, 20 + (hash >> 16) % 60);
  switch ((hash >> 8) % 14) {
    case 0:
      answer.content = std::string("The answer is (") + letter + ").";
      break;
    case 1:
      answer.content = std::string("Step 1: compare.\r\nStep 2: choose.\n(") + letter + ")";
      break;
    case 2:
      answer.content = "I would choose " + choice;
      break;
    case 3:
      answer.content = std::string("Final answer: ") + letter;
      break;
    case 4:
      answer.content = "I can't tell, sorry.";
      break;
    case 5:
      answer.content = std::string("The answer is ") + letter;
      break;
    case 6:
      answer.content = std::string("The answer is (") + other + ")? No. The answer is (" + letter +
                       "), since P(" + other + ") is small.";
      break;
    case 7:
      answer.content = "";
      break;
    case 8:
      answer.content = std::string("Réponse\u00a0: ") + letter + " \u2014 \U0001F642";
      break;
    case 9:
      answer.content = "The answer is " + choice + ".\n";
      break;
    case 10:
      answer.content = std::string("**Answer:** (") + letter + ")\n\n" + choice;
      break;
    case 11:
      answer.content = std::string("the answer is (") + static_cast<char>(letter + 32) + ").";
      break;
    case 12:
      answer.content = "Not " + choice_text(prompt, other) + " but " + choice + "!";
      break;
    default:
      answer.content = std::string("The answer is (E) or (") + letter + ")\tthen (F).";
      break;
  }
  return answer;
}

FixedAnswer long_answer(std::size_t deltas) {
  const std::size_t reasoning = deltas * 3 / 4;
  const std::string end = " The answer is (B).";  // six words
  const std::size_t content = deltas - reasoning;
  return {words(2, content > 6 ? content - 6 : 0) + end, words(1, reasoning), ""};
}

std::map<std::string, FixedAnswer> load_answers(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("can't read " + file.string());
  std::map<std::string, FixedAnswer> answers;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    try {
      const auto json = nlohmann::json::parse(line);
      answers[json.at("prompt")] = {json.at("content"), json.value("reasoning", ""),
                                    json.value("finish_reason", "")};
    } catch (const nlohmann::json::exception& e) {
      throw std::runtime_error(file.string() + ":" + std::to_string(number) + ": " + e.what());
    }
  }
  return answers;
}

}  // namespace gpqa::test
