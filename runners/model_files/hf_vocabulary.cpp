#include <algorithm>
#include <array>
#include <cctype>
#include <simdjson.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/model_files/checkpoint_json.h"
#include "runners/model_files/vocabulary.h"
#include "runners/model_files/vocabulary_builder.h"

namespace gpqa {
namespace {

using simdjson::dom::element;

// Special for transformers, text for llama.cpp: its converter lets them be seen, so that chat formats can be
// parsed.
constexpr std::array<std::string_view, 7> kVisible = {"<|channel>",   "<channel|>",       "<|tool_call>",
                                                      "<tool_call|>", "<|tool_response>", "<tool_response|>",
                                                      "<|\"|>"};

// tokenizer.json, 32 MB for Gemma 4; what it misses or has wrong is said with its path.
class JsonFile {
 public:
  explicit JsonFile(const std::filesystem::path& path) : path_(path.string()) {
    if (!std::filesystem::exists(path)) {
      throw InputError(fmt::format("{}: there is no such file", path_));
    }
    if (const auto error = parser_.load(path_).get(root_)) {
      fail("", fmt::format("no JSON that can be read: {}", simdjson::error_message(error)));
    }
  }

  const std::string& path() const { return path_; }
  element root() const { return root_; }

  [[noreturn]] void fail(std::string_view place, const std::string& message) const {
    throw FormatError(path_, std::string(place), message);
  }

  // `value`: an element, or what looking one up gave.
  template <class T, class Value>
  T as(const Value& value, std::string_view place, const char* expected) const {
    T out;
    if (value.template get<T>().get(out)) {
      fail(place, fmt::format("expected {}", expected));
    }
    return out;
  }

