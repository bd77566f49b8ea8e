// Weights in the order in which the kernels read them, in as many bits as the file's.
//
// A tile holds sixteen rows, and is read from its first byte to its last: panel after panel of 256 columns,
// each the scales and then the integers. Those come sixty-four bytes (a line) at a time: four consecutive
// columns (a group) of row 0, of row 1, ... of row 15. A byte holds an integer of Q8_0 (128 added), or the
// low four bits of two, of the groups 2i and 2i + 1; fifth bits follow for each 32 columns (bit j: group j),
// fifth and sixth bits for each 16 (bits 2j and 2j + 1: group j). Scales are sixteen float16 a block; for
// Q6_K sixteen int8 a row, [sub-block][row], and all panels' float16 at the tile's beginning; for Q4_K and
// Q5_K float16 scales and minimums, then the three words of packed 6-bit numbers, [word][row]. Floats lie as
// [column][row].
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "runners/embedded/backend/cpu/huge_pages.h"
#include "runners/model_files/tensor_view.h"

namespace gpqa {

bool has_minimums(std::uint32_t type);
bool is_float_type(std::uint32_t type);

// Changes with whatever changes the bytes: those on disk (packed_file.h) are then made anew.
constexpr int kPackedLayout = 1;

class PackedMatrix {
 public:
  // Room for rows of a matrix, or of each matrix of a stack. Rows that fill up the last tile are 0.
  PackedMatrix(const BlockFormat& format, std::size_t width, std::size_t rows, std::size_t experts,
               HugePages& memory);
  // One that is packed already: bytes_needed() of them, which `owner` keeps.
  PackedMatrix(const BlockFormat& format, std::size_t width, std::size_t rows, std::size_t experts,
               std::span<const std::byte> packed, std::shared_ptr<const void> owner);
  static std::size_t bytes_needed(const BlockFormat& format, std::size_t width, std::size_t rows,
                                  std::size_t experts);

  std::size_t width() const { return width_; }
  std::size_t rows() const { return rows_; }
  std::size_t experts() const { return experts_; }
  std::uint32_t type() const { return format_.id; }
  std::size_t tiles() const;  // of one matrix
  std::size_t bytes() const { return experts_ * tiles() * tile_bytes_; }
  std::span<const std::byte> packed() const { return {bytes_, bytes()}; }
  const std::byte* tile(std::size_t expert, std::size_t index) const {
    return bytes_ + (expert * tiles() + index) * tile_bytes_;
  }
  // Fills one tile of a matrix that has its own room. `rows`: the matrix's, one after the other, in the
  // file's form.
  void pack(std::size_t expert, std::size_t index, std::span<const std::byte> rows);

 private:
  BlockFormat format_;
  std::size_t width_, rows_, experts_, tile_bytes_;
  const std::byte* bytes_ = nullptr;
  std::byte* room_ = nullptr;  // the same, where it may be written
  std::shared_ptr<const void> owner_;
};

}  // namespace gpqa
