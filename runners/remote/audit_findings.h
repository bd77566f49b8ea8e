// What an audit found: reasons not to begin, and what the manifest should remember.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace gpqa {

struct AuditFindings {
  std::vector<std::string> refusals;  // what would spoil the run, each with what to change
  std::vector<std::string> notes;     // what merely differs

  template <class... Args>
  void refuse(fmt::format_string<Args...> text, Args&&... args) {
    refusals.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    notes.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
};

}  // namespace gpqa
