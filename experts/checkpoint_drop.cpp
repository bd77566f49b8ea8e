#include "experts/checkpoint_drop.h"

#include <algorithm>
#include <span>
#include <string>

#include <fmt/format.h>

#include "experts/checkpoint_files.h"
#include "experts/drop_record.h"
#include "experts/expert_counts.h"
#include "experts/expert_cut.h"
#include "experts/expert_slices.h"
#include "experts/small_json.h"
#include "prompts/input_error.h"
#include "runners/model_files/disk_space.h"
#include "runners/model_files/mapped_file.h"
#include "runners/model_files/output_file.h"
#include "runners/model_files/output_folder.h"
#include "runners/model_files/safetensors_reader.h"
#include "runners/model_files/safetensors_writer.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostConfigBytes = 1u << 20;
constexpr std::size_t kMostRecordBytes = 64u << 20;

void require_outside(const fs::path& out, const fs::path& source) {
  const auto inner = fs::weakly_canonical(out);
  const auto outer = fs::canonical(source);
  if (std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end()) {
    throw InputError(fmt::format("{}: lies inside the checkpoint that is read; name a folder outside of it",
                                 out.string()));
  }
}

void write_small(const fs::path& path, std::string_view bytes) {
  OutputFile file(path, bytes.size());
  file.write(bytes);
  file.finish();
}

void copy_small(const fs::path& from, const fs::path& to) {
  if (fs::file_size(from) == 0) {
    write_small(to, "");
  } else {
    write_small(to, MappedFile(from).text());
  }
}

std::string name_of(const fs::path& folder) {
  return fs::canonical(folder).filename().string();
}

}  // namespace

DropReport drop_from_checkpoint(const fs::path& folder, const TracedMap& map, const fs::path& map_path,
                                const fs::path& out, std::uint64_t shard_bytes,
                                const OnProgress& on_progress) {
  require_outside(out, folder);
  const auto config = read_small_file(folder / "config.json", kMostConfigBytes);
  const auto counts = config_expert_counts(config, folder / "config.json");
  const SafetensorsCheckpoint checkpoint(folder);
  const ExpertSlices tensors(checkpoint);
  tensors.check(counts.experts);
  check_fits(map.map, map_path, tensors.layers().size(), counts.experts, counts.used);
  const auto keep = keep_lists(map.map, counts.experts);
  const auto infos = cut_infos(tensors, keep);
  const auto files = list_checkpoint_files(folder);
  const auto new_config =
      config_with_experts(config, static_cast<std::uint32_t>(keep[0].size()), folder / "config.json");
  const DropRecord record{.source = name_of(folder),
                          .experts = counts.experts,
                          .map_file = map_path.filename().string(),
                          .map = map,
                          .earlier = fs::exists(folder / kRecordFile)
                                         ? read_small_file(folder / kRecordFile, kMostRecordBytes)
                                         : ""};

  DropReport report{.layers = keep.size(),
                    .experts_before = counts.experts,
                    .experts_after = keep[0].size(),
                    .bytes_before = 0,
                    .bytes_after = 0,
                    .left_out = files.left_out};
  for (std::size_t i = 0; i < infos.size(); ++i) {
    report.bytes_before += tensors.all()[i].bytes.size();
    report.bytes_after += infos[i].byte_count();
  }

  OutputFolder target(out, [&](std::string_view name) {
    return is_written_anew(name) ||
           std::find(files.small.begin(), files.small.end(), name) != files.small.end();
  });
  require_space(target.path(), report.bytes_after + files.small_bytes);
  SafetensorsWriter writer(target.path(), checkpoint.metadata(), infos, shard_bytes);
  write_cut(
      tensors, keep, [&](std::span<const std::byte> bytes) { writer.write(bytes); },
      [&](std::uint64_t done) { on_progress(done, report.bytes_after); });
  writer.finish();
  for (const auto& name : files.small) {
    copy_small(folder / name, target.path() / name);
  }
  write_small(target.path() / kRecordFile, record_json(record));
  write_small(target.path() / "config.json", new_config);
  for (const auto& entry : fs::directory_iterator(target.path())) {
    report.files.push_back(out / entry.path().filename());
  }
  std::sort(report.files.begin(), report.files.end());
  target.finish();
  return report;
}

}  // namespace gpqa
