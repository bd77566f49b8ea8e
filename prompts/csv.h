// Comma-separated values as pandas' C parser reads them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gpqa {

struct CsvRecord {
  std::size_t line = 0;  // 1-based, where it starts
  std::vector<std::string> fields;
};

// Quotes count only where a field begins; two of them inside stand for one; what follows the closing one up
// to the comma is kept as text. LF, CR and CRLF end a record, and stand as they are inside quotes. Lines of
// nothing but blanks and tabs are skipped. A byte order mark in front is dropped. Throws FormatError (`name`
// is the file) with line and row for a quote that is never closed, a NUL, invalid UTF-8, a million cells, and
// for what pandas itself misreads: a comma after a blank line that a bare CR ends.
std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& name);

}  // namespace gpqa
