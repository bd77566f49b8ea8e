#include "runners/model_files/tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "prompts/utf8.h"

namespace gpqa {
namespace {

constexpr TokenId kNone = -1;
constexpr std::string_view kSpace = "\u2581";
constexpr std::size_t kSpaceCode = 0x2581;

std::string with_spaces(std::string_view text) {
  std::string out(text);
  for (auto at = out.find(kSpace); at != std::string::npos; at = out.find(kSpace, at)) {
    out.replace(at, kSpace.size(), " ");
  }
  return out;
}

bool is_special_type(TokenType type) {
  return type == TokenType::control || type == TokenType::unknown;
}

}  // namespace

// A part of a text: a special token, or what is still text.
struct Tokenizer::Fragment {
  std::string_view text;
  TokenId special = kNone;
};

// The tokens of text without special ones. It is cut around newlines, as llama.cpp does, and where no merge
// could join what stands on both sides: that changes nothing, and keeps the stretches to be merged short.
class Tokenizer::TextEncoder {
 public:
  TextEncoder(const Tokenizer& tokenizer, std::vector<TokenId>& out)
      : tokenizer_(tokenizer), out_(out), merger_(tokenizer.merges_) {}

  void encode(std::string_view text) {
    each_character(text, [&](UChar32 code, std::string_view bytes) { take(code, bytes); });
    flush();
  }

 private:
  void take(UChar32 code, std::string_view bytes) {
    const bool newline = code == '\n';
    if (newline != newlines_) {
      flush();
      newlines_ = newline;
    }
    const auto& characters = tokenizer_.characters_;
    const auto index = static_cast<std::size_t>(code);
    const auto id = code >= 0 && index < characters.size() ? characters[index] : kNone;
    if (id == kNone) {
      flush();
      add_bytes(bytes);
      return;
    }
    if (!stretch_.empty() && !tokenizer_.merges_.joins(last_, first_byte(bytes))) {
      flush();
    }
    stretch_.push_back(id);
    last_ = last_byte(bytes);
  }

  void add_bytes(std::string_view bytes) {
    for (const char byte : bytes) {
      out_.push_back(tokenizer_.vocabulary_.byte_tokens[static_cast<unsigned char>(byte)]);
    }
  }

  void flush() {
    const auto& runs = tokenizer_.newline_runs_;
    const auto run = newlines_ ? runs.find(stretch_.size()) : runs.end();
    if (run != runs.end()) {
      out_.push_back(run->second);
    } else {
      merger_.merge(stretch_, out_);
    }
    stretch_.clear();
  }

  const Tokenizer& tokenizer_;
  std::vector<TokenId>& out_;
  Merger merger_;
  std::vector<TokenId> stretch_;
  bool newlines_ = false;  // the stretch is one of newlines
  std::uint8_t last_ = 0;
};

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)), merges_(vocabulary_) {
  add_pieces();
  find_characters();
  find_specials();
}

void Tokenizer::add_pieces() {
  pieces_.reserve(size(), vocabulary_.texts.bytes());
  std::vector<char> byte_of(size());
  for (std::size_t byte = 0; byte < vocabulary_.byte_tokens.size(); ++byte) {
    byte_of[static_cast<std::size_t>(vocabulary_.byte_tokens[byte])] = static_cast<char>(byte);
  }
  for (std::size_t id = 0; id < size(); ++id) {
    const auto text = vocabulary_.texts[id];
    switch (vocabulary_.types[id]) {
      case TokenType::normal:
        pieces_.push_back(with_spaces(text));
        break;
      case TokenType::byte:
        pieces_.push_back({&byte_of[id], 1});
        break;
      case TokenType::unused:
        pieces_.push_back("");
        break;
      case TokenType::unknown:
      case TokenType::control:
      case TokenType::user_defined:
        pieces_.push_back(text);
        break;
    }
  }
}

void Tokenizer::find_characters() {
  for (std::size_t id = 0; id < size(); ++id) {
    const auto text = vocabulary_.texts[id];
    if (text.find_first_not_of('\n') == std::string_view::npos) {
      newline_runs_[text.size()] = static_cast<TokenId>(id);
    }
    if (text.size() > U8_MAX_LENGTH) {
      continue;
    }
    each_character(text, [&](UChar32 code, std::string_view bytes) {
      if (code >= 0 && bytes.size() == text.size()) {
        const auto index = static_cast<std::size_t>(code);
        characters_.resize(std::max(characters_.size(), index + 1), kNone);
        characters_[index] = static_cast<TokenId>(id);
      }
    });
  }
  characters_[' '] = characters_[kSpaceCode];  // VocabularyBuilder has seen to it that there is one
}

void Tokenizer::find_specials() {
  for (std::size_t id = 0; id < size(); ++id) {
    const auto type = vocabulary_.types[id];
    if (is_special_type(type) || type == TokenType::user_defined) {
      specials_.push_back(static_cast<TokenId>(id));
    }
  }
  std::stable_sort(specials_.begin(), specials_.end(), [&](TokenId a, TokenId b) {
    return vocabulary_.texts[static_cast<std::size_t>(a)].size() >
           vocabulary_.texts[static_cast<std::size_t>(b)].size();
  });
}

// Takes one special token out of all text that is left.
void Tokenizer::cut(std::vector<Fragment>& fragments, TokenId special) const {
  const auto spelling = vocabulary_.texts[static_cast<std::size_t>(special)];
  const auto has_it = [&](const Fragment& fragment) {
    return fragment.text.find(spelling) != std::string_view::npos;
  };
  if (std::none_of(fragments.begin(), fragments.end(), has_it)) {
    return;
  }
  std::vector<Fragment> out;
  for (auto [text, id] : fragments) {
    if (id != kNone) {
      out.push_back({text, id});
      continue;
    }
    for (auto at = text.find(spelling); at != std::string_view::npos; at = text.find(spelling)) {
      out.push_back({text.substr(0, at)});
      out.push_back({{}, special});
      text.remove_prefix(at + spelling.size());
    }
    out.push_back({text});
  }
  fragments = std::move(out);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw InputError(fmt::format("a text of {} bytes; 4 GiB and more can't be tokenized", text.size()));
  }
  std::vector<Fragment> fragments = {{text}};
  for (const auto special : specials_) {
    if (options.parse_special || !is_special(special)) {
      cut(fragments, special);
    }
  }
  std::vector<TokenId> out;
  out.reserve(text.size() / 3 + 1);  // English has some four bytes a token
  if (options.add_bos) {
    out.push_back(vocabulary_.ids.bos);
  }
  TextEncoder encoder(*this, out);
  for (const auto& fragment : fragments) {
    if (fragment.special == kNone) {
      encoder.encode(fragment.text);
    } else {
      out.push_back(fragment.special);
    }
  }
  return out;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string out;
  for (const auto id : ids) {
    if (special || !is_special(id)) {
      out += piece(id);
    }
  }
  return out;
}

std::size_t Tokenizer::checked(TokenId id) const {
  const auto index = static_cast<std::size_t>(id);
  if (id < 0 || index >= size()) {
    throw InputError(fmt::format("token {}; the vocabulary has {}: 0 to {}", id, size(), size() - 1));
  }
  return index;
}

std::string_view Tokenizer::piece(TokenId id) const {
  return pieces_[checked(id)];
}

bool Tokenizer::is_special(TokenId id) const {
  return is_special_type(vocabulary_.types[checked(id)]);
}

bool Tokenizer::is_end_of_generation(TokenId id) const {
  const auto& ends = vocabulary_.ids.end_of_generation;
  return std::binary_search(ends.begin(), ends.end(), id);
}

}  // namespace gpqa
