#include "prompts/csv.h"

#include <algorithm>

#include <fmt/format.h>
#include <unicode/utf8.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::size_t line_at(std::string_view text, std::size_t offset) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + offset, '\n'));
}

void check_text(std::string_view text, const std::string& name) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int64_t>(text.size());
  for (std::int64_t i = 0; i < size;) {
    if (bytes[i] != 0 && bytes[i] < 0x80) {
      ++i;
      continue;
    }
    const auto place = static_cast<std::size_t>(i);
    UChar32 code = 0;
    U8_NEXT(bytes, i, size, code);
    if (code <= 0) {
      throw FormatError(name, std::to_string(line_at(text, place)),
                        code == 0 ? "found a NUL byte; expected a text file (UTF-8)"
                                  : "found bytes that are not UTF-8; convert the file to UTF-8");
    }
  }
}

// The bytes of one record after another; `at_` only moves forward.
class Scanner {
 public:
  Scanner(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  bool skip_blank_lines() {
    while (at_ < text_.size()) {
      std::size_t end = at_;
      while (end < text_.size() && (text_[end] == ' ' || text_[end] == '\t')) {
        ++end;
      }
      if (end < text_.size() && text_[end] != '\n' && text_[end] != '\r') {
        return true;
      }
      if (end == text_.size()) {
        at_ = end;  // trailing blanks without a line end
        return false;
      }
      at_ = end;
      eat_line_end();
    }
    return false;
  }

  CsvRecord record() {
    CsvRecord record{.line = line_, .fields = {}};
    do {
      record.fields.push_back(field());
    } while (eat_comma());
    if (at_ < text_.size()) {
      eat_line_end();
    }
    return record;
  }

 private:
  std::string field() {
    std::string value;
    if (at_ < text_.size() && text_[at_] == '"') {
      quoted(value);
    }
    const auto end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    value.append(text_.substr(at_, end - at_));
    at_ = end;
    return value;
  }

  void quoted(std::string& value) {
    const std::size_t start_line = line_;
    ++at_;
    while (true) {
      const auto quote = text_.find('"', at_);
      if (quote == std::string_view::npos) {
        throw FormatError(name_, std::to_string(start_line),
                          "a quote opens a field here and is never closed; is the file cut short?");
      }
      const auto piece = text_.substr(at_, quote - at_);
      line_ += static_cast<std::size_t>(std::count(piece.begin(), piece.end(), '\n'));
      value.append(piece);
      at_ = quote + 1;
      if (at_ == text_.size() || text_[at_] != '"') {
        return;
      }
      value.push_back('"');
      ++at_;
    }
  }

  bool eat_comma() {
    if (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      return true;
    }
    return false;
  }

  void eat_line_end() {
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') {
      ++at_;
    }
    ++at_;
    ++line_;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& name) {
  check_text(text, name);
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  Scanner scanner(text, name);
  std::vector<CsvRecord> records;
  while (scanner.skip_blank_lines()) {
    records.push_back(scanner.record());
  }
  return records;
}

}  // namespace gpqa
