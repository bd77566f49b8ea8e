#include "runners/model_files/tokenizer.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/runners/model_files/plain_merge.h"
#include "tests/runners/model_files/random_text.h"
#include "tests/runners/model_files/tiny_tokenizer.h"

namespace gpqa {
namespace {

using Ids = std::vector<TokenId>;

nlohmann::json goldens(const char* name) {
  std::ifstream in(GPQA_TEST_DATA "/gemma4/tokenizer/" + std::string(name));
  return nlohmann::json::parse(in)["cases"];
}

std::string with_spaces(std::string text) {
  for (std::size_t at = 0; (at = text.find("\u2581", at)) != std::string::npos;) {
    text.replace(at, 3, " ");
  }
  return text;
}

void check_goldens(const Tokenizer& tokenizer, const nlohmann::json& cases) {
  REQUIRE(cases.size() == 237);
  for (const auto& golden : cases) {
    const auto text = golden["text"].get<std::string>();
    CAPTURE(text);
    const auto plain = tokenizer.encode(text, {.parse_special = false});
    const auto parsed = tokenizer.encode(text, {.parse_special = true});
    CHECK(plain == golden["ids_plain"].get<Ids>());
    CHECK(parsed == golden["ids_parse_special"].get<Ids>());
    CHECK(tokenizer.decode(plain) == with_spaces(text));
    CHECK(tokenizer.decode(parsed) == with_spaces(text));
  }
}

// Each line of the .out file has the ids of one text of the .inp file.
void check_shipped_cases(const Tokenizer& tokenizer) {
  std::stringstream texts;
  texts << std::ifstream(GPQA_TEST_DATA "/gemma4/tokenizer/ggml-vocab-gemma-4.inp", std::ios::binary).rdbuf();
  std::ifstream ids(GPQA_TEST_DATA "/gemma4/tokenizer/ggml-vocab-gemma-4.out");
  constexpr std::string_view kBetween = "\n__ggml_vocab_test__\n";
  const std::string all = texts.str();
  int compared = 0;
  for (std::size_t at = 0; at < all.size();) {
    const auto end = std::min(all.find(kBetween, at), all.size());
    std::string line;
    REQUIRE(std::getline(ids, line));
    std::istringstream words(line);
    const Ids expected{std::istream_iterator<TokenId>(words), {}};
    CHECK(tokenizer.encode(all.substr(at, end - at), {.parse_special = false}) == expected);
    ++compared;
    at = end + kBetween.size();
  }
  CHECK(compared >= 40);
}

// Without merges that the tables know: every one searched for in the list, one after another.
void check_random(const Tokenizer& tokenizer, const PlainMerge& plain, int count, unsigned seed) {
  RandomText random(tokenizer, seed);
  for (int i = 0; i < count; ++i) {
    const auto text = random.text();
    const bool parse_special = i % 2 == 0;
    CAPTURE(text, parse_special);
    REQUIRE(tokenizer.encode(text, {.parse_special = parse_special}) == plain.encode(text, parse_special));
  }
}

void check_round_trips(const Tokenizer& tokenizer, int count, unsigned seed) {
  RandomText random(tokenizer, seed);
  for (int i = 0; i < count; ++i) {
    const auto text = i % 3 == 0 ? random.bytes() : random.text();
    const auto ids = tokenizer.encode(text, {.parse_special = i % 2 == 0});
    if (tokenizer.decode(ids) != with_spaces(text)) {
      CAPTURE(text, ids);
      REQUIRE(tokenizer.decode(ids) == with_spaces(text));
    }
  }
}

TEST_CASE("the tiny vocabulary tokenizes 237 texts as llama.cpp does, and gives their bytes back") {
  check_goldens(tiny_tokenizer(), goldens("tiny_vocab_goldens.json"));
}

TEST_CASE("Gemma 4's vocabulary tokenizes 237 texts as llama.cpp does, and gives their bytes back") {
  if (const auto* tokenizer = real_tokenizer()) {
    check_goldens(*tokenizer, goldens("real_vocab_goldens.json"));
  }
}

TEST_CASE("Gemma 4's vocabulary tokenizes what llama.cpp ships as its test") {
  if (const auto* tokenizer = real_tokenizer()) {
    check_shipped_cases(*tokenizer);
  }
}

TEST_CASE("random texts have the tokens of a plain search through the merges") {
  check_random(tiny_tokenizer(), PlainMerge(tiny_tokenizer().vocabulary()), 2000, 1);
}

TEST_CASE("random texts have the tokens of a plain search through Gemma 4's merges") {
  if (const auto* tokenizer = real_tokenizer()) {
    check_random(*tokenizer, PlainMerge(tokenizer->vocabulary()), 2000, 2);
  }
}

TEST_CASE("random bytes and texts come back") {
  check_round_trips(tiny_tokenizer(), 10'000, 3);
}

TEST_CASE("a million random bytes and texts come back", "[.][million]") {
  check_round_trips(tiny_tokenizer(), 1'000'000, 4);
  if (const auto* tokenizer = real_tokenizer()) {
    check_round_trips(*tokenizer, 1'000'000, 5);
  }
}

TEST_CASE("control tokens are found only when asked for, user-defined ones always") {
  const auto& tokenizer = tiny_tokenizer();
  const auto count = [&](std::string_view text, bool parse_special) {
    return tokenizer.encode(text, {.parse_special = parse_special}).size();
  };
  for (const auto* control : {"<bos>", "<|turn>", "<turn|>", "<|think|>", "<unk>", "<|tool_response>"}) {
    CAPTURE(control);
    CHECK(count(control, true) == 1);
    CHECK(count(control, false) > 1);
  }
  for (const auto* defined : {"<|channel>", "<channel|>", "<|tool_call>", "<|\"|>"}) {
    CAPTURE(defined);
    CHECK(count(defined, true) == 1);
    CHECK(count(defined, false) == 1);
  }
}

TEST_CASE("a chat prompt has the turns' tokens, and <bos> once") {
  const auto ids = tiny_tokenizer().encode("<|turn>user\nx<turn|>\n<|turn>model\n",
                                           {.add_bos = true, .parse_special = true});
  CHECK(ids.front() == 2);
  CHECK(std::count(ids.begin(), ids.end(), 2) == 1);
  CHECK(std::count(ids.begin(), ids.end(), 105) == 2);
  CHECK(std::count(ids.begin(), ids.end(), 106) == 1);
  CHECK(std::count(ids.begin(), ids.end(), 107) == 3);
}

TEST_CASE("control tokens can be left out of a text, user-defined ones stay") {
  const auto& tokenizer = tiny_tokenizer();
  const Ids ids = {2, 105, 100, 107, 101, 106, 50, 3};
  CHECK(tokenizer.decode(ids, true) == "<bos><|turn><|channel>\n<channel|><turn|><|tool_response><unk>");
  CHECK(tokenizer.decode(ids, false) == "<|channel>\n<channel|>");
}

TEST_CASE("a piece is what a token stands for") {
  const auto& tokenizer = tiny_tokenizer();
  CHECK(tokenizer.piece(107) == "\n");
  CHECK(tokenizer.piece(138) == "  ");
  CHECK(tokenizer.piece(238) == std::string_view("\0", 1));
  CHECK(tokenizer.piece(493) == "\xff");
  CHECK(tokenizer.piece(106) == "<turn|>");
  CHECK(tokenizer.piece(510) == " the");
}

TEST_CASE("answers end with <eos>, <turn|> and <|tool_response>, not with the html tag </s>") {
  const auto& tokenizer = tiny_tokenizer();
  for (TokenId id = 0; id < static_cast<TokenId>(tokenizer.size()); ++id) {
    CAPTURE(id);
    CHECK(tokenizer.is_end_of_generation(id) == (id == 1 || id == 50 || id == 106));
  }
  CHECK(tokenizer.piece(212) == "</s>");
  CHECK_FALSE(tokenizer.is_special(212));
}

TEST_CASE("a run of newlines is one token as long as there is one") {
  const auto& tokenizer = tiny_tokenizer();
  for (std::size_t length = 1; length <= 31; ++length) {
    CHECK(tokenizer.encode(std::string(length, '\n')) == Ids{static_cast<TokenId>(106 + length)});
  }
  CHECK(tokenizer.encode(std::string(62, '\n')).size() > 1);
  CHECK(tokenizer.decode(tokenizer.encode(std::string(62, '\n'))) == std::string(62, '\n'));
}

TEST_CASE("what is no UTF-8 becomes the tokens of its bytes") {
  const auto& tokenizer = tiny_tokenizer();
  const auto byte = [](int value) { return static_cast<TokenId>(238 + value); };
  CHECK(tokenizer.encode("\xff") == Ids{byte(0xff)});
  CHECK(tokenizer.encode("\xc0\x80") == Ids{byte(0xc0), byte(0x80)});                  // overlong
  CHECK(tokenizer.encode("\xed\xa0\x80") == Ids{byte(0xed), byte(0xa0), byte(0x80)});  // a surrogate
  CHECK(tokenizer.encode("\xf4\x90\x80\x80") ==
        Ids{byte(0xf4), byte(0x90), byte(0x80), byte(0x80)});          // past U+10FFFF
  CHECK(tokenizer.encode("\xf0\x9f") == Ids{byte(0xf0), byte(0x9f)});  // cut short
  CHECK(tokenizer.encode(std::string_view("\0", 1)) == Ids{byte(0)});
}

TEST_CASE("long texts of one character are tokenized") {
  for (const std::string_view part :
       {"a", "\n", " ", "\xff", "<", "<|turn>", "<bos>", "é", "ab", " a", "\n\n a"}) {
    CAPTURE(part);
    std::string text;
    while (text.size() < (1 << 18)) {
      text += part;
    }
    const auto ids = tiny_tokenizer().encode(text);
    CHECK(tiny_tokenizer().decode(ids) == text);
  }
}

TEST_CASE("ids that are none are refused") {
  CHECK_THROWS_AS(tiny_tokenizer().decode(Ids{2, -1}), InputError);
  CHECK_THROWS_AS(tiny_tokenizer().piece(1408), InputError);
  CHECK_FALSE(tiny_tokenizer().is_end_of_generation(-1));
  CHECK_FALSE(tiny_tokenizer().is_end_of_generation(1408));
}

}  // namespace
}  // namespace gpqa
