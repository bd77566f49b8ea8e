#include "runners/model_files/vocabulary.h"

#include <fstream>
#include <functional>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/runners/model_files/gguf_builder.h"
#include "tests/runners/model_files/tiny_tokenizer.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

using Catch::Matchers::Contains;

// The smallest file with a gemma4 tokenizer, to be damaged: <bos>, U+2581, "a", "aa", and the 256 bytes.
struct SmallVocabulary {
  std::string model = "gemma4";
  std::vector<std::string> tokens = {"<bos>", "\u2581", "a", "aa"};
  std::vector<std::int32_t> types = {3, 1, 1, 1};
  std::vector<std::string> merges = {"a a"};
  std::uint32_t bos = 0;
  std::vector<std::int32_t> suppressed;
  bool add_eos = false;
  std::string without;  // a key

  SmallVocabulary() {
    for (int byte = 0; byte < 256; ++byte) {
      tokens.push_back(fmt::format("<0x{:02X}>", byte));
      types.push_back(6);
    }
  }

  std::string gguf() const {
    GgufBuilder keys;
    std::uint64_t count = 0;
    const auto key = [&](const std::string& name, std::uint32_t type) {
      ++count;
      keys.put_string(name == without ? "other" : name).put(type);
    };
    const auto strings = [&](const std::string& name, const std::vector<std::string>& values) {
      key(name, 9);
      keys.put<std::uint32_t>(8).put<std::uint64_t>(values.size());
      for (const auto& value : values) keys.put_string(value);
    };
    const auto numbers = [&](const std::string& name, const std::vector<std::int32_t>& values) {
      key(name, 9);
      keys.put<std::uint32_t>(5).put<std::uint64_t>(values.size());
      for (const auto value : values) keys.put(value);
    };
    key("tokenizer.ggml.model", 8);
    keys.put_string(model);
    strings("tokenizer.ggml.tokens", tokens);
    numbers("tokenizer.ggml.token_type", types);
    strings("tokenizer.ggml.merges", merges);
    key("tokenizer.ggml.bos_token_id", 4);
    keys.put(bos);
    key("tokenizer.ggml.add_eos_token", 7);
    keys.put<std::uint8_t>(add_eos ? 1 : 0);
    if (!suppressed.empty()) numbers("tokenizer.ggml.suppress_tokens", suppressed);
    return GgufBuilder().head(0, count).bytes + keys.bytes;
  }

  Vocabulary read() const {
    const auto bytes = gguf();
    return read_vocabulary(
        GgufFile("small.gguf", [&](const auto&) { return std::as_bytes(std::span(bytes)); }));
  }

  std::string refusal() const {
    try {
      read();
    } catch (const FormatError& error) {
      return error.what();
    }
    return "read";
  }
};

std::string refusal(const std::function<void(SmallVocabulary&)>& damage) {
  SmallVocabulary vocabulary;
  damage(vocabulary);
  return vocabulary.refusal();
}

// ID, spelling, and what llama.cpp says of it.
void check_special_tokens(const Tokenizer& tokenizer, const char* name) {
  std::ifstream in(GPQA_TEST_DATA "/gemma4/tokenizer/" + std::string(name));
  std::string line;
  int compared = 0;
  while (std::getline(in, line)) {
    CAPTURE(line);
    std::istringstream words(line);
    TokenId id = 0;
    std::string text;
    std::string eog;
    std::string control;
    std::string defined;
    words >> id >> text >> eog >> control >> defined;
    const auto type = tokenizer.vocabulary().types[static_cast<std::size_t>(id)];
    CHECK(tokenizer.piece(id) == text);
    CHECK(tokenizer.is_end_of_generation(id) == (eog == "eog=1"));
    CHECK(tokenizer.is_special(id) == (control == "control=1"));
    // <|tool_response> is both for llama.cpp, which then treats it as control.
    CHECK((type == TokenType::user_defined) == (defined == "user_defined=1" && control == "control=0"));
    ++compared;
  }
  CHECK(compared == 24);
}

TEST_CASE("a GGUF's vocabulary: counts, ids, and what llama.cpp calls special") {
  const auto& vocabulary = tiny_tokenizer().vocabulary();
  CHECK(vocabulary.size() == 1408);
  CHECK(vocabulary.merges.size() == 1722);
  CHECK(vocabulary.ids.bos == 2);
  CHECK(vocabulary.ids.eos == 1);
  CHECK(vocabulary.ids.unknown == 3);
  CHECK(vocabulary.ids.padding == 0);
  CHECK(vocabulary.ids.end_of_generation == std::vector<TokenId>{1, 50, 106});
  CHECK(vocabulary.byte_tokens[0] == 238);
  CHECK(vocabulary.byte_tokens[255] == 493);
  check_special_tokens(tiny_tokenizer(), "special_tokens_tiny.tsv");
}