 private:
  std::string path_;
  simdjson::dom::parser parser_;
  element root_;
};

bool is_byte_spelling(std::string_view text) {
  return text.size() == 6 && text.starts_with("<0x") && text.ends_with('>') &&
         std::isxdigit(static_cast<unsigned char>(text[3])) != 0 &&
         std::isxdigit(static_cast<unsigned char>(text[4])) != 0;
}

TokenType type_of(std::string_view text, bool special) {
  if (is_byte_spelling(text)) {
    return TokenType::byte;
  }
  if (std::find(kVisible.begin(), kVisible.end(), text) != kVisible.end()) {
    return TokenType::user_defined;
  }
  return special ? TokenType::control : TokenType::normal;
}

struct Tokens {
  std::vector<std::string_view> texts;  // by id
  std::vector<bool> special;
};

// As many as are named bounds the ids: each token is there once, with nothing between them.
Tokens tokens_by_id(const JsonFile& file) {
  const auto vocabulary =
      file.as<simdjson::dom::object>(file.root()["model"]["vocab"], "model.vocab", "tokens and their ids");
  const auto added = file.as<simdjson::dom::array>(file.root()["added_tokens"], "added_tokens", "an array");
  Tokens out;
  out.texts.resize(vocabulary.size() + added.size());
  out.special.resize(out.texts.size());
  std::size_t count = 0;
  const auto put = [&](std::uint64_t id, std::string_view text, const char* place) {
    if (id >= out.texts.size()) {
      file.fail(place, fmt::format("'{}' has id {}, but there are fewer tokens", text, id));
    }
    if (!out.texts[id].empty() && out.texts[id] != text) {
      file.fail(place, fmt::format("'{}' has id {}, which '{}' has too", text, id, out.texts[id]));
    }
    out.texts[id] = text;
    count = std::max(count, static_cast<std::size_t>(id) + 1);
  };
  for (const auto& [text, id] : vocabulary) {
    put(file.as<std::uint64_t>(id, "model.vocab", "ids"), text, "model.vocab");
  }
  for (std::size_t i = 0; const auto token : added) {
    const auto place = fmt::format("added_tokens[{}]", i++);
    const auto id = file.as<std::uint64_t>(token["id"], place, "id: a number");
    put(id, file.as<std::string_view>(token["content"], place, "content: a string"), place.c_str());
    out.special[id] = file.as<bool>(token["special"], place, "special: true or false");
  }
  out.texts.resize(count);
  return out;
}

void add_merge(const JsonFile& file, element merge, std::size_t rank, VocabularyBuilder& vocabulary) {
  simdjson::dom::array pair;
  std::string_view text;
  std::string_view left;
  std::string_view right;
  if (merge.get(pair) == simdjson::SUCCESS && pair.size() == 2 && !pair.at(0).get(left) &&
      !pair.at(1).get(right)) {
    vocabulary.add_merge(left, right, rank);
    return;
  }
  const auto space = merge.get(text) ? std::string_view::npos : text.find(' ', 1);  // the older form
  if (space == std::string_view::npos) {
    file.fail(fmt::format("model.merges[{}]", rank), "expected two tokens");
  }
  vocabulary.add_merge(text.substr(0, space), text.substr(space + 1), rank);
}

// Its id, named by the token's text ("bos_token": "<bos>", or {"content": "<bos>"}).
std::optional<TokenId> named_id(const nlohmann::json& config, const std::string& path, const char* name,
                                const VocabularyBuilder& vocabulary) {
  const auto it = config.find(name);
  if (it == config.end() || it->is_null()) {
    return std::nullopt;
  }
  const auto text = it->is_object() && it->contains("content") ? (*it)["content"] : *it;
  if (!text.is_string()) {
    throw FormatError(path, name, "expected a token's text");
  }
  return vocabulary.id_of(text.get_ref<const std::string&>(),
                          fmt::format("{} of tokenizer_config.json", name));
}

// One id, or an array of them; none where it is absent or null.
std::vector<TokenId> ids(const nlohmann::json& config, const std::string& path, const char* name,
                         const VocabularyBuilder& vocabulary) {
  const auto it = config.find(name);
  std::vector<TokenId> out;
  if (it == config.end() || it->is_null()) {
    return out;
  }
  for (const auto& id : it->is_array() ? *it : nlohmann::json::array({*it})) {
    if (!id.is_number_unsigned()) {
      throw FormatError(path, name, "expected ids of tokens");
    }
    out.push_back(
        vocabulary.checked_id(id.get<std::uint64_t>(), fmt::format("{} of generation_config.json", name)));
  }
  return out;
}

void set_ids(const std::filesystem::path& folder, VocabularyBuilder& vocabulary) {
  const auto path = folder / "tokenizer_config.json";
  const auto found = read_checkpoint_json(path);
  if (!found) {
    throw InputError(fmt::format("{}: can't be read", path.string()));
  }
  const auto& config = *found;
  const auto id = [&](const char* name) { return named_id(config, path.string(), name, vocabulary); };
  const auto bos = id("bos_token");
  if (!bos) {
    throw FormatError(path.string(), "bos_token", "it is missing: every prompt of Gemma 4 begins with it");
  }
  auto& special = vocabulary.ids();
  special.bos = *bos;
  special.eos = id("eos_token");
  special.unknown = id("unk_token");
  special.padding = id("pad_token");
  const auto generation_path = folder / "generation_config.json";
  if (const auto generation = read_checkpoint_json(generation_path)) {
    special.end_of_generation = ids(*generation, generation_path.string(), "eos_token_id", vocabulary);
    special.suppressed = ids(*generation, generation_path.string(), "suppress_tokens", vocabulary);
  }
}

}  // namespace

Vocabulary read_hf_vocabulary(const std::filesystem::path& folder) {
  const JsonFile file(folder / "tokenizer.json");
  std::string_view type;
  if (file.root()["model"]["type"].get(type) || type != "BPE") {
    file.fail("model.type", "expected BPE: only Gemma 4's tokenizer is read here");
  }
  bool fallback = false;
  if (file.root()["model"]["byte_fallback"].get(fallback) || !fallback) {
    file.fail("model.byte_fallback", "expected true: only Gemma 4's tokenizer is read here");
  }
  const auto tokens = tokens_by_id(file);
  VocabularyBuilder vocabulary(file.path(), tokens.texts);
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    vocabulary.add_token(tokens.texts[id], type_of(tokens.texts[id], tokens.special[id]));
  }
  const auto merges =
      file.as<simdjson::dom::array>(file.root()["model"]["merges"], "model.merges", "an array");
  for (std::size_t rank = 0; const auto merge : merges) {
    add_merge(file, merge, rank++, vocabulary);
  }
  set_ids(folder, vocabulary);
  return vocabulary.finish();
}

}  // namespace gpqa
