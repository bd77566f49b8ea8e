// The part of verify_drop.h that is about GGUF: the keys.
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "experts/drop_record.h"
#include "experts/expert_counts.h"
#include "experts/expert_slices.h"
#include "experts/verify_drop.h"
#include "experts/verify_tensors.h"
#include "runners/model_files/gguf_file.h"

namespace gpqa {
namespace {

// What dropping changes, or how many files there are.
bool may_differ(const std::string& key, const std::string& count_key) {
  return key == count_key || key.starts_with(kRecordKeys) || key.starts_with("split.");
}

Damage key_damage(const std::string& key, std::string what) {
  return {.kind = Damage::Kind::metadata, .where = key, .what = std::move(what)};
}

void verify_keys(const GgufFile& original, const GgufFile& pruned, Damages& damages) {
  const auto count_key = expert_count_key(original);
  std::map<std::string_view, const GgufEntry*> found;
  for (const auto& entry : pruned.header().entries) {
    found.emplace(entry.key, &entry);
  }
  for (const auto& entry : original.header().entries) {
    const auto it = found.find(entry.key);
    const auto* there = it == found.end() ? nullptr : it->second;
    if (there != nullptr) {
      found.erase(it);
    }
    if (may_differ(entry.key, count_key)) {
      continue;
    }
    if (there == nullptr) {
      damages.add(key_damage(entry.key, "the key is missing"));
      continue;
    }
    const auto a = original.raw(entry);
    const auto b = pruned.raw(*there);
    if (entry.type != there->type || a.size() != b.size() || std::memcmp(a.data(), b.data(), a.size()) != 0) {
      damages.add(key_damage(entry.key, "the key's value differs from the original's"));
    }
  }
  for (const auto& [key, entry] : found) {
    if (!may_differ(entry->key, count_key)) {
      damages.add(key_damage(entry->key, "the key isn't in the original"));
    }
  }
}

}  // namespace

Verification verify_gguf_drop(const std::filesystem::path& original_path,
                              const std::filesystem::path& pruned_path, const VerifyOptions& options) {
  const GgufFile original(original_path);
  const auto counts = gguf_expert_counts(original);
  const ExpertSlices tensors(original);
  tensors.check(counts.experts);
  if (options.map) {
    check_fits(*options.map, options.map_path, tensors.layers().size(), counts.experts, counts.used);
  }
  const GgufFile pruned(pruned_path);
  auto out = verify_tensors(tensors, ExpertSlices(pruned), counts, options);
  const auto key = expert_count_key(original);
  if (pruned.has(key)) {
    verify_count(key, pruned.count(key), out);
  } else {
    out.damages.add(key_damage(key, "the key is missing"));
  }
  verify_keys(original, pruned, out.damages);
  if (pruned.has(kRecordKey)) {
    verify_record(kRecordKey, pruned.text(kRecordKey), out);
  }
  return out;
}

}  // namespace gpqa