TEST_CASE("Gemma 4's own vocabulary: counts, ids, and what llama.cpp calls special") {
  if (const auto* tokenizer = real_tokenizer()) {
    CHECK(tokenizer->size() == 262144);
    CHECK(tokenizer->vocabulary().merges.size() == 514906);
    CHECK(tokenizer->vocabulary().ids.end_of_generation == std::vector<TokenId>{1, 50, 106});
    check_special_tokens(*tokenizer, "special_tokens_real.tsv");
  }
}

TEST_CASE("a checkpoint's folder has the same vocabulary as the GGUF made of it") {
  const auto folder = read_model_vocabulary(kTinyFolder);
  const auto& gguf = tiny_tokenizer().vocabulary();
  REQUIRE(folder.size() == gguf.size());
  for (std::size_t id = 0; id < gguf.size(); ++id) {
    CAPTURE(id);
    REQUIRE(folder.texts[id] == gguf.texts[id]);
    REQUIRE(folder.types[id] == gguf.types[id]);
  }
  const auto same = [](const Merge& a, const Merge& b) {
    return a.left == b.left && a.right == b.right && a.merged == b.merged;
  };
  CHECK(std::equal(folder.merges.begin(), folder.merges.end(), gguf.merges.begin(), gguf.merges.end(), same));
  CHECK(folder.byte_tokens == gguf.byte_tokens);
  CHECK(folder.ids.bos == gguf.ids.bos);
  CHECK(folder.ids.eos == gguf.ids.eos);
  CHECK(folder.ids.unknown == gguf.ids.unknown);
  CHECK(folder.ids.padding == gguf.ids.padding);
  CHECK(folder.ids.end_of_generation == gguf.ids.end_of_generation);
}

TEST_CASE("a small vocabulary is read, and tokenizes") {
  const Tokenizer tokenizer(SmallVocabulary().read());
  CHECK(tokenizer.encode("aaa a\u00e9") == std::vector<TokenId>{3, 2, 1, 2, 4 + 0xc3, 4 + 0xa9});
  CHECK(tokenizer.encode("<bos>a", {.add_bos = true}) == std::vector<TokenId>{0, 0, 2});
}

TEST_CASE("of equal merges the first counts") {
  SmallVocabulary vocabulary;
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"b", "ab"});
  vocabulary.types.insert(vocabulary.types.end(), {1, 1});
  vocabulary.merges = {"a b", "a a", "a b"};
  CHECK(Tokenizer(vocabulary.read()).encode("aab") == std::vector<TokenId>{2, 261});
}

TEST_CASE("what another tokenizer's file says is refused by name") {
  CHECK_THAT(refusal([](auto& v) { v.model = "llama"; }), Contains("'llama'; only gemma4"));
  CHECK_THAT(refusal([](auto& v) { v.without = "tokenizer.ggml.model"; }), Contains("no tokenizer"));
  CHECK_THAT(refusal([](auto& v) { v.add_eos = true; }), Contains("add_eos_token"));
}

