#include "experts/imatrix_drop.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "experts/drop_record.h"
#include "experts/expert_cut.h"
#include "experts/imatrix_entries.h"
#include "experts/imatrix_legacy.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

bool begins_as_gguf(const fs::path& path) {
  return MappedFile(path).text().starts_with("GGUF");
}

// "blk.0.ffn_down_exps.weight" and "in_sum2"
std::pair<std::string_view, std::string_view> weight_and_what(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? std::pair(name, std::string_view())
                                       : std::pair(name.substr(0, dot), name.substr(dot + 1));
}

struct CutTensor {
  TensorInfo info;
  std::vector<std::span<const std::byte>> runs;  // its bytes
};

// Lengths of an entry's tensor once it has `after` experts of `before`.
std::vector<std::uint64_t> cut_shape(const TensorView& tensor, std::uint64_t before, std::uint64_t after) {
  auto shape = tensor.shape;
  // What came from the older format has all values in one row.
  auto& length = shape.back() == before ? shape.back() : shape.front();
  length = length / before * after;
  return shape;
}

CutTensor cut(const TensorView& tensor, std::uint64_t experts, const ExpertIds& keep, const fs::path& path) {
  if (tensor.format.name != "F32" || tensor.elements() % experts != 0 ||
      (tensor.shape.back() != experts && tensor.rows() != 1)) {
    throw FormatError(path.string(), fmt::format("tensor {}", tensor.name),
                      fmt::format("{} of [{}]; expected F32 for {} experts", tensor.format.name,
                                  fmt::join(tensor.shape, ", "), experts));
  }
  CutTensor out{tensor.info(), {}};
  out.info.shape = cut_shape(tensor, experts, keep.size());
  const auto bytes = tensor.bytes.size() / experts;
  for (const auto id : keep) {
    out.runs.push_back(tensor.bytes.subspan(id * bytes, bytes));
  }
  return out;
}

DropReport drop_from_gguf_imatrix(const fs::path& imatrix, const TracedMap& map, const fs::path& map_path,
                                  std::optional<std::uint32_t> said, const fs::path& out) {
  const GgufFile file(imatrix);
  ImatrixExperts found(imatrix);
  for (const auto& tensor : file.tensors()) {
    const auto [weight, what] = weight_and_what(tensor.name);
    if (what == "in_sum2") {
      const auto* counts = file.find(fmt::format("{}.counts", weight));
      found.add(weight, tensor.elements(), counts == nullptr ? 1 : counts->elements());
    }
  }
  const auto experts = found.experts(said);
  check_fits(map.map, map_path, found.layers(), experts, std::nullopt);
  const auto keep = keep_lists(map.map, experts);

  std::vector<CutTensor> tensors;
  DropReport report{.layers = keep.size(),
                    .experts_before = experts,
                    .experts_after = keep[0].size(),
                    .bytes_before = file.header().tensor_bytes(),
                    .bytes_after = 0,
                    .files = {out}};
  for (const auto& tensor : file.tensors()) {
    const auto [weight, what] = weight_and_what(tensor.name);
    const auto layer = found.layer_of(weight);
    if (!layer || (what == "counts" && tensor.elements() == 1)) {
      tensors.push_back({tensor.info(), {tensor.bytes}});
    } else if (what == "stats") {
      continue;
    } else {
      tensors.push_back(cut(tensor, experts, keep.at(*layer), imatrix));
    }
    report.bytes_after += tensors.back().info.byte_count();
  }
  GgufMetadata metadata(file);
  add_record(metadata, {.source = imatrix.filename().string(),
                        .experts = experts,
                        .map_file = map_path.filename().string(),
                        .map = map,
                        .earlier = file.has(kRecordKey) ? std::string(file.text(kRecordKey)) : ""});
  std::vector<TensorInfo> infos;
  infos.reserve(tensors.size());
  for (const auto& tensor : tensors) {
    infos.push_back(tensor.info);
  }
  GgufWriter writer(out, metadata, infos);
  for (const auto& tensor : tensors) {
    for (const auto run : tensor.runs) {
      writer.write(run);
    }
  }
  writer.finish();
  return report;
}

}  // namespace

bool is_imatrix(const fs::path& path) {
  if (!begins_as_gguf(path)) {
    return true;
  }
  const auto type = read_gguf_header(path).text("general.type");
  return type && *type == "imatrix";
}

DropReport drop_from_imatrix(const fs::path& imatrix, const TracedMap& map, const fs::path& map_path,
                             std::optional<std::uint32_t> experts, const fs::path& out) {
  return begins_as_gguf(imatrix) ? drop_from_gguf_imatrix(imatrix, map, map_path, experts, out)
                                 : drop_from_legacy_imatrix(imatrix, map, map_path, experts, out);
}

}  // namespace gpqa
