#include "prompts/csv.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "prompts/utf8.h"

namespace gpqa {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Real files hold up to 50,000 cells; an absurd one may not make us allocate gigabytes.
constexpr std::size_t kMaxCells = 1'000'000;

std::size_t count_lines(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

struct Damage {
  std::size_t offset = 0;
  std::string_view what;
};

std::optional<Damage> find_damage(std::string_view text) {
  std::optional<Damage> first;
  each_character(text, [&](UChar32 code, std::string_view bytes) {
    if (code <= 0 && !first) {
      first = Damage{static_cast<std::size_t>(bytes.data() - text.data()),
                     code == 0 ? "a NUL byte; expected a text file (UTF-8)"
                               : "bytes that are not UTF-8; convert the file to UTF-8"};
    }
  });
  return first;
}

// One record after another; `at_` only moves forward.
class Scanner {
 public:
  Scanner(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  bool skip_blank_lines() {
    while (at_ < text_.size()) {
      const auto end = text_.find_first_not_of(" \t", at_);
      if (end == std::string_view::npos) {
        at_ = text_.size();
        return false;
      }
      if (text_[end] != '\n' && text_[end] != '\r') {
        return true;
      }
      at_ = end;
      if (eat_line_end() == LineEnd::cr && at_ < text_.size() && text_[at_] == ',') {
        throw error(line_,
                    "a comma follows a blank line that a bare CR ends, and pandas may lose it there; "
                    "save the file with LF or CRLF line ends");
      }
    }
    return false;
  }

  CsvRecord record() {
    const std::size_t start = at_;
    CsvRecord record{.line = line_, .fields = {}};
    do {
      if (++cells_ > kMaxCells) {
        throw error(record.line, fmt::format("more than {} cells; expected a table of questions", kMaxCells));
      }
      record.fields.push_back(field(start, record.line));
    } while (eat(','));
    refuse_damage(text_.substr(start, at_ - start), record.line);
    if (at_ < text_.size()) {
      eat_line_end();
    }
    ++row_;
    return record;
  }

 private:
  enum class LineEnd { lf, cr, crlf };

  std::string field(std::size_t record_start, std::size_t record_line) {
    std::string value;
    if (eat('"')) {
      quoted(value, record_start, record_line);
    }
    const auto end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    value.append(text_.substr(at_, end - at_));
    at_ = end;
    return value;
  }

  void quoted(std::string& value, std::size_t record_start, std::size_t record_line) {
    const std::size_t opened = line_;
    while (true) {
      const auto quote = text_.find('"', at_);
      if (quote == std::string_view::npos) {
        refuse_damage(text_.substr(record_start), record_line);  // the likelier cause
        throw error(opened, "a quote opens a field here and is never closed; is the file cut short?");
      }
      const auto piece = text_.substr(at_, quote - at_);
      line_ += count_lines(piece);
      value.append(piece);
      at_ = quote + 1;
      if (!eat('"')) {
        return;
      }
      value.push_back('"');
    }
  }

  bool eat(char c) {
    const bool there = at_ < text_.size() && text_[at_] == c;
    at_ += there ? 1 : 0;
    return there;
  }

  LineEnd eat_line_end() {
    ++line_;
    if (eat('\n')) {
      return LineEnd::lf;
    }
    ++at_;
    return eat('\n') ? LineEnd::crlf : LineEnd::cr;
  }

  void refuse_damage(std::string_view record, std::size_t line) const {
    if (const auto damage = find_damage(record)) {
      throw error(line + count_lines(record.substr(0, damage->offset)),
                  fmt::format("found {}", damage->what));
    }
  }

  FormatError error(std::size_t line, std::string_view message) const {
    const auto place = row_ == 0 ? "header" : fmt::format("row {}", row_ - 1);
    return {name_, std::to_string(line), fmt::format("{}: {}", place, message)};
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t row_ = 0;  // records read, the header among them
  std::size_t cells_ = 0;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& name) {
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
