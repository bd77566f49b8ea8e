#include "experts/gguf_drop.h"

#include "experts/drop_record.h"
#include "experts/expert_counts.h"
#include "experts/expert_cut.h"
#include "experts/expert_slices.h"
#include "runners/model_files/disk_space.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"

namespace gpqa {

DropReport drop_from_gguf(const std::filesystem::path& model, const TracedMap& map,
                          const std::filesystem::path& map_path, const std::filesystem::path& out,
                          const OnProgress& on_progress) {
  const GgufFile file(model);
  const auto counts = gguf_expert_counts(file);
  const ExpertSlices tensors(file);
  tensors.check(counts.experts);
  check_fits(map.map, map_path, tensors.layers().size(), counts.experts, counts.used);
  const auto keep = keep_lists(map.map, counts.experts);
  const auto infos = cut_infos(tensors, keep);

  GgufMetadata metadata(file);
  metadata.set(expert_count_key(file), static_cast<std::uint32_t>(keep[0].size()));
  add_record(metadata, {.source = model.filename().string(),
                        .experts = counts.experts,
                        .map_file = map_path.filename().string(),
                        .map = map,
                        .earlier = file.has(kRecordKey) ? std::string(file.text(kRecordKey)) : ""});

  DropReport report{.layers = keep.size(),
                    .experts_before = counts.experts,
                    .experts_after = keep[0].size(),
                    .bytes_before = file.header().tensor_bytes(),
                    .bytes_after = 0,
                    .files = {out}};
  for (const auto& info : infos) {
    report.bytes_after += info.byte_count();
  }
  GgufWriter writer(out, metadata, infos);
  write_cut(
      tensors, keep, [&](std::span<const std::byte> bytes) { writer.write(bytes); },
      [&](std::uint64_t done) { on_progress(done, report.bytes_after); });
  writer.finish();
  return report;
}

}  // namespace gpqa
