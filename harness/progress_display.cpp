#include "harness/progress_display.h"

#include <chrono>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "results/inert_text.h"

namespace gpqa {
namespace {

constexpr double kRedrawSeconds = 0.2;
constexpr double kPlainLineSeconds = 30;

double now_s() {
  using Seconds = std::chrono::duration<double>;
  return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

bool can_redraw() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

ProgressDisplay::ProgressDisplay(const std::string& name, std::int64_t total, const RunRecord& run)
    : name_(terminal_escape(name)), meter_(total, run, now_s()), terminal_(can_redraw()), shown_at_(now_s()) {
  if (terminal_) show(now_s(), false);
}

ProgressDisplay::~ProgressDisplay() {
  try {
    show(now_s(), true);
  } catch (...) {  // stderr is gone: nobody to tell
  }
}

void ProgressDisplay::on_delta(TrialId, std::string_view) {
  const double now = now_s();
  meter_.on_delta(now);
  if (now - shown_at_ >= (terminal_ ? kRedrawSeconds : kPlainLineSeconds)) show(now, false);
}

void ProgressDisplay::on_record(const TrialRecord& record) {
  const double now = now_s();
  meter_.on_record(record, now);
  if (record.outcome == Outcome::failed) {
    if (terminal_) fmt::print(stderr, "\r\x1b[K");
    fmt::print(stderr, "question {} failed after {} retries: {}\n", record.id.doc_id, record.retries,
               terminal_escape(record.error));
  }
  if (now - shown_at_ >= (terminal_ ? kRedrawSeconds : kPlainLineSeconds)) show(now, false);
}

void ProgressDisplay::on_event(std::string_view what) {
  if (terminal_) fmt::print(stderr, "\r\x1b[K");
  fmt::print(stderr, "{}\n", terminal_escape(what));
}

void ProgressDisplay::show(double now, bool last) {
  shown_at_ = now;
  const auto state = meter_.state(now);
  if (!terminal_) {
    fmt::print(stderr, "{}: {}\n", name_, progress_words(state));
    return;
  }
  // One write a line, cleared to its end after the text: nothing flickers. The last column stays free, as
  // terminals wrap there.
  const auto line = progress_line(state, columns() - 1);
  fmt::print(stderr, "\r{}\x1b[K{}", line, last ? "\n" : "");
  std::fflush(stderr);
}

}  // namespace gpqa
