#include "harness/svg.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "results/inert_text.h"

namespace gpqa {
namespace {

constexpr double kWidth = 880;

std::string open_svg(double width, double height, std::string_view label) {
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\" role=\"img\" aria-label=\"{}\">\n",
                     width, height, width, html_escape(label));
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view text,
                    std::string_view kind = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor,
                     kind.empty() ? "" : fmt::format(" class=\"{}\"", kind), html_escape(text));
}

// Steps of 1, 2 or 5 times a power of ten, at most `most` of them.
std::size_t tick_step(std::size_t range, std::size_t most) {
  for (std::size_t power = 1;; power *= 10)
    for (const std::size_t factor : {1, 2, 5})
      if (range / (power * factor) <= most) return power * factor;
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string safe;
  for (const char c : terminal_escape(text)) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string heat_map(const HeatMap& map) {
  constexpr double kLeft = 58;
  constexpr double kTop = 6;
  constexpr double kBottom = 40;
  const double cell = (kWidth - kLeft - 8) / static_cast<double>(map.columns);
  const double row = std::clamp(420.0 / static_cast<double>(map.rows), 6.0, 26.0);
  const double height = kTop + row * static_cast<double>(map.rows) + kBottom;
  std::string svg = open_svg(kWidth, height, fmt::format("{} against {}", map.row_axis, map.column_axis));
  for (std::size_t r = 0; r < map.rows; ++r)
    for (std::size_t c = 0; c < map.columns; ++c)
      svg += fmt::format(
          "<rect class=\"cell\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" "
          "fill-opacity=\"{:.3f}\"><title>{}</title></rect>\n",
          kLeft + cell * static_cast<double>(c), kTop + row * static_cast<double>(r),
          std::max(cell - 0.4, 0.5), row - 0.6, std::clamp(map.value(r, c), 0.0, 1.0),
          html_escape(map.title(r, c)));
  const std::size_t row_step = tick_step(map.rows, 32);
  for (std::size_t r = 0; r < map.rows; r += row_step)
    svg += text_at(kLeft - 6, kTop + row * (static_cast<double>(r) + 0.5) + 4, "end", fmt::format("{}", r));
  const double below = height - kBottom + 15;
  const std::size_t step = tick_step(map.columns, 16);
  for (std::size_t c = 0; c < map.columns; c += step)
    svg += text_at(kLeft + cell * (static_cast<double>(c) + 0.5), below, "middle", fmt::format("{}", c));
  svg += text_at((kLeft + kWidth) / 2, below + 19, "middle", map.column_axis, "axis");
  svg += fmt::format(
      "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 {:.1f}) "
      "rotate(-90)\">{}</text>\n",
      kTop + row * static_cast<double>(map.rows) / 2, html_escape(map.row_axis));
  return svg + "</svg>\n";
}

std::string curves(const Curves& chart) {
  constexpr double kLeft = 58;
  constexpr double kTop = 12;
  constexpr double kRight = 120;  // names of the strong lines
  constexpr double kPlot = 260;
  std::size_t points = 2;
  for (const auto& line : chart.lines) points = std::max(points, line.values.size());
  const double wide = (kWidth - kLeft - kRight) / static_cast<double>(points - 1);
  const auto x_of = [&](std::size_t i) { return kLeft + wide * static_cast<double>(i); };
  const double range = chart.y_high > chart.y_low ? chart.y_high - chart.y_low : 1;
  const auto y_of = [&](double y) { return kTop + kPlot * (1 - (y - chart.y_low) / range); };
  std::string svg = open_svg(kWidth, kTop + kPlot + 42, chart.x_axis);
  for (const double mark : chart.marks) {
    svg += fmt::format("<line class=\"rule\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                       kLeft, kWidth - kRight, y_of(mark), y_of(mark));
    svg += text_at(kLeft - 6, y_of(mark) + 4, "end", chart.y_label(mark));
  }
  const std::size_t step = tick_step(points - 1, 16);
  for (std::size_t i = 0; i < points; ++i)
    if ((chart.first_x + i) % step == 0)
      svg += text_at(x_of(i), kTop + kPlot + 16, "middle", fmt::format("{}", chart.first_x + i));
  svg += text_at((kLeft + kWidth - kRight) / 2, kTop + kPlot + 36, "middle", chart.x_axis, "axis");
  const auto draw = [&](const Line& line, std::string_view kind) {
    std::string path;
    for (std::size_t i = 0; i < line.values.size(); ++i)
      path += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", x_of(i), y_of(line.values[i]));
    svg += fmt::format("<path class=\"{}\" d=\"{}\"><title>{}</title></path>\n", kind, path,
                       html_escape(line.name));
  };
  std::vector<const Line*> strong;
  for (const auto& line : chart.lines) {
    if (line.values.empty()) continue;
    if (line.strong)
      strong.push_back(&line);
    else
      draw(line, "faint");
  }
  for (std::size_t i = 0; i < strong.size(); ++i) draw(*strong[i], i == 0 ? "strong" : "second");
  // Names beside the lines' ends, from the top down; of lines that end at one height below each other.
  std::stable_sort(strong.begin(), strong.end(),
                   [](auto* a, auto* b) { return a->values.back() > b->values.back(); });
  double last_name = -1e9;
  for (const auto* line : strong) {
    last_name = std::max(y_of(line->values.back()) + 4, last_name + 14);
    svg += text_at(x_of(line->values.size() - 1) + 6, last_name, "start", line->name);
  }
  return svg + "</svg>\n";
}

std::string matrix(const Matrix& matrix) {
  const auto count = static_cast<double>(matrix.names.size());
  std::size_t longest = 0;
  for (const auto& name : matrix.names) longest = std::max(longest, std::min<std::size_t>(name.size(), 24));
  const double left = 14 + 7.2 * static_cast<double>(longest);
  const double cell = std::clamp((kWidth - left) / std::max(count, 1.0), 24.0, 92.0);
  const double tall = std::clamp(cell, 24.0, 34.0);
  std::string svg = open_svg(left + cell * count + 2, 24 + tall * count + 4, "pairs");
  const auto shortened = [](const std::string& name, std::size_t most) {
    return name.size() <= most ? name : name.substr(0, most - 2) + "..";
  };
  for (std::size_t r = 0; r < matrix.names.size(); ++r) {
    const double y = 24 + tall * static_cast<double>(r);
    svg += text_at(left - 8, y + tall / 2 + 4, "end", shortened(matrix.names[r], 24));
    svg +=
        text_at(left + cell * (static_cast<double>(r) + 0.5), 16, "middle",
                shortened(matrix.names[r], std::max<std::size_t>(static_cast<std::size_t>(cell / 7.5), 3)));
    for (std::size_t c = 0; c < matrix.names.size(); ++c) {
      if (r == c) continue;
      const double value = std::clamp(matrix.value(r, c), 0.0, 1.0);
      const double x = left + cell * static_cast<double>(c);
      svg += fmt::format(
          "<rect class=\"cell\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill-opacity=\"{:.3f}\"/>\n",
          x, y, cell - 1, tall - 1, 0.7 * value);
      svg += text_at(x + cell / 2, y + tall / 2 + 4, "middle", matrix.label(r, c));
    }
  }
  return svg + "</svg>\n";
}

}  // namespace gpqa
