#include "harness/verify_report.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "harness/byte_size.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;
using Kind = Damage::Kind;

constexpr std::array<std::pair<Kind, const char*>, 5> kKinds = {{{Kind::count, "count"},
                                                                 {Kind::tensor, "tensor"},
                                                                 {Kind::bytes, "bytes"},
                                                                 {Kind::metadata, "metadata"},
                                                                 {Kind::file, "file"}}};

const char* word(Kind kind) {
  return std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& pair) { return pair.first == kind; })
      ->second;
}

std::string line(const char* name, const std::string& text) {
  return fmt::format("  {:<12}{}\n", name, terminal_escape(text));
}

// "2 bytes, 1 count"
std::string kinds_words(const Damages& damages) {
  std::vector<std::string> parts;
  for (const auto& [kind, name] : kKinds)
    if (damages.count(kind) > 0) parts.push_back(fmt::format("{} {}", damages.count(kind), name));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string kept_words(const VerifyReport& report) {
  std::string text;
  if (!report.map.empty()) {
    text += line("kept", fmt::format("compared with {}", report.map));
    if (!report.found.recovered.keep.empty() && !report.found.recovered.equals(report.found.keep))
      text += line("", "but by their bytes they are other experts than those: try without --map");
  } else if (report.found.recovered.keep.empty()) {
    text += line("kept", "can't be told");
  } else {
    text += line("kept", "recovered from their bytes");
  }
  for (const auto& match : report.matches) {
    text += line("map", match.name);
    text += line("calibrated",
                 match.calibrated_on.empty() ? "on what, nobody said" : "on " + match.calibrated_on);
    if (match.on_evaluated_questions)
      text += line("CONTAMINATED", "these experts were chosen by the questions that are scored");
  }
  if (report.matches.empty() && !report.found.recovered.keep.empty())
    text += line("map", "none that is known");
  for (const auto& place : report.found.recovered.unmatched)
    text += line("unmatched",
                 fmt::format("layer {}, expert {}: none of the original's, in the order of their ids",
                             place.layer, place.slot));
  return text;
}

}  // namespace

std::string to_text(const VerifyReport& report, std::size_t most_damages) {
  const auto& found = report.found;
  std::string text = fmt::format("{}\n", terminal_escape(report.pruned));
  text += line("of", report.original);
  text += line("experts", fmt::format("{} of {} in each of {} layers", found.experts_after,
                                      found.experts_before, found.layers));
  text += kept_words(report);
  text += line("compared", fmt::format("{} tensors, {} slices of experts, {}", found.tensors, found.slices,
                                       byte_words(found.bytes)));
  const auto& listed = found.damages.listed();
  for (std::size_t i = 0; i < std::min(most_damages, listed.size()); ++i)
    text += fmt::format("DAMAGE  {}{}: {}\n", terminal_escape(listed[i].where),
                        listed[i].layer ? fmt::format(", layer {}", *listed[i].layer) : "",
                        terminal_escape(listed[i].what));
  if (found.damages.count() > most_damages)
    text += fmt::format("        and {} more (--list)\n", found.damages.count() - most_damages);
  if (found.holds())
    return text + "It holds: every kept expert equals its source, everything else is the original's.\n";
  return text + fmt::format("It does NOT hold: {} damage{} ({}).\n", found.damages.count(),
                            found.damages.count() == 1 ? "" : "s", kinds_words(found.damages));
}

Json to_json(const VerifyReport& report) {
  const auto& found = report.found;
  Json json = {{"original", report.original},
               {"pruned", report.pruned},
               {"holds", found.holds()},
               {"layers", found.layers},
               {"experts_before", found.experts_before},
               {"experts_after", found.experts_after},
               {"map", report.map.empty() ? Json() : Json(report.map)},
               {"matches", Json::array()},
               {"keep", Json::object()},
               {"unmatched", Json::array()},
               {"tensors", found.tensors},
               {"slices", found.slices},
               {"bytes", found.bytes},
               {"damages", found.damages.count()},
               {"listed", Json::array()}};
  for (const auto& match : report.matches)
    json["matches"].push_back({{"map", match.name},
                               {"calibrated_on", match.calibrated_on},
                               {"on_evaluated_questions", match.on_evaluated_questions}});
  for (std::size_t layer = 0; layer < found.recovered.keep.size(); ++layer)
    json["keep"][std::to_string(layer)] = found.recovered.keep[layer];
  for (const auto& place : found.recovered.unmatched)
    json["unmatched"].push_back({{"layer", place.layer}, {"expert", place.slot}});
  for (const auto& damage : found.damages.listed()) {
    Json one = {{"kind", word(damage.kind)}, {"where", damage.where}, {"what", damage.what}};
    const auto add = [&](const char* name, const std::optional<std::uint64_t>& value) {
      if (value) one[name] = *value;
    };
    add("layer", damage.layer);
    add("expert", damage.expert);
    add("source", damage.source);
    add("first_byte", damage.first);
    json["listed"].push_back(std::move(one));
  }
  return json;
}

}  // namespace gpqa
