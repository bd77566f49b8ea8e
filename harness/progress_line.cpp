#include "harness/progress_line.h"

#include <cstdio>

#include <fmt/format.h>

#include "harness/progress.h"
#include "harness/progress_display.h"
#include "results/inert_text.h"

namespace gpqa {

namespace {

std::string amount(std::uint64_t count, ProgressLine::Unit unit) {
  return unit == ProgressLine::Unit::bytes ? fmt::format("{:.1f}", static_cast<double>(count) * 1e-6)
                                           : fmt::format("{}", count);
}

}  // namespace

ProgressLine::ProgressLine(std::string_view name, Unit unit)
    : name_(terminal_escape(name)), unit_(unit), terminal_(can_redraw()) {}

void ProgressLine::show(std::uint64_t done, std::optional<std::uint64_t> of) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - shown_at_ < std::chrono::milliseconds(200)) return;
  shown_at_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  std::string left;
  if (of && done > 0 && *of > done)
    left = fmt::format("  ETA {}",
                       duration_words(seconds * static_cast<double>(*of - done) / static_cast<double>(done)));
  fmt::print(stderr, "\r{}: {}{} {}{}\x1b[K", name_, amount(done, unit_),
             of ? fmt::format(" of {}", amount(*of, unit_)) : "", unit_ == Unit::bytes ? "MB" : "tokens",
             left);
  drawn_ = true;
}

void ProgressLine::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace gpqa
