// A folder of files that has its name only when all of them are whole.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace gpqa {

// Written as NAME.part beside, synced and renamed by finish(). A folder or file that is there already is
// never touched. What fails throws std::runtime_error with path and reason; what was written is then removed.
class OutputFolder {
 public:
  // `ours`: whether a file of that name is one that we write. A NAME.part that a killed process left is
  // emptied of such files and taken over; one that holds anything else is an InputError, as are a target that
  // exists, one whose parent doesn't, and one that another process is writing.
  OutputFolder(std::filesystem::path target, const std::function<bool(std::string_view name)>& ours);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& path() const { return part_; }  // where its files are written meanwhile
  void finish();

 private:
  void open();
  void empty(const std::function<bool(std::string_view name)>& ours) const;

  std::filesystem::path target_;
  std::filesystem::path part_;
  int descriptor_ = -1;
};

}  // namespace gpqa
