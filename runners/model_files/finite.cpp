#include "runners/model_files/finite.h"

#include <cstring>
#include <initializer_list>

namespace gpqa {
namespace {

// Of `Word`s at these places of every `step` bytes: the index of the first step in which one has an exponent,
// the bits of `mask`, of all ones.
template <class Word>
std::optional<std::uint64_t> find_special(std::span<const std::byte> bytes, std::size_t step,
                                          std::initializer_list<std::size_t> places, Word mask) {
  for (std::size_t i = 0; (i + 1) * step <= bytes.size(); ++i)
    for (const std::size_t place : places) {
      Word word;
      std::memcpy(&word, bytes.data() + i * step + place, sizeof word);
      if ((word & mask) == mask) return i;
    }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> find_not_finite(const TensorView& tensor) {
  constexpr std::uint32_t kFloat32 = 0x7F800000;
  constexpr std::uint16_t kFloat16 = 0x7C00;
  constexpr std::uint16_t kBrain16 = 0x7F80;
  const auto& format = tensor.format;
  // Of the scales at these places of a block, as an element.
  const auto scales = [&](std::initializer_list<std::size_t> places) {
    const auto block = find_special(tensor.bytes, format.bytes, places, kFloat16);
    return block ? std::optional(*block * format.elements) : std::nullopt;
  };
  if (format.name == "F32") return find_special(tensor.bytes, 4, {0}, kFloat32);
  if (format.name == "F16") return find_special(tensor.bytes, 2, {0}, kFloat16);
  if (format.name == "BF16") return find_special(tensor.bytes, 2, {0}, kBrain16);
  if (format.name == "Q4_0" || format.name == "Q5_0" || format.name == "Q8_0") return scales({0});
  if (format.name == "Q4_K" || format.name == "Q5_K") return scales({0, 2});
  if (format.name == "Q6_K") return scales({208});
  return std::nullopt;
}

}  // namespace gpqa
