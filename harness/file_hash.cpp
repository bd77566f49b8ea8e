#include "harness/file_hash.h"

#include <string_view>

#include "harness/progress_line.h"
#include "prompts/sha256.h"
#include "runners/model_files/mapped_file.h"

namespace gpqa {

std::string file_hash(const std::filesystem::path& path) {
  constexpr std::size_t kPiece = 16u << 20;
  const MappedFile file(path);
  const std::string_view bytes = file.text();
  ProgressLine progress(path.filename().string());
  Sha256 hash;
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    progress.show(at, bytes.size());
    hash.add(bytes.substr(at, kPiece));
  }
  return hash.hex();
}

}  // namespace gpqa
