// Text through a tokenizer, and vocabularies that lie. The first byte says what the rest is: a text for a
// fixed vocabulary, a GGUF file, or a vocabulary line by line and a text after an empty line.
#include <array>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "prompts/utf8.h"
#include "runners/model_files/tokenizer.h"
#include "runners/model_files/vocabulary_builder.h"
#include "tests/fuzz/fuzz.h"
#include "tests/runners/model_files/plain_merge.h"

namespace gpqa::fuzz {
namespace {

constexpr std::string_view kSpace = "\u2581";

std::string with_spaces(std::string_view text) {
  std::string out(text);
  for (std::size_t at = 0; (at = out.find(kSpace, at)) != std::string::npos;)
    out.replace(at, kSpace.size(), " ");
  return out;
}

struct Token {
  std::string_view text;
  TokenType type = TokenType::normal;
};
using Pair = std::pair<std::string_view, std::string_view>;

// With <bos>, U+2581 and the bytes before them. Throws FormatError.
Vocabulary make_vocabulary(const std::vector<Token>& tokens, const std::vector<Pair>& merges) {
  std::vector<std::string> bytes;
  bytes.reserve(256);
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(fmt::format("<0x{:02X}>", byte));
  std::vector<Token> all = {{"<bos>", TokenType::control}, {kSpace}};
  for (const auto& byte : bytes) all.push_back({byte, TokenType::byte});
  all.insert(all.end(), tokens.begin(), tokens.end());
  std::vector<std::string_view> texts;
  texts.reserve(all.size());
  for (const auto& token : all) texts.push_back(token.text);
  VocabularyBuilder vocabulary("fuzz", texts);
  for (const auto& token : all) vocabulary.add_token(token.text, token.type);
  for (std::size_t rank = 0; rank < merges.size(); ++rank)
    vocabulary.add_merge(merges[rank].first, merges[rank].second, rank);
  return vocabulary.finish();
}

const Tokenizer& fixed_tokenizer() {
  using enum TokenType;
  static const Tokenizer tokenizer(make_vocabulary({{"a"},
                                                    {"b"},
                                                    {"\n"},
                                                    {"\n\n"},
                                                    {"\n\n\n\n"},
                                                    {"aa"},
                                                    {"ab"},
                                                    {"aab"},
                                                    {"▁a"},
                                                    {"▁▁"},
                                                    {"é"},
                                                    {"éa"},
                                                    {"日"},
                                                    {"日a"},
                                                    {">"},
                                                    {"/"},
                                                    {">▁"},
                                                    {"<turn|>", control},
                                                    {"<ab>", user_defined},
                                                    {"<ab", user_defined},
                                                    {"b>", control},
                                                    {"<eos>", control}},
                                                   {{"a", "b"},
                                                    {"a", "a"},
                                                    {"\n", "\n"},
                                                    {"▁", "▁"},
                                                    {"▁", "a"},
                                                    {"é", "a"},
                                                    {"a", "ab"},
                                                    {"aa", "b"},
                                                    {"\n\n", "\n\n"},
                                                    {"日", "a"},
                                                    {">", "▁"}}));
  return tokenizer;
}

// Whatever the vocabulary: no id that is none, no text that is refused.
void tokenize(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(text, {.add_bos = parse_special, .parse_special = parse_special});
    tokenizer.decode(ids, parse_special);
    for (const auto id : ids) tokenizer.is_end_of_generation(id);
  }
}

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const PlainMerge plain(tokenizer.vocabulary());
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(text, {.parse_special = parse_special});
    must(tokenizer.decode(ids) == with_spaces(text), "bytes come back");
    if (text.size() < 256 && is_valid_utf8(text))
      must(ids == plain.encode(std::string(text), parse_special), "the tokens are those of the plain rule");
  }
}

void check_file(std::string_view bytes) {
  const auto open = [&](const auto&) { return std::as_bytes(std::span(bytes)); };
  const auto vocabulary =
      unless_refused<FormatError>([&] { return read_vocabulary(GgufFile("fuzz.gguf", open)); });
  if (!vocabulary) return;
  const Tokenizer tokenizer(*vocabulary);
  tokenize(tokenizer, bytes.substr(bytes.size() / 2));
  for (TokenId id = 0; id < static_cast<TokenId>(tokenizer.size()); ++id)
    tokenize(tokenizer, tokenizer.piece(id));
}

std::string_view take_line(std::string_view& input) {
  const auto line = input.substr(0, input.find('\n'));
  input.remove_prefix(std::min(line.size() + 1, input.size()));
  return line;
}

// nTEXT, uTEXT: a normal or user-defined token (one that could cut a U+2581 in two is a normal one); mLEFT
// RIGHT: a merge.
void check_lines(std::string_view input) {
  std::vector<Token> tokens;
  std::vector<Pair> merges;
  for (auto line = take_line(input); !line.empty(); line = take_line(input)) {
    const auto text = line.substr(1);
    const auto space = text.find(' ');
    if (line[0] == 'm') {
      merges.push_back({text.substr(0, space), space < text.size() ? text.substr(space + 1) : ""});
    } else if (line[0] == 'u' && is_valid_utf8(text) && text.find(kSpace) == std::string_view::npos) {
      tokens.push_back({text, TokenType::user_defined});
    } else {
      tokens.push_back({text});
    }
  }
  auto vocabulary = unless_refused<FormatError>([&] { return make_vocabulary(tokens, merges); });
  if (!vocabulary) return;
  // What ends an answer by its spelling is printed as it is, also where it spells a space.
  for (const auto id : vocabulary->ids.end_of_generation)
    if (vocabulary->texts[static_cast<std::size_t>(id)].find(kSpace) != std::string_view::npos) return;
  check_text(Tokenizer(std::move(*vocabulary)), input);
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  auto input = fuzz::input_of(data, size);
  switch (fuzz::take_byte(input) % 3) {
    case 0:
      fuzz::check_text(fuzz::fixed_tokenizer(), input);
      break;
    case 1:
      fuzz::check_file(input);
      break;
    default:
      fuzz::check_lines(input);
  }
  return 0;
}
