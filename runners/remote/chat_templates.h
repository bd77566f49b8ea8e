// The chat templates we have seen, by the hash of the text that /props shows.
#pragma once

#include <array>
#include <string_view>

namespace gpqa {

struct KnownTemplate {
  std::string_view sha256;
  std::string_view name;
};

inline constexpr std::array kKnownTemplates = {
    KnownTemplate{"1d35a24a2a63cc600c0cab43628a6df4cd3318e959b03307cf5f9f7e29ecf783", "gemma-4"},
    // llama.cpp's fallback for a GGUF without a template of its own
    KnownTemplate{"cc145ac597328b60dbce2631dce17c0c84bb6a87b2380cc0473e2e1291965db7",
                  "chatml (the GGUF has no template)"}};

constexpr std::string_view chat_template_name(std::string_view sha256) {
  for (const auto& known : kKnownTemplates) {
    if (known.sha256 == sha256) {
      return known.name;
    }
  }
  return "unknown";
}

}  // namespace gpqa
