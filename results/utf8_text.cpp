#include "results/utf8_text.h"

#include <cstddef>
#include <cstring>

namespace gpqa {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

struct Sequence {
  std::size_t length;  // of the sequence, or of its maximal invalid part
  bool valid;
};

// Unicode table 3-7: the second byte's range depends on the first.
Sequence sequence_at(std::string_view text, std::size_t i) {
  const unsigned char lead = byte_at(text, i);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t k = 1; k < length; ++k) {
    if (i + k >= text.size()) return {k, false};
    const unsigned char next = byte_at(text, i + k);
    if (next < (k == 1 ? low : 0x80) || next > (k == 1 ? high : 0xBF)) return {k, false};
  }
  return {length, true};
}

// Bytes of ASCII at the start of text from `i` on.
std::size_t ascii_run(std::string_view text, std::size_t i) {
  const std::size_t start = i;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (i < text.size() && byte_at(text, i) < 0x80) ++i;
  return i - start;
}

// Where the first invalid part begins, or text.size().
std::size_t first_invalid(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    i += ascii_run(text, i);
    if (i == text.size()) break;
    const Sequence sequence = sequence_at(text, i);
    if (!sequence.valid) return i;
    i += sequence.length;
  }
  return i;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  return first_invalid(text) == text.size();
}

std::string with_valid_utf8(std::string_view text, std::uint64_t& replaced) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = first_invalid(text);
    valid.append(text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) break;
    valid += "\xEF\xBF\xBD";
    text.remove_prefix(sequence_at(text, 0).length);
    ++replaced;
  }
  return valid;
}

std::string with_valid_utf8(std::string_view text) {
  std::uint64_t ignored = 0;
  return with_valid_utf8(text, ignored);
}

}  // namespace gpqa
