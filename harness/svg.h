// Small drawings as SVG, for pages that need nothing else. Colours come from the page's CSS variables, so
// that a drawing follows its page into the dark.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gpqa {

// For text and for attributes in double quotes; what acts invisibly is shown as an escape.
std::string html_escape(std::string_view text);

struct HeatMap {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::function<double(std::size_t row, std::size_t column)> value;       // 0 to 1
  std::function<std::string(std::size_t row, std::size_t column)> title;  // shown under the pointer
  std::string row_axis;                                                   // "layer"
  std::string column_axis;                                                // "expert, by rank"
};
std::string heat_map(const HeatMap& map);

struct Line {
  std::string name;
  std::vector<double> values;  // y of x = first_x, first_x + 1, ...
  bool strong = false;         // one to look at, with its name beside it; two can be told apart
};
struct Curves {
  std::vector<Line> lines;
  std::size_t first_x = 0;
  double y_low = 0;
  double y_high = 1;
  std::vector<double> marks;  // of the y axis, each with a rule across
  std::string x_axis;
  std::function<std::string(double)> y_label;
};
std::string curves(const Curves& chart);

struct Matrix {
  std::vector<std::string> names;
  std::function<double(std::size_t row, std::size_t column)> value;       // 0 to 1
  std::function<std::string(std::size_t row, std::size_t column)> label;  // in the cell
};
std::string matrix(const Matrix& matrix);

}  // namespace gpqa
