// How far a file is read, written or downloaded: one line on stderr, redrawn in place; nothing where that
// can't be.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gpqa {

class ProgressLine {
 public:
  explicit ProgressLine(std::string_view name);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::uint64_t bytes, std::optional<std::uint64_t> of);
  void clear();

 private:
  std::string name_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point shown_at_{};
};

}  // namespace gpqa
