#include "runners/model_files/known_templates.h"

#include <algorithm>
#include <array>

namespace gpqa {
namespace {

struct KnownTemplate {
  std::string_view sha256;
  std::string_view name;
};
constexpr std::array kKnownTemplates = {
    KnownTemplate{"1d35a24a2a63cc600c0cab43628a6df4cd3318e959b03307cf5f9f7e29ecf783", "gemma-4"},
    // the same with the line end of the file that the model comes with, which llama-server cuts off
    KnownTemplate{"85a08664d16d8f3be4416c92427b3ac10df1024ac566cc0b4bc3bab409393f98", "gemma-4"},
    // llama.cpp's own, for a GGUF without one (Gemma 3 270M in its pretrained form is served so)
    KnownTemplate{"cc145ac597328b60dbce2631dce17c0c84bb6a87b2380cc0473e2e1291965db7",
                  "chatml (the GGUF has no template)"}};

}  // namespace

std::string_view chat_template_name(std::string_view sha256) {
  const auto* known = std::find_if(kKnownTemplates.begin(), kKnownTemplates.end(),
                                   [&](const auto& entry) { return entry.sha256 == sha256; });
  return known == kKnownTemplates.end() ? "unknown" : known->name;
}

}  // namespace gpqa
