// Tensors of one model by their names.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runners/model_files/tensor_view.h"

namespace gpqa {

// In the order in which they were added. It may be moved, and what find() gave stays where it is; not copied.
class TensorTable {
 public:
  TensorTable() = default;
  explicit TensorTable(std::vector<TensorView> tensors);  // names are unique
  TensorTable(TensorTable&&) noexcept = default;
  TensorTable& operator=(TensorTable&&) noexcept = default;
  TensorTable(const TensorTable&) = delete;
  TensorTable& operator=(const TensorTable&) = delete;

  std::span<const TensorView> all() const { return tensors_; }
  const TensorView* find(std::string_view name) const;  // nullptr: not there
  // Throws FormatError that names `path` and what is missing.
  const TensorView& get(std::string_view name, const std::filesystem::path& path) const;

 private:
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string_view, std::size_t> by_name_;  // the names are those of tensors_
};

}  // namespace gpqa
