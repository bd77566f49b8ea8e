// Whose importance an imatrix's entry is of, by its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "experts/drop_map.h"

namespace gpqa {

// What an imatrix's file shows of the model's experts.
class ImatrixExperts {
 public:
  explicit ImatrixExperts(std::filesystem::path path) : path_(std::move(path)) {}

  // The layer of a weight that experts have slices of; none for any other weight (the router among them: what
  // is multiplied with it is common to all experts).
  std::optional<std::uint64_t> layer_of(std::string_view weight) const;

  // Weights with their numbers of values, and of counts where the file has one for each expert.
  void add(std::string_view weight, std::uint64_t values, std::uint64_t counts);

  // Of a layer: what the counts show, else what a router's inputs do, which are also those of each of its
  // experts; `said` if neither does. Throws FormatError if they differ, InputError if nothing tells.
  std::uint32_t experts(std::optional<std::uint32_t> said) const;
  std::size_t layers() const { return layers_; }

 private:
  void found(std::string_view weight, std::uint64_t experts);

  std::filesystem::path path_;
  std::size_t layers_ = 0;
  std::optional<std::uint64_t> experts_;
  std::map<std::uint64_t, std::uint64_t> router_;  // of a layer: values
  std::map<std::uint64_t, std::uint64_t> up_;      // of all of a layer's experts
};

}  // namespace gpqa
