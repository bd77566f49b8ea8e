#include "experts/verify_tensors.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experts/compare_bytes.h"
#include "prompts/input_error.h"

namespace gpqa {
namespace {

using Kind = Damage::Kind;

// The number that most of the pruned model's tensors of experts have.
std::uint64_t usual_experts(const ExpertSlices& model) {
  std::map<std::uint64_t, std::size_t> tensors;
  for (const auto& layer : model.layers()) {
    for (const auto index : layer) {
      ++tensors[model.experts_of(index)];
    }
  }
  return std::max_element(tensors.begin(), tensors.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::string shape_words(const TensorInfo& info) {
  return fmt::format("{} [{}]", info.format.name, fmt::join(info.shape, ", "));
}

// What a pair of bytes is, for whoever must be told that they differ.
struct Compared {
  std::size_t original = 0;  // tensors, in all()
  std::size_t pruned = 0;
  std::uint64_t slot = 0;  // of an expert
  std::uint64_t source = 0;
};

class Tensors {
 public:
  Tensors(const ExpertSlices& original, const ExpertSlices& pruned, Verification& verification)
      : original_(original), pruned_(pruned), out_(verification) {
    for (std::size_t i = 0; i < pruned.all().size(); ++i) {
      by_name_.emplace(pruned.all()[i].name, i);
    }
  }

  void check_directory() {
    std::vector<bool> known(pruned_.all().size());
    for (std::size_t i = 0; i < original_.all().size(); ++i) {
      const auto& name = original_.all()[i].name;
      const auto found = by_name_.find(name);
      if (found == by_name_.end()) {
        out_.damages.add(damage(Kind::tensor, name, i, "is missing"));
        continue;
      }
      known[found->second] = true;
      check_pair(i, found->second);
    }
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (!known[i]) {
        out_.damages.add(
            {.kind = Kind::tensor, .where = pruned_.all()[i].name, .what = "isn't in the original"});
      }
    }
  }

  void compare(const VerifyOptions& options) {
    for (const auto& pair : pairs_) {
      out_.bytes += pair.a.size();
    }
    const auto differences = compare_bytes(
        pairs_, options.threads, [&](std::uint64_t done) { options.on_progress(done, out_.bytes); });
    for (const auto& difference : differences) {
      add_difference(difference);
    }
  }

 private:
  Damage damage(Kind kind, const std::string& name, std::size_t original, std::string what) const {
    Damage out{.kind = kind, .where = name, .what = std::move(what)};
    if (const auto* place = original_.place(original)) {
      out.layer = place->layer;
    }
    return out;
  }

  void check_pair(std::size_t original, std::size_t pruned) {
    const auto& a = original_.all()[original];
    const auto& b = pruned_.all()[pruned];
    const auto* place = original_.place(original);
    auto expected = a.info();
    if (place != nullptr) {
      expected.shape.back() = out_.experts_after;
    }
    if (place != nullptr && b.format.name == a.format.name && b.shape.size() == a.shape.size() &&
        std::equal(b.shape.begin(), b.shape.end() - 1, a.shape.begin()) && b.shape != expected.shape) {
      out_.damages.add(
          damage(Kind::count, b.name, original,
                 fmt::format("is of {} experts; expected {}", b.shape.back(), out_.experts_after)));
      return;
    }
    if (b.format.name != a.format.name || b.shape != expected.shape) {
      out_.damages.add(
          damage(Kind::tensor, b.name, original,
                 fmt::format("is {}; expected {}", shape_words(b.info()), shape_words(expected))));
      return;
    }
    ++out_.tensors;
    if (place == nullptr) {
      add_pair({original, pruned, 0, 0}, a.bytes, b.bytes);
      return;
    }
    if (place->layer >= out_.keep.size()) {
      return;  // nothing to compare with, and the layers were told to differ
    }
    const auto& keep = out_.keep[place->layer];
    for (std::size_t slot = 0; slot < keep.size(); ++slot) {
      add_pair({original, pruned, slot, keep[slot]}, original_.slice(original, keep[slot]),
               pruned_.slice(pruned, slot));
      ++out_.slices;
    }
  }

  void add_pair(const Compared& compared, std::span<const std::byte> a, std::span<const std::byte> b) {
    pairs_.push_back({a, b});
    compared_.push_back(compared);
  }

  // Another of the source's experts whose bytes these are.
  std::string origin(const Compared& compared, std::span<const std::byte> bytes) const {
    constexpr std::size_t kTelling = 16;  // a scale may be another's by chance
    if (bytes.size() < kTelling) {
      return "";
    }
    for (std::uint64_t id = 0; id < out_.experts_before; ++id) {
      const auto other = original_.slice(compared.original, id);
      if (std::equal(bytes.begin(), bytes.end(), other.begin(), other.end())) {
        return fmt::format("; it is the original's expert {}", id);
      }
    }
    return "";
  }

  void add_difference(const ByteDifference& difference) {
    const auto& compared = compared_[difference.pair];
    const auto& pair = pairs_[difference.pair];
    const auto& tensor = pruned_.all()[compared.pruned];
    const bool of_expert = original_.place(compared.original) != nullptr;
    const auto hex = [&](std::span<const std::byte> bytes) {
      return static_cast<unsigned>(bytes[difference.first]);
    };
    auto found = damage(
        Kind::bytes, tensor.name, compared.original,
        fmt::format(
            "{}{} of {} bytes differ{}, the first at {}: 0x{:02x}, expected 0x{:02x}{}",
            of_expert ? fmt::format("expert {} (the original's {}): ", compared.slot, compared.source) : "",
            difference.count, pair.b.size(), difference.count == 1 ? "s" : "", difference.first, hex(pair.b),
            hex(pair.a), of_expert ? origin(compared, pair.b) : ""));
    if (of_expert) {
      found.expert = compared.slot;
      found.source = compared.source;
    }
    found.first = static_cast<std::uint64_t>(pair.b.data() - tensor.bytes.data()) + difference.first;
    out_.damages.add(std::move(found));
  }

  const ExpertSlices& original_;
  const ExpertSlices& pruned_;
  Verification& out_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::vector<BytePair> pairs_;
  std::vector<Compared> compared_;
};

Damage simple(Kind kind, std::string_view where, std::string what) {
  return {.kind = kind, .where = std::string(where), .what = std::move(what)};
}

}  // namespace

Verification verify_tensors(const ExpertSlices& original, const ExpertSlices& pruned,
                            const ExpertCounts& counts, const VerifyOptions& options) {
  Verification out;
  out.layers = original.layers().size();
  out.experts_before = counts.experts;
  out.experts_after = options.map ? counts.experts - options.map->drops() : usual_experts(pruned);
  const bool same_layers = pruned.layers().size() == out.layers;
  if (!same_layers) {
    out.damages.add(simple(Kind::count, "layers",
                           fmt::format("{} have experts; expected {}", pruned.layers().size(), out.layers)));
  }
  if (out.experts_after < counts.used || out.experts_after > counts.experts) {
    out.damages.add(simple(Kind::count, "experts",
                           fmt::format("{} a layer; expected {} (the router's choice) to {}",
                                       out.experts_after, counts.used, counts.experts)));
  }
  if (same_layers && out.experts_after <= counts.experts) {
    out.recovered = recover_keep(original, pruned, counts.experts, out.experts_after);
  }
  out.keep = options.map ? keep_lists(*options.map, counts.experts) : out.recovered.keep;
  Tensors tensors(original, pruned, out);
  tensors.check_directory();
  tensors.compare(options);
  return out;
}

void verify_count(std::string_view where, std::uint64_t said, Verification& verification) {
  if (said != verification.experts_after) {
    verification.damages.add(
        simple(Kind::count, where, fmt::format("is {}; expected {}", said, verification.experts_after)));
  }
}

void verify_record(std::string_view where, std::string_view json, Verification& verification) {
  const auto record = nlohmann::json::parse(json, nullptr, false);
  if (!record.is_object() || !record.contains("drop")) {
    return;
  }
  try {
    const auto said = parse_drop_map(record["drop"].dump(), std::string(where));
    const KeepLists lists = keep_lists(said, verification.experts_before);
    const auto& recovered = verification.recovered;
    if (lists != verification.keep && !recovered.equals(lists)) {
      verification.damages.add(
          simple(Kind::metadata, where, "names other experts as dropped than were dropped"));
    }
  } catch (const InputError& error) {
    verification.damages.add(simple(Kind::metadata, where, error.what()));
  }
}

}  // namespace gpqa
