#include "tests/runners/embedded/backend/cpu/random_blocks.h"

#include <cmath>

namespace gpqa_test {
namespace {

enum Type : std::uint32_t { kQ4_0 = 2, kQ5_0 = 6, kQ8_0 = 8, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14 };

// One block, part by part.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& to) : to_(to) {}
  void byte(unsigned value) { to_.push_back(static_cast<std::byte>(value)); }
  void half(unsigned bits) {
    byte(bits & 255U);
    byte(bits >> 8);
  }
  // Four bits each of q[i] and q[i + apart], `apart` times.
  void nibbles(const unsigned* q, std::size_t apart) {
    for (std::size_t i = 0; i < apart; ++i) byte((q[i] & 15U) | (q[i + apart] & 15U) << 4);
  }

 private:
  std::vector<std::byte>& to_;
};

// A normal float16 of either sign between 2^-7 and 2^-5.
unsigned random_half(std::mt19937& random) {
  const auto bits = static_cast<unsigned>(random());
  return (bits & 0x8000U) | (8U + (bits >> 31)) << 10 | (bits & 1023U);
}
float value_of_half(unsigned bits) {
  const auto whole = static_cast<float>(1024U + (bits & 1023U));
  const float size = std::ldexp(whole, static_cast<int>((bits >> 10) & 31U) - 25);
  return (bits >> 15) != 0 ? -size : size;
}

std::size_t bits_of(std::uint32_t type) {
  return type == kQ8_0 ? 8 : type == kQ6_K ? 6 : type == kQ5_0 || type == kQ5_K ? 5 : 4;
}
int offset_of(std::uint32_t type) {
  return type == kQ8_0 ? 128 : type == kQ6_K ? 32 : type == kQ5_0 ? 16 : type == kQ4_0 ? 8 : 0;
}

// Blocks of 32 columns with one scale.
void write_small(std::uint32_t type, const unsigned* q, unsigned scale, Writer& out) {
  out.half(scale);
  if (type == kQ8_0) {
    for (std::size_t i = 0; i < 32; ++i) out.byte((q[i] - 128U) & 255U);
    return;
  }
  if (type == kQ5_0)
    for (std::size_t byte = 0; byte < 4; ++byte) {
      unsigned bits = 0;
      for (std::size_t i = 0; i < 8; ++i) bits |= (q[8 * byte + i] >> 4) << i;
      out.byte(bits);
    }
  out.nibbles(q, 16);
}

// Blocks of 256 columns, eight scales and minimums of six bits.
void write_k(std::uint32_t type, const unsigned* q, const unsigned (&scales)[8],
             const unsigned (&minimums)[8], Writer& out) {
  for (std::size_t i = 0; i < 4; ++i) out.byte(scales[i] | (scales[i + 4] >> 4) << 6);
  for (std::size_t i = 0; i < 4; ++i) out.byte(minimums[i] | (minimums[i + 4] >> 4) << 6);
  for (std::size_t i = 4; i < 8; ++i) out.byte((scales[i] & 15U) | (minimums[i] & 15U) << 4);
  if (type == kQ5_K)
    for (std::size_t i = 0; i < 32; ++i) {
      unsigned bits = 0;
      for (std::size_t g = 0; g < 8; ++g) bits |= (q[32 * g + i] >> 4) << g;
      out.byte(bits);
    }
  for (std::size_t g = 0; g < 4; ++g) out.nibbles(q + 64 * g, 32);
}

// Blocks of 256 columns, sixteen scales of eight bits.
void write_6_k(const unsigned* q, Writer& out) {
  for (std::size_t half = 0; half < 2; ++half) out.nibbles(q + 128 * half, 64);
  for (std::size_t half = 0; half < 2; ++half)
    for (std::size_t i = 0; i < 32; ++i) {
      unsigned bits = 0;
      for (std::size_t quarter = 0; quarter < 4; ++quarter)
        bits |= (q[128 * half + 32 * quarter + i] >> 4) << (2 * quarter);
      out.byte(bits);
    }
}

}  // namespace

BlockRow random_row(const gpqa::BlockFormat& format, std::size_t width, std::mt19937& random) {
  BlockRow row;
  Writer out(row.file);
  for (std::size_t first = 0; first < width; first += format.elements) {
    std::vector<unsigned> q(format.elements);
    for (unsigned& integer : q) integer = static_cast<unsigned>(random()) >> (32 - bits_of(format.id));
    for (const unsigned integer : q) row.integers.push_back(static_cast<int>(integer) - offset_of(format.id));
    const unsigned factor = random_half(random);
    const float d = value_of_half(factor);
    switch (format.id) {
      case kQ6_K: {
        write_6_k(q.data(), out);
        for (std::size_t i = 0; i < 16; ++i) {
          const int scale = static_cast<int>(random() & 255U) - 128;
          out.byte(static_cast<unsigned>(scale) & 255U);
          row.scales.push_back(d * static_cast<float>(scale));
        }
        out.half(factor);
        break;
      }
      case kQ4_K:
      case kQ5_K: {
        const unsigned least = random_half(random);
        out.half(factor);
        out.half(least);
        unsigned scales[8];
        unsigned minimums[8];
        for (std::size_t i = 0; i < 8; ++i) {
          scales[i] = static_cast<unsigned>(random() & 63U);
          minimums[i] = static_cast<unsigned>(random() & 63U);
          row.scales.insert(row.scales.end(), 2, d * static_cast<float>(scales[i]));
          row.minimums.push_back(value_of_half(least) * static_cast<float>(minimums[i]));
        }
        write_k(format.id, q.data(), scales, minimums, out);
        break;
      }
      default:
        write_small(format.id, q.data(), factor, out);
        row.scales.insert(row.scales.end(), 2, d);
    }
  }
  return row;
}

}  // namespace gpqa_test