TEST_CASE("a damaged vocabulary is refused with the place") {
  CHECK_THAT(refusal([](auto& v) { v.tokens[2] = ""; }), Contains("token 2: it is empty"));
  CHECK_THAT(refusal([](auto& v) { v.tokens[3] = "a"; }), Contains("token 3: 'a' is token 2 already"));
  CHECK_THAT(refusal([](auto& v) { v.types.pop_back(); }), Contains("259 types for 260 tokens"));
  CHECK_THAT(refusal([](auto& v) { v.types[1] = 7; }), Contains("token_type[1]: token type 7"));
  CHECK_THAT(refusal([](auto& v) { v.types[1] = 0; }), Contains("token_type[1]: token type 0"));
  CHECK_THAT(refusal([](auto& v) { v.tokens[10] = "<0xZZ>"; }), Contains("'<0x06>' is no token"));
  CHECK_THAT(refusal([](auto& v) { v.types[10] = 1; }),
             Contains("token 10: '<0x06>' isn't marked as a byte"));
  CHECK_THAT(refusal([](auto& v) { v.types[2] = 6; }), Contains("257 are marked as bytes"));
  CHECK_THAT(refusal([](auto& v) { v.tokens[1] = "b"; }), Contains("'\u2581' is no token"));
  CHECK_THAT(refusal([](auto& v) { v.merges = {"a b"}; }),
             Contains("merge 0: 'a' with 'b', but 'b' is no token"));
  CHECK_THAT(refusal([](auto& v) {
               v.merges = {"a a", "aa a"};
             }),
             Contains("merge 1: 'aa' with 'a', but 'aaa' is no token"));
  CHECK_THAT(refusal([](auto& v) { v.merges = {"aa"}; }), Contains("merges[0]: expected two tokens"));
  CHECK_THAT(refusal([](auto& v) { v.merges = {""}; }), Contains("merges[0]: expected two tokens"));
  CHECK_THAT(refusal([](auto& v) { v.bos = 260; }),
             Contains("bos_token_id: token 260; the vocabulary has 260"));
  CHECK_THAT(refusal([](auto& v) { v.without = "tokenizer.ggml.bos_token_id"; }),
             Contains("bos_token_id: it is missing"));
  CHECK_THAT(refusal([](auto& v) { v.suppressed = {3, -1}; }), Contains("suppress_tokens[1]"));
  for (const auto* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges"}) {
    CHECK_THAT(refusal([&](auto& v) { v.without = key; }), Contains(key));
  }
  CHECK_THAT(refusal([](auto& v) {
               v.tokens = {};
               v.types = {};
               v.merges = {};
             }),
             Contains("the vocabulary has 0"));
}

TEST_CASE("tokens that are never sampled are read out") {
  SmallVocabulary vocabulary;
  vocabulary.suppressed = {3, 1};
  CHECK(vocabulary.read().ids.suppressed == std::vector<TokenId>{3, 1});
}

// The tiny checkpoint's folder with one value of one file changed.
std::string folder_refusal(const char* file, const char* pointer, const nlohmann::json& value) {
  const TemporaryFolder folder;
  for (const auto* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    std::ifstream in(kTinyFolder + "/" + name);
    auto json = nlohmann::json::parse(in);
    if (std::string_view(name) == file) json[nlohmann::json::json_pointer(pointer)] = value;
    std::ofstream(folder.path() / name) << json;
  }
  try {
    read_model_vocabulary(folder.path());
  } catch (const InputError& error) {
    return error.what();
  }
  return "read";
}

TEST_CASE("a damaged folder is refused with file and place") {
  const auto tokenizer = [](const char* pointer, const nlohmann::json& value) {
    return folder_refusal("tokenizer.json", pointer, value);
  };
  CHECK_THAT(tokenizer("/model/type", "Unigram"), Contains("expected BPE"));
  CHECK_THAT(tokenizer("/model/byte_fallback", false), Contains("byte_fallback"));
  CHECK_THAT(tokenizer("/model/vocab", 1), Contains("model.vocab"));
  CHECK_THAT(tokenizer("/model/vocab/new", 1408000), Contains("model.vocab: 'new' has id 1408000"));
  CHECK_THAT(tokenizer("/model/vocab/new", 600), Contains("'new' has id 600, which"));
  CHECK_THAT(tokenizer("/model/vocab/new", -1), Contains("model.vocab: expected ids"));
  CHECK_THAT(tokenizer("/model/vocab/new", 1409), Contains("token 1408: it is empty"));
  CHECK_THAT(tokenizer("/model/merges/5", 3), Contains("model.merges[5]"));
  CHECK_THAT(tokenizer("/model/merges/5", nlohmann::json{"x", "nowhere"}), Contains("merge 5"));
  CHECK_THAT(tokenizer("/added_tokens/3/id", "x"), Contains("added_tokens[3]"));
  CHECK_THAT(tokenizer("/added_tokens/3/content", "other"), Contains("added_tokens[3]"));
  CHECK_THAT(folder_refusal("tokenizer_config.json", "/bos_token", nullptr), Contains("bos_token"));
  CHECK_THAT(folder_refusal("tokenizer_config.json", "/eos_token", "nothing"),
             Contains("'nothing' is no token"));
  CHECK_THAT(folder_refusal("generation_config.json", "/eos_token_id", 5000), Contains("token 5000"));
  CHECK(folder_refusal("generation_config.json", "/eos_token_id", 1) == "read");
  CHECK(tokenizer("/model/merges/0", "\n \n") == "read");  // the older form
  const TemporaryFolder empty;
  CHECK_THROWS_WITH(read_model_vocabulary(empty.path()), Contains("tokenizer.json"));
}

}  // namespace
}  // namespace gpqa
