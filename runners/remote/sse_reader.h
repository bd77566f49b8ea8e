// Server-sent events (WHATWG), from bytes in any fragmentation to the data of each event.
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace gpqa {

// An event, or a line, beyond the bound: no server of ours sends one.
class SseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class SseReader {
 public:
  explicit SseReader(std::size_t max_event_bytes = 8u << 20) : max_event_bytes_(max_event_bytes) {}

  // Calls on_event with the data of each event that the bytes complete, its lines joined by '\n'. Comments
  // (pings), other fields and events without data are passed over. Stops feeding when on_event returns false.
  // Throws SseError.
  void feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_event);

  // The stream ended, or would end, inside an event.
  bool inside_event() const { return !line_.empty() || has_data_; }

 private:
  void check_bound(std::size_t bytes, std::string_view what) const;
  bool end_line(std::string_view line, const std::function<bool(std::string_view)>& on_event);

  std::size_t max_event_bytes_;
  std::string line_;  // what came of a line whose end didn't come yet
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;  // a '\n' now belongs to the '\r' before it
};

}  // namespace gpqa
