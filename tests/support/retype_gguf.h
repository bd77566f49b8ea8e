// A model's matrices in another type, filled anew: what they hold is all the same where only sameness is
// asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"

namespace gpqa::test {

// Where a block has a scale, and one, as half precision's bits, that makes its numbers about 1/16 large.
struct BlockScale {
  std::string_view type;
  std::size_t at;
  std::uint16_t half;
};
inline constexpr BlockScale kBlockScales[] = {
    {"Q8_0", 0, 0x12C0}, {"Q5_0", 0, 0x1F00}, {"Q4_0", 0, 0x22C0}, {"Q4_K", 0, 0x0D66},  {"Q4_K", 2, 0x1914},
    {"Q5_K", 0, 0x093D}, {"Q5_K", 2, 0x1914}, {"F16", 0, 0x2C00},  {"Q6_K", 208, 0x0325}};

inline std::vector<std::byte> random_blocks(const BlockFormat& format, std::uint64_t elements,
                                            std::mt19937& random) {
  std::vector<std::byte> bytes(elements / format.elements * format.bytes);
  for (std::size_t block = 0; block < bytes.size(); block += format.bytes) {
    if (format.name == "F32") {
      const float number = static_cast<float>(random() % 2001) / 10000.0F - 0.1F;
      std::memcpy(&bytes[block], &number, sizeof number);
    }
    for (std::size_t i = block; format.name != "F32" && i < block + format.bytes; ++i)
      bytes[i] = static_cast<std::byte>(random());
    for (const auto& scale : kBlockScales) {
      if (scale.type != format.name) continue;
      const auto half = static_cast<std::uint16_t>(scale.half + random() % 64);
      std::memcpy(&bytes[block + scale.at], &half, sizeof half);
    }
    // A number of its own sign.
    if (format.name == "F16" && random() % 2 != 0) bytes[block + 1] |= std::byte{0x80};
  }
  return bytes;
}

// Matrices whose rows aren't whole blocks, and the routers', stay as they are.
inline void retype_gguf(const std::filesystem::path& from, const std::filesystem::path& to,
                        std::string_view type) {
  const GgufFile file(from);
  std::vector<TensorView> tensors(file.tensors().begin(), file.tensors().end());
  std::vector<std::vector<std::byte>> owned;
  std::mt19937 random(1);
  for (const auto& format : kBlockFormats) {
    if (format.name != type) continue;
    for (auto& tensor : tensors) {
      if (tensor.shape.size() < 2 || tensor.name.find("ffn_gate_inp") != std::string::npos ||
          tensor.shape[0] % format.elements != 0)
        continue;
      owned.push_back(random_blocks(format, tensor.elements(), random));
      tensor.format = format;
      tensor.bytes = owned.back();
    }
  }
  write_gguf(to, GgufMetadata(file), tensors);
}

}  // namespace gpqa::test
