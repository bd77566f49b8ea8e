#include "experts/expert_cut.h"

#include <algorithm>

#include "runners/model_files/mapped_file.h"

namespace gpqa {
namespace {

constexpr std::size_t kPiece = 8u << 20;

class PieceWriter {
 public:
  PieceWriter(const WriteBytes& write, const OnBytes& on_bytes) : write_(write), on_bytes_(on_bytes) {}

  void operator()(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto piece = bytes.first(std::min(kPiece, bytes.size()));
      load_pages(piece);
      write_(piece);
      drop_pages(piece);
      done_ += piece.size();
      on_bytes_(done_);
      bytes = bytes.subspan(piece.size());
    }
  }

 private:
  const WriteBytes& write_;
  const OnBytes& on_bytes_;
  std::uint64_t done_ = 0;
};

}  // namespace

KeepLists keep_lists(const DropMap& map, std::uint64_t experts) {
  KeepLists keep;
  for (std::size_t layer = 0; layer < map.layers(); ++layer) {
    keep.push_back(kept(map, layer, static_cast<std::uint32_t>(experts)));
  }
  return keep;
}

std::vector<TensorInfo> cut_infos(const ExpertSlices& model, const KeepLists& keep) {
  std::vector<TensorInfo> infos;
  for (std::size_t i = 0; i < model.all().size(); ++i) {
    auto& info = infos.emplace_back(model.all()[i].info());
    if (const auto* place = model.place(i)) {
      info.shape.back() = keep.at(place->layer).size();
    }
  }
  return infos;
}

void write_cut(const ExpertSlices& model, const KeepLists& keep, const WriteBytes& write,
               const OnBytes& on_bytes) {
  PieceWriter pieces(write, on_bytes);
  for (std::size_t i = 0; i < model.all().size(); ++i) {
    const auto* place = model.place(i);
    if (place == nullptr) {
      pieces(model.all()[i].bytes);
      continue;
    }
    // Neighbours that both stay lie next to each other: one run.
    const auto& ids = keep.at(place->layer);
    for (std::size_t from = 0; from < ids.size();) {
      std::size_t to = from + 1;
      while (to < ids.size() && ids[to] == ids[to - 1] + 1) {
        ++to;
      }
      const auto first = model.slice(i, ids[from]);
      pieces({first.data(), first.size() * (to - from)});
      from = to;
    }
  }
}

}  // namespace gpqa
