#include "runners/model_files/tensor_table.h"

#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {

TensorTable::TensorTable(std::vector<TensorView> tensors) : tensors_(std::move(tensors)) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    by_name_.emplace(tensors_[i].name, i);
  }
  assert(by_name_.size() == tensors_.size());
}

const TensorView* TensorTable::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &tensors_[it->second];
}

const TensorView& TensorTable::get(std::string_view name, const std::filesystem::path& path) const {
  if (const auto* found = find(name)) {
    return *found;
  }
  throw FormatError(path.string(), "",
                    fmt::format("tensor {} is missing among the {} that are there", name, tensors_.size()));
}

}  // namespace gpqa
