#include "runners/model_files/checkpoint_json.h"

#include "prompts/input_error.h"
#include "runners/model_files/mapped_file.h"

namespace gpqa {

std::optional<nlohmann::json> read_checkpoint_json(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    return std::nullopt;
  }
  auto json = nlohmann::json::parse(MappedFile(path).text(), nullptr, false);
  if (!json.is_object()) {
    throw FormatError(path.string(), "", "expected a JSON object");
  }
  return json;
}

}  // namespace gpqa
