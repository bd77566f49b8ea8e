#include "runners/model_files/known_templates.h"

#include <algorithm>
#include <array>

namespace gpqa {
namespace {

struct KnownTemplate {
  std::string_view sha256;
  std::string_view name;
  std::optional<ChatFormat> format;
};
// Each also with the line end of the file that the model comes with, which llama-server cuts off.
constexpr std::array kKnownTemplates = {
    KnownTemplate{"1d35a24a2a63cc600c0cab43628a6df4cd3318e959b03307cf5f9f7e29ecf783", "gemma-4",
                  ChatFormat::gemma4},
    KnownTemplate{"85a08664d16d8f3be4416c92427b3ac10df1024ac566cc0b4bc3bab409393f98", "gemma-4",
                  ChatFormat::gemma4},
    KnownTemplate{"58c66fdee4afa29786fa0925a4c3659c8ebc28a2db93da6ae479d7d5886ce48f",
                  "gemma-4 (first release)", ChatFormat::gemma4_first},
    KnownTemplate{"2dfbfc7d538912f4ea11d29d85b4e25d7bc26386e53f57529f1d707c28b5828c",
                  "gemma-4 (first release)", ChatFormat::gemma4_first},
    // llama.cpp's own, for a GGUF without one (Gemma 3 270M in its pretrained form is served so)
    KnownTemplate{"cc145ac597328b60dbce2631dce17c0c84bb6a87b2380cc0473e2e1291965db7",
                  "chatml (the GGUF has no template)", std::nullopt}};

const KnownTemplate* known_template(std::string_view sha256) {
  const auto* known = std::find_if(kKnownTemplates.begin(), kKnownTemplates.end(),
                                   [&](const auto& entry) { return entry.sha256 == sha256; });
  return known == kKnownTemplates.end() ? nullptr : known;
}

}  // namespace

std::string_view chat_template_name(std::string_view sha256) {
  const auto* known = known_template(sha256);
  return known == nullptr ? "unknown" : known->name;
}

std::optional<ChatFormat> known_chat_format(std::string_view sha256) {
  const auto* known = known_template(sha256);
  return known == nullptr ? std::nullopt : known->format;
}

}  // namespace gpqa
