#include "prompts/dataset.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "prompts/csv.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"

namespace gpqa {
namespace {

constexpr std::size_t kMaxBytes = 64u << 20;  // gpqa_extended.csv is about 5 MB

// What pandas reads as null, quoted or not.
constexpr std::array<std::string_view, 19> kNulls = {
    "",     "#N/A", "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A",  "NA",       "NULL", "NaN",     "None",     "n/a",  "nan",  "null"};

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw InputError(fmt::format("data set {}: is a directory; name the CSV file in it", path.string()));
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw InputError(
        fmt::format("data set {}: {}. Give a gpqa_diamond.csv (gated; `gpqa dataset fetch` downloads it)",
                    path.string(), std::generic_category().message(errno)));
  }
  // Read in pieces: what is no plain file has no size to ask for.
  std::string text;
  std::array<char, 1 << 16> piece;
  while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxBytes) {
      throw FormatError(path.string(), "",
                        fmt::format("more than {} MiB; expected a GPQA file of a few", kMaxBytes >> 20));
    }
  }
  if (in.bad()) {
    throw InputError(fmt::format("data set {}: reading it failed", path.string()));
  }
  return text;
}

// pandas' rule: a column without a name is "Unnamed: INDEX", a second "X" is "X.1" or the next number that is
// free; those that have names choose first.
std::vector<std::string> pandas_names(std::vector<std::string> names) {
  std::vector<std::size_t> order;
  std::vector<std::size_t> unnamed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    (names[i].empty() ? unnamed : order).push_back(i);
    if (names[i].empty()) {
      names[i] = fmt::format("Unnamed: {}", i);
    }
  }
  order.insert(order.end(), unnamed.begin(), unnamed.end());

  std::unordered_map<std::string, std::size_t> seen;  // by name: the number that the next one of it tries
  std::unordered_map<std::string, std::size_t> held;  // by name: how many columns have it now
  for (const auto& name : names) {
    ++held[name];
  }
  for (const auto i : order) {
    const std::string base = names[i];
    std::string name = base;
    std::size_t number = seen[base];
    while (number > 0) {
      seen[base] = number + 1;
      name = fmt::format("{}.{}", base, number);
      const auto holders = held.find(name);
      number = holders != held.end() && holders->second > 0 ? number + 1 : seen[name];
    }
    --held[base];
    ++held[name];
    seen[name] = 1;
    names[i] = std::move(name);
  }
  return names;
}

std::optional<std::size_t> find_column(const std::vector<std::string>& columns, std::string_view name) {
  const auto it = std::find(columns.begin(), columns.end(), name);
  return it == columns.end() ? std::nullopt : std::optional(static_cast<std::size_t>(it - columns.begin()));
}

}  // namespace

Dataset parse_dataset(std::string_view text, const std::filesystem::path& path) {
  auto records = parse_csv(text, path.string());
  if (records.empty()) {
    throw FormatError(path.string(), "1", "the file is empty; expected a header of GPQA's columns");
  }

  Dataset dataset;
  dataset.path = path;
  dataset.sha256 = sha256_hex(text);
  dataset.columns = pandas_names(std::move(records.front().fields));

  std::vector<std::string> missing;
  const auto required = [&](std::string_view name) {
    const auto column = find_column(dataset.columns, name);
    if (!column) {
      missing.push_back(fmt::format("\"{}\"", name));
    }
    return column.value_or(0);
  };
  const auto text_column = required("Question");
  const auto correct_column = required("Correct Answer");
  const std::array incorrect_columns = {required("Incorrect Answer 1"), required("Incorrect Answer 2"),
                                        required("Incorrect Answer 3")};
  if (!missing.empty()) {
    throw FormatError(path.string(), "1",
                      fmt::format("no column {} among the {} of the header; expected gpqa_diamond.csv, "
                                  "gpqa_main.csv or gpqa_extended.csv with its columns as published",
                                  fmt::join(missing, ", "), dataset.columns.size()));
  }
  const auto id_column = find_column(dataset.columns, "Record ID");
  const auto domain_column = find_column(dataset.columns, "High-level domain");
  const auto subdomain_column = find_column(dataset.columns, "Subdomain");

  if (records.size() == 1) {
    throw FormatError(path.string(), "2", "no rows below the header");
  }
  dataset.cells.reserve(records.size() - 1);
  dataset.questions.reserve(records.size() - 1);
  for (std::size_t i = 1; i < records.size(); ++i) {
    auto& record = records[i];
    const std::size_t row = i - 1;
    if (record.fields.size() != dataset.columns.size()) {
      throw FormatError(
          path.string(), std::to_string(record.line),
          fmt::format("row {} has {} fields; the header has {}. Is a quote missing, or the file cut short?",
                      row, record.fields.size(), dataset.columns.size()));
    }
    std::vector<Cell> cells;
    cells.reserve(record.fields.size());
    for (auto& field : record.fields) {
      const bool null = std::find(kNulls.begin(), kNulls.end(), field) != kNulls.end();
      cells.push_back(null ? Cell() : Cell(std::move(field)));
    }
    const auto text_of = [&](std::optional<std::size_t> column) {
      return column ? cells[*column].value_or("") : std::string();
    };
    dataset.questions.push_back({.row = row,
                                 .record_id = text_of(id_column),
                                 .domain = text_of(domain_column),
                                 .subdomain = text_of(subdomain_column),
                                 .text = cells[text_column],
                                 .correct = cells[correct_column],
                                 .incorrect = {cells[incorrect_columns[0]], cells[incorrect_columns[1]],
                                               cells[incorrect_columns[2]]}});
    dataset.cells.push_back(std::move(cells));
  }
  return dataset;
}

Dataset load_dataset(const std::filesystem::path& path) {
  return parse_dataset(read_file(path), path);
}

}  // namespace gpqa
