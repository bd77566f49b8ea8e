#include "prompts/dataset.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "prompts/csv.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"

namespace gpqa {
namespace {

constexpr std::uintmax_t kMaxBytes = 256u << 20;  // gpqa_extended.csv is about 5 MB

// What pandas reads as null, quoted or not.
constexpr std::array<std::string_view, 19> kNulls = {
    "",     "#N/A", "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A",  "NA",       "NULL", "NaN",     "None",     "n/a",  "nan",  "null"};

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) {
    throw InputError(
        fmt::format("data set {}: {}. Give a gpqa_diamond.csv (gated: accept the terms of Idavidrein/gpqa on "
                    "the Hugging Face hub)",
                    path.string(), error.message()));
  }
  if (size > kMaxBytes) {
    throw InputError(
        fmt::format("data set {}: {} bytes; expected a GPQA file of a few megabytes", path.string(), size));
  }
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  if (!in.good() && !in.eof()) {
    throw InputError(fmt::format("data set {}: can't be read", path.string()));
  }
  return text;
}

// pandas names the second "X" "X.1", and a column without a name "Unnamed: INDEX".
std::vector<std::string> pandas_names(std::vector<std::string> header) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < header.size(); ++i) {
    std::string base = header[i].empty() ? fmt::format("Unnamed: {}", i) : std::move(header[i]);
    std::string name = base;
    for (int n = 1; std::find(names.begin(), names.end(), name) != names.end(); ++n) {
      name = fmt::format("{}.{}", base, n);
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::optional<std::size_t> find_column(const std::vector<std::string>& columns, std::string_view name) {
  const auto it = std::find(columns.begin(), columns.end(), name);
  return it == columns.end() ? std::nullopt : std::optional(static_cast<std::size_t>(it - columns.begin()));
}

}  // namespace

Dataset load_dataset(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  auto records = parse_csv(text, path.string());
  if (records.empty()) {
    throw FormatError(path.string(), "1", "the file is empty; expected a header of GPQA's columns");
  }

  Dataset dataset;
  dataset.path = path;
  dataset.sha256 = sha256_hex(text);
  dataset.columns = pandas_names(std::move(records.front().fields));

  const auto required = [&](std::string_view name) {
    const auto column = find_column(dataset.columns, name);
    if (!column) {
      throw FormatError(path.string(), "1",
                        fmt::format("no column \"{}\" among the {} of the header; expected gpqa_diamond.csv, "
                                    "gpqa_main.csv or gpqa_extended.csv with its columns as published",
                                    name, dataset.columns.size()));
    }
    return *column;
  };
  const auto text_column = required("Question");
  const auto correct_column = required("Correct Answer");
  const std::array incorrect_columns = {required("Incorrect Answer 1"), required("Incorrect Answer 2"),
                                        required("Incorrect Answer 3")};
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

}  // namespace gpqa
