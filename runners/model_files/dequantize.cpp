#include "runners/model_files/dequantize.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/half.h"

namespace gpqa {
namespace {

// One block's bytes. d and m are the block's scale and minimum, scales and minima below them have their own.
using Block = const std::uint8_t*;

float f16_at(Block at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_float(bits);
}

void f32(Block in, float* out) {
  std::memcpy(out, in, sizeof *out);
}

void f16(Block in, float* out) {
  *out = f16_at(in);
}

void bf16(Block in, float* out) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, in, sizeof bits);
  *out = bf16_to_float(bits);
}

// f16 d, 32 signed bytes
void q8_0(Block in, float* out) {
  const float d = f16_at(in);
  for (int i = 0; i < 32; ++i) {
    out[i] = static_cast<float>(static_cast<std::int8_t>(in[2 + i])) * d;
  }
}

// f16 d, 16 bytes: elements i and i + 16 in the low and high half of byte i
void q4_0(Block in, float* out) {
  const float d = f16_at(in);
  for (int i = 0; i < 16; ++i) {
    const int packed = in[2 + i];
    out[i] = static_cast<float>((packed & 15) - 8) * d;
    out[i + 16] = static_cast<float>((packed >> 4) - 8) * d;
  }
}

// f16 d, 32 fifth bits, then as q4_0
void q5_0(Block in, float* out) {
  const float d = f16_at(in);
  std::uint32_t fifth = 0;
  std::memcpy(&fifth, in + 2, sizeof fifth);
  for (int i = 0; i < 16; ++i) {
    const int packed = in[6 + i];
    const int low = (packed & 15) | static_cast<int>(fifth >> i & 1) << 4;
    const int high = packed >> 4 | static_cast<int>(fifth >> (i + 16) & 1) << 4;
    out[i] = static_cast<float>(low - 16) * d;
    out[i + 16] = static_cast<float>(high - 16) * d;
  }
}

struct ScaleMin {
  float scale;
  float min;
};

// Eight pairs of 6 bits in 12 bytes: the first four in the low six bits of bytes 0-3 (scales) and 4-7
// (minima), whose upper two bits belong to the last four; their low four bits are the halves of bytes 8-11.
ScaleMin scale_min(Block packed, int i) {
  if (i < 4) {
    return {static_cast<float>(packed[i] & 63), static_cast<float>(packed[i + 4] & 63)};
  }
  return {static_cast<float>((packed[i + 4] & 15) | packed[i - 4] >> 6 << 4),
          static_cast<float>(packed[i + 4] >> 4 | packed[i] >> 6 << 4)};
}

// f16 d, f16 m, 12 bytes of scales, 128 bytes: four times 32 of them hold 64 elements, the first 32 in the
// low halves
void q4_k(Block in, float* out) {
  const float d = f16_at(in);
  const float m = f16_at(in + 2);
  Block packed = in + 16;
  for (int i = 0; i < 8; ++i) {
    const auto s = scale_min(in + 4, i);
    const float scale = d * s.scale;
    const float min = m * s.min;
    const int shift = i % 2 * 4;
    for (int j = 0; j < 32; ++j) {
      out[32 * i + j] = scale * static_cast<float>(packed[i / 2 * 32 + j] >> shift & 15) - min;
    }
  }
}

// as q4_k, with 32 bytes of fifth bits before the last 128: bit i of byte j is that of element 32 i + j
void q5_k(Block in, float* out) {
  const float d = f16_at(in);
  const float m = f16_at(in + 2);
  Block fifth = in + 16;
  Block packed = in + 48;
  for (int i = 0; i < 8; ++i) {
    const auto s = scale_min(in + 4, i);
    const float scale = d * s.scale;
    const float min = m * s.min;
    const int shift = i % 2 * 4;
    for (int j = 0; j < 32; ++j) {
      const int q = (packed[i / 2 * 32 + j] >> shift & 15) | (fifth[j] >> i & 1) << 4;
      out[32 * i + j] = scale * static_cast<float>(q) - min;
    }
  }
}

// 128 bytes of low halves, 64 of upper two bits, 16 signed scales (one for 16 elements), f16 d.
// In each half of 128 elements: row r of 32 has its low four bits in byte r % 2 * 32 + j (high halves from
// row 2 on), and its upper two at bit 2 r of byte j.
void q6_k(Block in, float* out) {
  const float d = f16_at(in + 208);
  for (int half = 0; half < 2; ++half) {
    Block low = in + std::ptrdiff_t{64} * half;
    Block upper = in + 128 + std::ptrdiff_t{32} * half;
    Block scales = in + 192 + std::ptrdiff_t{8} * half;
    for (int r = 0; r < 4; ++r) {
      for (int j = 0; j < 32; ++j) {
        const int q = (low[r % 2 * 32 + j] >> (r / 2 * 4) & 15) | (upper[j] >> (2 * r) & 3) << 4;
        const auto scale = static_cast<float>(static_cast<std::int8_t>(scales[2 * r + j / 16]));
        out[128 * half + 32 * r + j] = d * scale * static_cast<float>(q - 32);
      }
    }
  }
}

struct Dequantizer {
  std::uint32_t format;
  void (*block)(Block in, float* out);
};
constexpr std::array kDequantizers = {Dequantizer{0, f32},   Dequantizer{1, f16},   Dequantizer{2, q4_0},
                                      Dequantizer{6, q5_0},  Dequantizer{8, q8_0},  Dequantizer{12, q4_k},
                                      Dequantizer{13, q5_k}, Dequantizer{14, q6_k}, Dequantizer{30, bf16}};

const Dequantizer* dequantizer(const BlockFormat& format) {
  const auto* found = std::find_if(kDequantizers.begin(), kDequantizers.end(),
                                   [&](const auto& entry) { return entry.format == format.id; });
  return found == kDequantizers.end() ? nullptr : found;
}

}  // namespace

bool can_dequantize(const BlockFormat& format) {
  return dequantizer(format) != nullptr;
}

void dequantize(const BlockFormat& format, std::span<const std::byte> bytes, std::span<float> out) {
  const auto* known = dequantizer(format);
  if (known == nullptr) {
    throw InputError(fmt::format(
        "weights of type {} can't be read: expected F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K, Q5_0 or Q4_0",
        format.name));
  }
  assert(out.size() % format.elements == 0);
  assert(bytes.size() == out.size() / format.elements * format.bytes);
  const auto* in = reinterpret_cast<Block>(bytes.data());
  for (std::size_t block = 0; block < out.size() / format.elements; ++block) {
    known->block(in + block * format.bytes, out.data() + block * format.elements);
  }
}

}  // namespace gpqa
