#include "results/inert_text.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include "prompts/utf8.h"

namespace gpqa {
namespace {

// Characters that show nothing of their own but change what is around them: controls, line and paragraph
// separators, and format characters (bidirectional marks, zero-width spaces, tags), less the two joiners that
// scripts and emoji need.
bool acts_on_display(UChar32 code) {
  constexpr UChar32 kZeroWidthNonJoiner = 0x200C;
  constexpr UChar32 kZeroWidthJoiner = 0x200D;
  const auto type = u_charType(code);
  return type == U_CONTROL_CHAR || type == U_LINE_SEPARATOR || type == U_PARAGRAPH_SEPARATOR ||
         (type == U_FORMAT_CHAR && code != kZeroWidthNonJoiner && code != kZeroWidthJoiner);
}

std::string visible(UChar32 code) {
  const auto number = static_cast<unsigned>(code);
  return code < 0x100     ? fmt::format("\\x{:02x}", number)
         : code < 0x10000 ? fmt::format("\\u{:04x}", number)
                          : fmt::format("\\U{:08x}", number);
}

template <class OnPlain>
std::string escaped(std::string_view text, bool keep_lines, OnPlain on_plain) {
  std::string out;
  out.reserve(text.size());
  each_character(text, [&](UChar32 code, std::string_view piece) {
    if (code < 0) {
      for (const char byte : piece) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
      }
    } else if (keep_lines && (code == '\n' || code == '\t')) {
      out += piece;
    } else if (acts_on_display(code)) {
      out += visible(code);
    } else {
      on_plain(out, piece);
    }
  });
  return out;
}

}  // namespace

std::string terminal_escape(std::string_view text) {
  return escaped(text, true, [](std::string& out, std::string_view piece) { out += piece; });
}

std::string markdown_escape(std::string_view text) {
  constexpr std::string_view kActive = R"(\`*[]<>|&)";  // what could make code, links, HTML or another cell
  return escaped(text, false, [&](std::string& out, std::string_view piece) {
    if (piece.size() == 1 && kActive.find(piece.front()) != std::string_view::npos) {
      out.push_back('\\');
    }
    out += piece;
  });
}

}  // namespace gpqa
