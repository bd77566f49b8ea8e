#include "runners/remote/sse_reader.h"

#include <algorithm>

namespace gpqa {
namespace {

// memchr twice is many times faster than find_first_of, and a '\r' is rare.
std::size_t line_end(std::string_view bytes) {
  const auto lf = bytes.find('\n');
  return std::min(lf, bytes.substr(0, lf).find('\r'));
}

}  // namespace

void SseReader::check_bound(std::size_t bytes, std::string_view what) const {
  if (bytes > max_event_bytes_) {
    throw SseError(std::string(what) + " of more than " + std::to_string(max_event_bytes_) + " bytes");
  }
}

bool SseReader::end_line(std::string_view line, const std::function<bool(std::string_view)>& on_event) {
  constexpr std::string_view kData = "data";
  check_bound(line.size(), "a line");  // also of one that came at once: fragments decide nothing
  if (line.empty()) {
    const bool go_on = !has_data_ || on_event(data_);
    data_.clear();
    has_data_ = false;
    return go_on;
  }
  const auto colon = line.find(':');
  if (line.substr(0, colon) != kData) {
    return true;
  }
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) {
    value.remove_prefix(1);
  }
  if (has_data_) {
    data_.push_back('\n');
  }
  data_.append(value);
  has_data_ = true;
  check_bound(data_.size(), "an event");
  return true;
}

void SseReader::feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_event) {
  if (after_cr_ && !bytes.empty()) {
    after_cr_ = false;
    if (bytes.front() == '\n') {
      bytes.remove_prefix(1);
    }
  }
  while (!bytes.empty()) {
    const auto end = line_end(bytes);
    if (end == std::string_view::npos) {
      line_.append(bytes);
      check_bound(line_.size(), "a line");
      return;
    }
    bool go_on = true;
    if (line_.empty()) {
      go_on = end_line(bytes.substr(0, end), on_event);
    } else {
      line_.append(bytes.substr(0, end));
      go_on = end_line(line_, on_event);
      line_.clear();
    }
    const bool cr = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (cr) {
      if (bytes.empty()) {
        after_cr_ = true;
      } else if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
      }
    }
    if (!go_on) {
      return;
    }
  }
}

}  // namespace gpqa
