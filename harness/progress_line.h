// How far a file is read, written or downloaded, or a text is gone through: one line on stderr, redrawn in
// place; nothing where that can't be.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gpqa {

class ProgressLine {
 public:
  enum class Unit { bytes, tokens };
  explicit ProgressLine(std::string_view name, Unit unit = Unit::bytes);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::uint64_t done, std::optional<std::uint64_t> of);
  void clear();

 private:
  std::string name_;
  Unit unit_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_at_{};
};

}  // namespace gpqa
