// The tokenizer's rule written down as it is said, without its tables: slow, and sharing no code with it.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runners/model_files/vocabulary.h"

namespace gpqa {

class PlainMerge {
 public:
  explicit PlainMerge(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    const auto text = [&](TokenId id) { return std::string(vocabulary.texts[static_cast<std::size_t>(id)]); };
    for (std::size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
      const auto& merge = vocabulary.merges[rank];
      ranks_.emplace(std::pair(text(merge.left), text(merge.right)), rank);
    }
    for (std::size_t id = 0; id < vocabulary.size(); ++id) {
      ids_.emplace(vocabulary.texts[id], static_cast<TokenId>(id));
      const auto type = vocabulary.types[id];
      if (type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined) {
        specials_.push_back(static_cast<TokenId>(id));
      }
    }
    std::stable_sort(specials_.begin(), specials_.end(),
                     [&](TokenId a, TokenId b) { return text(a).size() > text(b).size(); });
  }

  // Valid UTF-8 only.
  std::vector<TokenId> encode(const std::string& text, bool parse_special) const {
    std::vector<TokenId> out;
    encode_from(text, parse_special, 0, out);
    return out;
  }

 private:
  // Looks for the special tokens from `index` on.
  void encode_from(const std::string& text, bool parse_special, std::size_t index,
                   std::vector<TokenId>& out) const {
    for (; index < specials_.size(); ++index) {
      const auto id = static_cast<std::size_t>(specials_[index]);
      const auto at = text.find(vocabulary_.texts[id]);
      if (at == std::string::npos || (!parse_special && vocabulary_.types[id] != TokenType::user_defined)) {
        continue;
      }
      encode_from(text.substr(0, at), parse_special, index + 1, out);
      out.push_back(specials_[index]);
      encode_from(text.substr(at + vocabulary_.texts[id].size()), parse_special, index, out);
      return;
    }
    encode_plain(text, out);
  }

  void encode_plain(const std::string& text, std::vector<TokenId>& out) const {
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text[at] == '\n' ? text.find_first_not_of('\n', at) : text.find('\n', at);
      const auto part = text.substr(at, std::min(end, text.size()) - at);
      if (part[0] == '\n' && ids_.contains(part)) {
        out.push_back(ids_.at(part));
      } else {
        merge(part, out);
      }
      at += part.size();
    }
  }

  void merge(const std::string& text, std::vector<TokenId>& out) const {
    std::vector<std::string> symbols;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t length = 1;
      while (at + length < text.size() && (text[at + length] & 0xc0) == 0x80) ++length;
      const auto character = text.substr(at, length);
      symbols.push_back(character == " " ? "\u2581" : character);
      at += length;
    }
    for (;;) {
      std::size_t best = ranks_.size();
      std::size_t place = 0;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto found = ranks_.find({symbols[i], symbols[i + 1]});
        if (found != ranks_.end() && found->second < best) {
          best = found->second;
          place = i;
        }
      }
      if (best == ranks_.size()) break;
      symbols[place] += symbols[place + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
    for (const auto& symbol : symbols) {
      if (const auto found = ids_.find(symbol); found != ids_.end()) {
        out.push_back(found->second);
        continue;
      }
      for (const char byte : symbol) {
        out.push_back(vocabulary_.byte_tokens[static_cast<unsigned char>(byte)]);
      }
    }
  }

  const Vocabulary& vocabulary_;
  std::map<std::pair<std::string, std::string>, std::size_t> ranks_;
  std::map<std::string, TokenId, std::less<>> ids_;
  std::vector<TokenId> specials_;
};

}  // namespace gpqa
