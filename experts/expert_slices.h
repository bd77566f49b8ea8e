// A model's tensors, and where each expert's slice of them lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "experts/expert_place.h"
#include "runners/model_files/tensor_view.h"

namespace gpqa {

class GgufFile;
class SafetensorsCheckpoint;

// Of a model that stays open. Experts are a tensor's last dimension in GGUF's order (axis 0 of a
// checkpoint's), so that each one's slice is a run of bytes.
class ExpertSlices {
 public:
  // Throw FormatError if no tensor is of experts, or one is in a way that isn't known here.
  explicit ExpertSlices(const GgufFile& file);
  explicit ExpertSlices(const SafetensorsCheckpoint& checkpoint);

  // Throws FormatError unless each layer has all of its parts, and each of these so many experts, who don't
  // share blocks.
  void check(std::uint64_t experts) const;

  // In the file's order.
  std::span<const TensorView> all() const { return tensors_; }
  // Of all()[index]; nullptr: no expert has a slice of it.
  const ExpertPlace* place(std::size_t index) const { return places_[index] ? &*places_[index] : nullptr; }
  // [layers]: which of all() its experts have slices of, by the parts' names. Of a model that wasn't checked,
  // none perhaps.
  const std::vector<std::vector<std::size_t>>& layers() const { return layers_; }

  // Of all()[index], which has a place: 0 if their slices aren't whole bytes.
  std::uint64_t experts_of(std::size_t index) const;
  // The bytes of one of them.
  std::span<const std::byte> slice(std::size_t index, std::uint64_t expert) const {
    const auto bytes = tensors_[index].bytes.size() / tensors_[index].shape.back();
    return tensors_[index].bytes.subspan(expert * bytes, bytes);
  }

 private:
  using Parts = std::span<const std::vector<std::string_view>>;
  void find_places(std::optional<ExpertPlace> (*place_of)(std::string_view, const std::filesystem::path&));

  std::filesystem::path path_;
  Parts parts_;  // that a layer has: one of each
  std::span<const TensorView> tensors_;
  std::vector<std::optional<ExpertPlace>> places_;
  std::vector<std::vector<std::size_t>> layers_;
};

}  // namespace gpqa
