#include "runners/model_files/vocabulary_builder.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr TokenId kNone = -1;
constexpr std::string_view kSpace = "\u2581";

// The tokens that end an answer for llama.cpp (build 11434), by their spelling: what chat formats end turns
// with, and what pads or ends files in models of code.
constexpr std::string_view kEnds[] = {"<eos>",
                                      "<turn|>",
                                      "<|tool_response>",
                                      "<end_of_turn>",
                                      "<|eot_id|>",
                                      "<|eom_id|>",
                                      "<|im_end|>",
                                      "<|end|>",
                                      "<|return|>",
                                      "<|call|>",
                                      "<|flush|>",
                                      "<|calls|>",
                                      "<|endoftext|>",
                                      "<|end_of_text|>",
                                      "<end_of_utterance>",
                                      "<EOT>",
                                      "_<EOT>",
                                      "[EOT]",
                                      "[EOS]",
                                      "[e~[",
                                      "<｜end▁of▁sentence｜>",
                                      "<|fim_pad|>",
                                      "<fim-pad>",
                                      "<fim_pad>",
                                      "<PAD>",
                                      "[PAD]",
                                      "<|fim_repo|>",
                                      "<|repo_name|>",
                                      "<fim-repo>",
                                      "<REPO>",
                                      "<reponame>",
                                      "<|file_sep|>"};
// An end too, but an html tag where this other one is: in Gemma 4.
constexpr std::string_view kHtmlEnd = "</s>";
constexpr std::string_view kGemma4Mark = "<|tool_response>";

std::uint32_t hash_of(std::string_view text) {
  const auto hash = std::hash<std::string_view>{}(text);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string out;
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return out + (text.size() > kMost ? "..." : "");
}

}  // namespace

VocabularyBuilder::VocabularyBuilder(std::string path, std::span<const std::string_view> texts)
    : path_(std::move(path)) {
  if (texts.size() >= static_cast<std::size_t>(std::numeric_limits<TokenId>::max())) {
    fail("tokens", fmt::format("{} of them: more than ids can name", texts.size()));
  }
  std::size_t bytes = 0;
  for (const auto text : texts) {
    bytes += text.size();
  }
  out_.texts.reserve(texts.size(), bytes);
  out_.types.reserve(texts.size());
  slots_.resize(std::bit_ceil(texts.size() * 2 + 1));
}

void VocabularyBuilder::fail(std::string_view place, const std::string& message) const {
  throw FormatError(path_, std::string(place), message);
}

// Of the token, or where it would be.
std::size_t VocabularyBuilder::slot_of(std::string_view text) const {
  const auto hash = hash_of(text);
  const auto mask = slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const auto slot = slots_[i];
    if (slot == 0 || (slot >> 32 == hash && out_.texts[(slot & 0xffffffff) - 1] == text)) {
      return i;
    }
  }
}

TokenId VocabularyBuilder::find(std::string_view text) const {
  const auto slot = slots_[slot_of(text)];
  return slot == 0 ? kNone : static_cast<TokenId>((slot & 0xffffffff) - 1);
}

void VocabularyBuilder::add_token(std::string_view text, TokenType type) {
  const auto id = out_.size();
  if (text.empty()) {
    fail(fmt::format("token {}", id), "it is empty");
  }
  auto& slot = slots_[slot_of(text)];
  if (slot != 0) {
    fail(fmt::format("token {}", id),
         fmt::format("'{}' is token {} already", shown(text), (slot & 0xffffffff) - 1));
  }
  slot = std::uint64_t{hash_of(text)} << 32 | (id + 1);
  out_.texts.push_back(text);
  out_.types.push_back(type);
}

void VocabularyBuilder::add_merge(std::string_view left, std::string_view right, std::size_t rank) {
  joined_.assign(left);
  joined_ += right;
  const Merge merge{find(left), find(right), find(joined_)};
  if (merge.left == kNone || merge.right == kNone || merge.merged == kNone) {
    const auto missing = merge.left == kNone ? left : merge.right == kNone ? right : joined_;
    fail(fmt::format("merge {}", rank),
         fmt::format("'{}' with '{}', but '{}' is no token", shown(left), shown(right), shown(missing)));
  }
  out_.merges.push_back(merge);
}

TokenId VocabularyBuilder::checked_id(std::uint64_t id, std::string_view place) const {
  if (id >= out_.size()) {
    fail(place, fmt::format("token {}; the vocabulary has {}", id, out_.size()));
  }
  return static_cast<TokenId>(id);
}

TokenId VocabularyBuilder::id_of(std::string_view text, std::string_view place) const {
  const auto id = find(text);
  if (id == kNone) {
    fail(place, fmt::format("'{}' is no token", shown(text)));
  }
  return id;
}

// Without them a text that has no tokens would be lost.
void VocabularyBuilder::find_bytes() {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto spelling = fmt::format("<0x{:02X}>", byte);
    const auto id = id_of(spelling, "tokens");
    if (out_.types[static_cast<std::size_t>(id)] != TokenType::byte) {
      fail(fmt::format("token {}", id), fmt::format("'{}' isn't marked as a byte", spelling));
    }
    out_.byte_tokens[byte] = id;
  }
  const auto bytes = std::count(out_.types.begin(), out_.types.end(), TokenType::byte);
  if (bytes != 256) {
    fail("tokens", fmt::format("{} are marked as bytes; expected <0x00> to <0xFF>", bytes));
  }
}

void VocabularyBuilder::find_ends() {
  auto& ends = out_.ids.end_of_generation;
  const auto add = [&](TokenId id) {
    if (id != kNone) {
      ends.push_back(id);
      out_.types[static_cast<std::size_t>(id)] = TokenType::control;
    }
  };
  for (const auto spelling : kEnds) {
    add(find(spelling));
  }
  if (find(kGemma4Mark) == kNone) {
    add(find(kHtmlEnd));
  }
  if (out_.ids.eos) {
    ends.push_back(*out_.ids.eos);
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

Vocabulary VocabularyBuilder::finish() {
  find_bytes();
  id_of(kSpace, "tokens");
  find_ends();
  return std::move(out_);
}

}  // namespace gpqa
