#include "harness/hub/partial_file.h"

#include <algorithm>
#include <fcntl.h>
#include <system_error>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr std::size_t kMaxEtagBytes = 256;

// "..." of visible ASCII. A weak one (W/"...") promises no equal bytes.
bool is_strong_etag(std::string_view text) {
  const auto inner = [](unsigned char c) { return c > 0x20 && c < 0x7F && c != '"'; };
  return text.size() > 2 && text.size() <= kMaxEtagBytes && text.front() == '"' && text.back() == '"' &&
         std::all_of(text.begin() + 1, text.end() - 1, inner);
}

}  // namespace

PartialFile::PartialFile(const std::filesystem::path& target)
    : file_(target.string() + ".part", O_RDWR | O_CREAT | O_NOFOLLOW) {
  if (!file_.try_lock())
    throw InputError(fmt::format("{}: another download goes on there; wait for it, or name another --out",
                                 path().string()));
  file_.make_private();
  size_ = file_.size();
  std::error_code none;
  if (size_ > 0 && std::filesystem::file_size(etag_path(), none) <= kMaxEtagBytes)
    etag_ = read_whole_file(etag_path(), kMaxEtagBytes);
  if (!is_strong_etag(etag_)) start("");
}

PartialFile::~PartialFile() {
  std::error_code none;
  if (size_ == 0 && !removed_) std::filesystem::remove(path(), none);
}

void PartialFile::start(const std::string& etag) {
  file_.truncate(0);
  size_ = 0;
  etag_ = is_strong_etag(etag) ? etag : "";
  if (etag_.empty()) {
    std::filesystem::remove(etag_path());
  } else {
    replace_file(etag_path(), etag_);
  }
}

void PartialFile::append(std::string_view bytes) {
  file_.write_at(size_, bytes);
  size_ += bytes.size();
}

std::string PartialFile::read() const {
  return file_.read_at(0, size_);
}

void PartialFile::remove() {
  start("");
  std::filesystem::remove(path());
  removed_ = true;
}

}  // namespace gpqa
