#include "harness/progress_line.h"

#include <cstdio>

#include <fmt/format.h>

#include "harness/progress_display.h"
#include "results/inert_text.h"

namespace gpqa {

ProgressLine::ProgressLine(std::string_view name) : name_(terminal_escape(name)), terminal_(can_redraw()) {}

void ProgressLine::show(std::uint64_t bytes, std::optional<std::uint64_t> of) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - shown_at_ < std::chrono::milliseconds(200)) return;
  shown_at_ = now;
  fmt::print(stderr, "\r{}: {:.1f}{} MB\x1b[K", name_, static_cast<double>(bytes) * 1e-6,
             of ? fmt::format(" of {:.1f}", static_cast<double>(*of) * 1e-6) : "");
  drawn_ = true;
}

void ProgressLine::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace gpqa
