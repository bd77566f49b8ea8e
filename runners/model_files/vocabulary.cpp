#include "runners/model_files/vocabulary.h"

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/vocabulary_builder.h"

namespace gpqa {
namespace {

constexpr std::string_view kModel = "tokenizer.ggml.model";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr std::string_view kBos = "tokenizer.ggml.bos_token_id";
constexpr std::string_view kAddEos = "tokenizer.ggml.add_eos_token";
constexpr std::string_view kSuppressed = "tokenizer.ggml.suppress_tokens";

[[noreturn]] void fail(const GgufFile& file, std::string_view key, const std::string& message) {
  throw FormatError(file.path().string(), std::string(key), message);
}

std::string place(std::string_view key, std::size_t index) {
  return fmt::format("{}[{}]", key, index);
}

void check_model(const GgufFile& file) {
  if (!file.has(kModel)) {
    fail(file, kModel, "it is missing: the file has no tokenizer");
  }
  if (file.text(kModel) != "gemma4") {
    fail(file, kModel, fmt::format("'{}'; only gemma4 is read here", file.text(kModel)));
  }
  if (file.has(kAddEos) && file.flag(kAddEos)) {
    fail(file, kAddEos, "an end after every prompt: Gemma 4 has none, and none is added here");
  }
}

void add_tokens(const GgufFile& file, const std::vector<std::string_view>& texts,
                VocabularyBuilder& vocabulary) {
  const auto types = file.integers(kTypes);
  if (types.size() != texts.size()) {
    fail(file, kTypes, fmt::format("{} types for {} tokens", types.size(), texts.size()));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (types[i] < 1 || types[i] > 6) {
      fail(file, place(kTypes, i), fmt::format("token type {}; expected 1 to 6", types[i]));
    }
    vocabulary.add_token(texts[i], static_cast<TokenType>(types[i]));
  }
}

// "LEFT RIGHT"; a space that comes first belongs to LEFT.
void add_merges(const GgufFile& file, VocabularyBuilder& vocabulary) {
  for (std::size_t i = 0; const auto pair : file.strings(kMerges)) {
    const auto space = pair.find(' ', 1);
    if (space == std::string_view::npos) {
      fail(file, place(kMerges, i), "expected two tokens with a space between them");
    }
    vocabulary.add_merge(pair.substr(0, space), pair.substr(space + 1), i++);
  }
}

std::optional<TokenId> id_of(const GgufFile& file, std::string_view key,
                             const VocabularyBuilder& vocabulary) {
  return file.has(key) ? std::optional(vocabulary.checked_id(file.count(key), key)) : std::nullopt;
}

void set_ids(const GgufFile& file, VocabularyBuilder& vocabulary) {
  if (!file.has(kBos)) {
    fail(file, kBos, "it is missing: every prompt of Gemma 4 begins with it");
  }
  auto& ids = vocabulary.ids();
  ids.bos = *id_of(file, kBos, vocabulary);
  ids.eos = id_of(file, "tokenizer.ggml.eos_token_id", vocabulary);
  ids.unknown = id_of(file, "tokenizer.ggml.unknown_token_id", vocabulary);
  ids.padding = id_of(file, "tokenizer.ggml.padding_token_id", vocabulary);
  for (const auto* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const auto id = id_of(file, key, vocabulary)) {
      ids.end_of_generation.push_back(*id);
    }
  }
  if (file.has(kSuppressed)) {
    for (std::size_t i = 0; const auto id : file.integers(kSuppressed)) {
      ids.suppressed.push_back(
          vocabulary.checked_id(static_cast<std::uint64_t>(id), place(kSuppressed, i++)));
    }
  }
}

}  // namespace

Vocabulary read_vocabulary(const GgufFile& file) {
  check_model(file);
  const auto texts = file.strings("tokenizer.ggml.tokens");
  VocabularyBuilder vocabulary(file.path().string(), texts);
  add_tokens(file, texts, vocabulary);
  add_merges(file, vocabulary);
  set_ids(file, vocabulary);
  return vocabulary.finish();
}

Vocabulary read_model_vocabulary(const std::filesystem::path& model) {
  return std::filesystem::is_directory(model) ? read_hf_vocabulary(model) : read_vocabulary(GgufFile(model));
}

}  // namespace gpqa
