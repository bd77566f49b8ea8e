#include "results/comparison_warnings.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

bool contains_word(std::string text, std::string_view word) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text.find(word) != std::string::npos;
}

// Fields of a manifest that are meant to differ between variants, or that the table shows anyway.
bool expected_to_differ(const std::string& key) {
  for (const std::string_view prefix :
       {"variant.", "runner.model_id", "runner.n_params", "runner.model_bytes", "runner.fingerprint",
        "runner.chat_template_name", "trials.prompts_sha256", "runner.server_defaults."}) {
    if (key.starts_with(prefix)) {
      return true;
    }
  }
  return false;
}

std::string shown(const Json& value) {
  constexpr std::size_t kLong = 40;
  if (value.is_null()) {
    return "none";
  }
  std::string text = value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kLong) {
    std::size_t end = kLong;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
      --end;  // not inside a character
    }
    text = text.substr(0, end) + "...";
  }
  return text.empty() ? "none" : text;
}

// Whether each layer's drops of `small` are among those of `big`.
bool lies_inside(const Manifest& small, const Manifest& big) {
  if (small.map_drops.empty() || small.map_drops.size() != big.map_drops.size()) {
    return false;
  }
  const auto drops = [](const std::string& layer) {
    std::istringstream words(layer);
    return std::set<std::string>(std::istream_iterator<std::string>(words), {});
  };
  for (std::size_t layer = 0; layer < small.map_drops.size(); ++layer) {
    const auto inner = drops(small.map_drops[layer]);
    const auto outer = drops(big.map_drops[layer]);
    if (!std::includes(outer.begin(), outer.end(), inner.begin(), inner.end())) {
      return false;
    }
  }
  return true;
}

std::string trials(std::int64_t count) {
  return fmt::format("{} trial{}", count, count == 1 ? "" : "s");
}

}  // namespace

std::string contamination(const Manifest& manifest) {
  const auto& on = manifest.calibrated_on;
  if (manifest.on_evaluated_questions && on.empty()) {
    return "evaluated questions";
  }
  return manifest.on_evaluated_questions || contains_word(on, "gpqa") || contains_word(on, "evaluated") ||
                 contains_word(on, "teacher_force")
             ? on
             : "";
}

void warn_of_differences(const RunRecord& reference, const std::string& reference_name, const RunRecord& run,
                         const std::string& name, std::vector<std::string>& warnings) {
  const Json a = identity(reference.manifest);
  const Json b = identity(run.manifest);
  const auto warn = [&](const std::string& key) {
    const Json va = a.value(key, Json());
    const Json vb = b.value(key, Json());
    if (!expected_to_differ(key) && va != vb) {
      warnings.push_back(
          fmt::format("{} differs: {} has {}, {} has {}", key, reference_name, shown(va), name, shown(vb)));
    }
  };
  for (const auto& [key, value] : a.items()) {
    warn(key);
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key)) {
      warn(key);
    }
  }
  // A field that is left to the server is what the server makes of it.
  for (const auto& [field, value] : reference.manifest.runner.server_defaults) {
    const auto other = run.manifest.runner.server_defaults.find(field);
    const bool asked = !a.value("sampling." + field, Json()).is_null();
    if (!asked && other != run.manifest.runner.server_defaults.end() && other->second != value) {
      warnings.push_back(fmt::format("{} is left to the servers, and differs: {} has {}, {} has {}", field,
                                     reference_name, shown(value), name, shown(other->second)));
    }
  }
}

void warn_of_missing_pairs(const ComparedVariant& reference, const ComparedVariant& variant,
                           std::vector<std::string>& warnings) {
  const auto& paired = *variant.paired;
  const std::int64_t shared = paired.n + paired.failed;
  const std::int64_t only_reference = reference.summary.done - shared;
  const std::int64_t only_variant = variant.summary.done - shared;
  if (only_reference + only_variant + paired.failed == 0) {
    return;
  }
  std::vector<std::string> why;
  if (only_reference > 0) {
    why.push_back(fmt::format("{} only in {}", only_reference, reference.name));
  }
  if (only_variant > 0) {
    why.push_back(fmt::format("{} only in {}", only_variant, variant.name));
  }
  if (paired.failed > 0) {
    why.push_back(fmt::format("{} failed in one of them", paired.failed));
  }
  std::string reasons;
  for (const auto& reason : why) {
    reasons += (reasons.empty() ? "" : ", ") + reason;
  }
  warnings.push_back(
      fmt::format("{} against {}: the delta is over the {} that both answered ({}), so it is not the "
                  "difference of the two accuracies",
                  variant.name, reference.name, trials(paired.n), reasons));
}

void warn_of_nested_maps(const Manifest& a, const std::string& a_name, const Manifest& b,
                         const std::string& b_name, std::vector<std::string>& warnings) {
  const bool inside = lies_inside(a, b);
  const bool around = lies_inside(b, a);
  if (!inside && !around) {
    return;
  }
  const auto lie = inside && around
                       ? fmt::format("{} and {} rest on the same drops", a_name, b_name)
                       : fmt::format("the experts that {} lacks are all among those that {} lacks",
                                     inside ? a_name : b_name, inside ? b_name : a_name);
  const bool a_contaminated = !contamination(a).empty();
  const bool b_contaminated = !contamination(b).empty();
  std::string so = "they are no independent evidence about dropping experts";
  if (a_contaminated != b_contaminated) {
    so = fmt::format("what {} was calibrated on bears on {} too", a_contaminated ? a_name : b_name,
                     a_contaminated ? b_name : a_name);
  }
  warnings.push_back(fmt::format("nested drop maps: {}; {}", lie, so));
}

void warn_of_run(const RunRecord& run, const ComparedVariant& variant, std::vector<std::string>& warnings) {
  const auto& s = variant.summary;
  const auto& manifest = run.manifest;
  if (s.done < s.n) {
    warnings.push_back(fmt::format("{} is not finished: {} of {} asked; its accuracy is over those",
                                   variant.name, s.done, trials(s.n)));
  }
  if (s.failed > 0) {
    warnings.push_back(fmt::format(
        "{} has {} failed trial{} (no answer came), counted as not right: run the same command again to ask "
        "{} again",
        variant.name, s.failed, s.failed == 1 ? "" : "s", s.failed == 1 ? "it" : "them"));
  }
  if (s.context_full > 0) {
    warnings.push_back(fmt::format("{}: {} answer{} cut by a full context, before max_tokens", variant.name,
                                   s.context_full, s.context_full == 1 ? " was" : "s were"));
  }
  if (s.sampling_mismatches > 0) {
    warnings.push_back(fmt::format("{}: in {} the server says that it sampled otherwise than asked",
                                   variant.name, trials(s.sampling_mismatches)));
  }
  for (const auto& event : manifest.history)
    warnings.push_back(fmt::format("{}, after {}: {}", variant.name, trials(event.at_trials), event.what));
  const std::string map = manifest.map_file.empty() ? "" : " (" + manifest.map_file + ")";
  if (!variant.contaminated.empty()) {
    warnings.push_back(fmt::format("{} is contaminated: its drop map{} was calibrated on {}", variant.name,
                                   map, variant.contaminated));
  } else if (!map.empty() && manifest.calibrated_on.empty()) {
    warnings.push_back(fmt::format(
        "{}: what its drop map{} was calibrated on is not said; on evaluated questions, it is contaminated",
        variant.name, map));
  }
}

}  // namespace gpqa
