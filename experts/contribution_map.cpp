#include "experts/contribution_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <simdjson.h>
#include <utility>

#include <fmt/format.h>

#include "experts/drop_map.h"
#include "experts/small_json.h"
#include "prompts/input_error.h"
#include "runners/model_files/mapped_file.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

struct Field {
  std::string_view key;
  double ExpertSums::*sum;
  bool counts;  // whole numbers
};
constexpr std::array<Field, 7> kFields = {{{"wnorm", &ExpertSums::wnorm, false},
                                           {"rnorm", &ExpertSums::rnorm, false},
                                           {"wsum", &ExpertSums::wsum, false},
                                           {"tc", &ExpertSums::tc, true},
                                           {"cc", &ExpertSums::cc, true},
                                           {"token_wnorm_sum", &ExpertSums::token_wnorm, false},
                                           {"token_rnorm_sum", &ExpertSums::token_rnorm, false}}};
constexpr unsigned bit(double ExpertSums::*sum) {
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    if (kFields[i].sum == sum) {
      return 1u << i;
    }
  }
  return 0;
}
constexpr unsigned kAll = (1u << kFields.size()) - 1;
constexpr unsigned kRequired = bit(&ExpertSums::wnorm) | bit(&ExpertSums::tc);
constexpr double kLargestCount = 9007199254740992;  // 2^53: whole numbers are exact up to here
constexpr double kLargestNorm = 1e100;              // far above any, and sums of many stay finite
constexpr std::size_t kLongName = 200;

std::string cut(std::string_view text) {
  constexpr std::size_t kLong = 40;
  return fmt::format("{}{}", text.substr(0, kLong), text.size() > kLong ? "..." : "");
}

class Reader {
 public:
  Reader(simdjson::padded_string_view text, const fs::path& path) : text_(text) { map_.path = path; }

  ContributionMap read() {
    if (text_.empty()) {
      fail("the file is empty; expected a contribution map");
    }
    if (const auto error = parser_.iterate(text_).get(document_); error != simdjson::SUCCESS) {
      broken(error);
    }
    object root;
    if (document_.get_object().get(root) != simdjson::SUCCESS) {
      fail("expected a contribution map, {\"metadata\": ..., \"categories\": ...} or {\"questions\": ...}");
    }
    each_member(root, [&](std::string_view key, value& member) {
      if (key == "metadata") {
        once(metadata_seen_, "metadata");
        metadata(open(member, "what the map was made from, as an object"));
      } else if (key == "categories" || key == "questions") {
        once(parts_seen_, "categories or questions");
        map_.questions = key == "questions";
        parts(open(member, "an object"));
      }
    });
    const char* more = nullptr;
    if (document_.current_location().get(more) == simdjson::SUCCESS) {
      fail("more follows after the map's end");
    }
    if (!parts_seen_) {
      fail(
          "neither 'categories' nor 'questions' is there; expected a contribution map such as "
          "expert_neuron_v4.json");
    }
    finish();
    return std::move(map_);
  }

 private:
  // Where the reader is: what an error names.
  [[noreturn]] void fail(const std::string& message) const {
    std::string place;
    const auto part = [&](bool there, const std::string& words) {
      if (there) {
        place += (place.empty() ? "" : ", ") + words;
      }
    };
    part(part_ != nullptr, fmt::format("{} '{}'", map_.questions ? "question" : "category",
                                       part_ == nullptr ? "" : cut(part_->name)));
    part(layer_.has_value(), fmt::format("layer {}", layer_.value_or(0)));
    part(expert_.has_value(), fmt::format("expert {}", expert_.value_or(0)));
    part(!field_.empty(), fmt::format("field '{}'", cut(field_)));
    throw FormatError(map_.path.string(), place, message);
  }

  [[noreturn]] void broken(simdjson::error_code error) {
    if (error == simdjson::CAPACITY) {
      fail(fmt::format("{} bytes; files of up to 4 GB can be read", text_.size()));
    }
    fail(fmt::format("not JSON: {}; is the file cut short or damaged?", simdjson::error_message(error)));
  }

  // A wrong type where the text is well formed, or a text that isn't.
  [[noreturn]] void mismatch(simdjson::error_code error, value& found, std::string_view expected) {
    if (error != simdjson::INCORRECT_TYPE && error != simdjson::NUMBER_ERROR &&
        error != simdjson::NUMBER_OUT_OF_RANGE) {
      broken(error);
    }
    const std::string_view token = found.raw_json_token();
    if (const auto word = not_a_number(token); !word.empty()) {
      fail(poisoned(word));
    }
    fail(fmt::format("expected {}, found {}", expected,
                     cut(token.substr(0, token.find_last_not_of(" \t\r\n") + 1))));
  }

  static std::string poisoned(std::string_view word) {
    return fmt::format(
        "{} stands where a number must: the map is NaN-poisoned (norms that overflowed in 16 bits). No "
        "expert of "
        "the layer can be ranked by it; make the map again, with sums in float32 or wider",
        word);
  }

  void once(bool& seen, const char* what) {
    if (seen) {
      fail(fmt::format("{} stands twice", what));
    }
    seen = true;
  }

  object open(value& in, std::string_view expected) {
    object out;
    if (const auto error = in.get_object().get(out); error != simdjson::SUCCESS) {
      mismatch(error, in, expected);
    }
    return out;
  }

  template <class Member>
  void each_member(object in, Member&& member) {
    for (auto each : in) {
      if (each.error() != simdjson::SUCCESS) {
        broken(each.error());
      }
      simdjson::ondemand::field field = each.value_unsafe();
      std::string_view key;
      if (const auto error = field.unescaped_key().get(key); error != simdjson::SUCCESS) {
        broken(error);
      }
      member(key, field.value());
    }
  }

  std::uint32_t size(value& in, std::string_view key, std::uint64_t most) {
    std::uint64_t number = 0;
    field_ = key;
    if (const auto error = in.get_uint64().get(number); error != simdjson::SUCCESS) {
      mismatch(error, in, fmt::format("a whole number from 1 to {}", most));
    }
    if (number == 0 || number > most) {
      fail(fmt::format("expected a whole number from 1 to {}, found {}", most, number));
    }
    field_ = {};
    return static_cast<std::uint32_t>(number);
  }

  void metadata(object in) {
    each_member(in, [&](std::string_view key, value& member) {
      if (key == "model") {
        std::string_view text;
        if (member.get_string().get(text) == simdjson::SUCCESS) {
          map_.model = text.substr(0, kLongName);
        }
      } else if (key == "num_layers") {
        said_layers_ = size(member, "metadata.num_layers", kMostLayers);
      } else if (key == "num_experts") {
        said_experts_ = size(member, "metadata.num_experts", kMostExperts);
      } else if (key == "intermediate_size") {
        neurons_ = size(member, "metadata.intermediate_size", 1u << 24);
      } else if (key == "top_k" || key == "num_experts_per_tok" || key == "top_k_experts") {
        map_.used = size(member, fmt::format("metadata.{}", key), kMostExperts);
      } else if (key == "categories") {
        prompt_counts(member);
      }
    });
  }

  // {name: prompts}, or a list of names in later versions of the script.
  void prompt_counts(value& in) {
    object counts;
    if (in.get_object().get(counts) != simdjson::SUCCESS) {
      return;
    }
    each_member(counts, [&](std::string_view name, value& member) {
      std::uint64_t prompts = 0;
      if (member.get_uint64().get(prompts) == simdjson::SUCCESS) {
        prompts_.emplace_back(name, prompts);
      }
    });
  }

  void parts(object in) {
    std::set<std::string, std::less<>> names;
    each_member(in, [&](std::string_view name, value& member) {
      ContributionPart part;
      part.name = name;
      part_ = &part;
      if (!names.emplace(name).second) {
        fail("stands twice");
      }
      layers(open(member, "its layers, as an object"));
      part_ = nullptr;
      map_.parts.push_back(std::move(part));
    });
    if (map_.parts.empty()) {
      fail(fmt::format("'{}' is empty", map_.questions ? "questions" : "categories"));
    }
  }

  void layers(object in) {
    std::vector<bool> seen;
    each_member(in, [&](std::string_view key, value& member) {
      const auto layer = layer_number(key);
      if (!layer) {
        // What else is said of a question isn't ours to judge.
        if (map_.questions) {
          return;
        }
        fail(fmt::format("expected layers 0, 1, 2, ... (below {}) as keys, found '{}'", kMostLayers,
                         cut(key)));
      }
      layer_ = static_cast<std::uint32_t>(*layer);
      seen.resize(std::max(seen.size(), *layer + 1));
      if (seen[*layer]) {
        fail("stands twice");
      }
      seen[*layer] = true;
      experts(member);
      layer_.reset();
    });
    layers_ = std::max(layers_, static_cast<std::uint32_t>(seen.size()));
    const auto missing = std::find(seen.begin(), seen.end(), false);
    if (!map_.questions && missing != seen.end()) {
      fail(
          fmt::format("layer {} is missing, but layer {} is there", missing - seen.begin(), seen.size() - 1));
    }
    layers_of_part_.push_back(static_cast<std::uint32_t>(seen.size()));
  }

  void experts(value& in) {
    simdjson::ondemand::array list;
    if (const auto error = in.get_array().get(list); error != simdjson::SUCCESS) {
      mismatch(error, in, "the list of the layer's experts");
    }
    auto& entries = part_->entries;
    const auto begin = static_cast<std::ptrdiff_t>(entries.size());
    for (auto each : list) {
      if (each.error() != simdjson::SUCCESS) {
        broken(each.error());
      }
      value item = each.value_unsafe();
      entries.push_back(entry(item));
      expert_.reset();
    }
    const auto by_id = [](const auto& a, const auto& b) { return a.expert < b.expert; };
    if (!std::is_sorted(entries.begin() + begin, entries.end(), by_id)) {
      std::sort(entries.begin() + begin, entries.end(), by_id);
    }
    const auto twice = std::adjacent_find(entries.begin() + begin, entries.end(),
                                          [](const auto& a, const auto& b) { return a.expert == b.expert; });
    if (twice != entries.end()) {
      expert_ = twice->expert;
      fail("stands twice in the layer");
    }
  }

  ContributionEntry entry(value& in) {
    ContributionEntry entry{.layer = *layer_, .expert = 0, .sums = {}};
    unsigned seen = 0;
    each_member(open(in, "an expert, {\"id\": ..., \"wnorm\": ..., \"tc\": ...}"),
                [&](std::string_view key, value& member) {
                  if (key == "id") {
                    once_field(expert_.has_value(), key);
                    entry.expert = id(member);
                    return;
                  }
                  if (key == "neuron_act") {
                    neurons(member);
                    return;
                  }
                  for (std::size_t i = 0; i < kFields.size(); ++i) {
                    if (key == kFields[i].key) {
                      once_field((seen >> i & 1u) != 0, key);
                      seen |= 1u << i;
                      entry.sums.*kFields[i].sum = number(member, kFields[i]);
                    }
                  }
                });
    if (!expert_) {
      fail(fmt::format("entry {} of the layer has no 'id'", part_->entries.size()));
    }
    for (std::size_t i = 0; i < kFields.size(); ++i) {
      if ((kRequired & ~seen) >> i & 1u) {
        field_ = kFields[i].key;
        fail("is missing");
      }
    }
    everywhere_ &= seen;
    return entry;
  }

  void once_field(bool seen, std::string_view key) {
    if (seen) {
      field_ = key;
      fail("stands twice");
    }
  }

  std::uint32_t id(value& in) {
    std::uint64_t id = 0;
    field_ = "id";
    const auto error = in.get_uint64().get(id);
    if (error != simdjson::SUCCESS) {
      mismatch(error, in, fmt::format("a whole number from 0 to {}", kMostExperts - 1));
    }
    if (id >= kMostExperts) {
      fail(fmt::format("expected a whole number from 0 to {}, found {}", kMostExperts - 1, id));
    }
    field_ = {};
    expert_ = static_cast<std::uint32_t>(id);
    most_experts_ = std::max(most_experts_, *expert_ + 1);
    return *expert_;
  }

  double number(value& in, const Field& field) {
    double number = 0;
    field_ = field.key;
    const auto error = in.get_double().get(number);
    const std::string_view expected = field.counts ? "a whole number from 0" : "a number from 0 to 1e100";
    if (error != simdjson::SUCCESS) {
      mismatch(error, in, expected);
    }
    if (number < 0 || number > kLargestNorm ||
        (field.counts && (number != std::floor(number) || number > kLargestCount))) {
      fail(fmt::format("expected {}, found {}", expected, number));
    }
    field_ = {};
    return number;
  }

  // 704 numbers an expert are nearly all of the file, and no ranking asks for them: looked at as text.
  void neurons(value& in) {
    field_ = "neuron_act";
    simdjson::ondemand::array list;
    if (const auto error = in.get_array().get(list); error != simdjson::SUCCESS) {
      mismatch(error, in, "a list of numbers");
    }
    std::string_view text;
    if (const auto error = list.raw_json().get(text); error != simdjson::SUCCESS) {
      broken(error);
    }
    for (const char letter : {'N', 'I'}) {
      if (const auto at = text.find(letter); at != std::string_view::npos) {
        fail(poisoned(letter == 'N' ? "NaN" : at > 0 && text[at - 1] == '-' ? "-Infinity" : "Infinity"));
      }
    }
    const bool empty = text.find_first_not_of(" \t\r\n", 1) == text.size() - 1;
    const std::uint64_t count =
        empty ? 0 : static_cast<std::uint64_t>(std::count(text.begin(), text.end(), ',')) + 1;
    if (neurons_ && count != *neurons_) {
      fail(fmt::format("{} numbers, but metadata.intermediate_size is {}", count, *neurons_));
    }
    field_ = {};
  }

  void finish() {
    map_.layers = said_layers_.value_or(layers_);
    map_.experts = said_experts_.value_or(most_experts_);
    map_.experts_said = said_experts_.has_value();
    if (map_.layers == 0 || map_.experts == 0) {
      fail("no expert is listed");
    }
    for (std::size_t i = 0; i < map_.parts.size(); ++i) {
      part_ = &map_.parts[i];
      finish_part(layers_of_part_[i]);
    }
    part_ = nullptr;
    for (const auto& [name, prompts] : prompts_) {
      const auto it = std::find_if(map_.parts.begin(), map_.parts.end(),
                                   [&, &key = name](const auto& part) { return part.name == key; });
      if (it == map_.parts.end() && !map_.questions) {
        fail(fmt::format("metadata names category '{}', which isn't there", cut(name)));
      }
      if (it != map_.parts.end()) {
        it->prompts = prompts;
      }
    }
    fill();
  }

  void finish_part(std::uint32_t layers) {
    if (layers > map_.layers || (layers < map_.layers && !map_.questions)) {
      fail(said_layers_ ? fmt::format("has {} layers, but metadata.num_layers is {}", layers, map_.layers)
                        : fmt::format("has {} layers, another part has {}", layers, map_.layers));
    }
    for (const auto& entry : part_->entries) {
      if (entry.expert >= map_.experts) {
        layer_ = entry.layer;
        expert_ = entry.expert;
        fail(fmt::format("but metadata.num_experts is {}: ids end at {}", map_.experts, map_.experts - 1));
      }
    }
    std::sort(part_->entries.begin(), part_->entries.end(), [](const auto& a, const auto& b) {
      return std::pair(a.layer, a.expert) < std::pair(b.layer, b.expert);
    });
    map_.unlisted += std::uint64_t{map_.layers} * map_.experts - part_->entries.size();
  }

  // What the file measures, and what follows from it.
  void fill() {
    const auto everywhere = [&](double ExpertSums::*sum) { return (everywhere_ & bit(sum)) != 0; };
    map_.has_token_sums = everywhere(&ExpertSums::token_wnorm) && everywhere(&ExpertSums::token_rnorm);
    map_.has_prompt_counts = everywhere(&ExpertSums::cc) || map_.questions;
    const bool has_rnorm = everywhere(&ExpertSums::rnorm);
    for (auto& part : map_.parts) {
      for (auto& [layer, expert, sums] : part.entries) {
        if (map_.questions && !everywhere(&ExpertSums::cc)) {
          sums.cc = sums.tc > 0 ? 1 : 0;
        }
        if (!map_.has_token_sums) {
          const double tokens = sums.cc > 0 ? std::sqrt(sums.tc / sums.cc) : 0;
          sums.token_wnorm = sums.wnorm * tokens;
          sums.token_rnorm = sums.rnorm * tokens;
        }
        map_.has_norms = map_.has_norms || sums.wnorm > 0;
        map_.has_unweighted = map_.has_unweighted || (has_rnorm && sums.rnorm > 0);
      }
    }
  }

  simdjson::padded_string_view text_;
  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  ContributionMap map_;
  bool metadata_seen_ = false;
  bool parts_seen_ = false;
  std::optional<std::uint32_t> said_layers_;
  std::optional<std::uint32_t> said_experts_;
  std::optional<std::uint64_t> neurons_;
  std::vector<std::pair<std::string, std::uint64_t>> prompts_;
  std::uint32_t layers_ = 0;
  std::uint32_t most_experts_ = 0;
  std::vector<std::uint32_t> layers_of_part_;
  unsigned everywhere_ = kAll;
  // the place
  ContributionPart* part_ = nullptr;
  std::optional<std::uint32_t> layer_;
  std::optional<std::uint32_t> expert_;
  std::string field_;
};

}  // namespace

void ExpertSums::add(const ExpertSums& other, double times) {
  wnorm += times * other.wnorm;
  rnorm += times * other.rnorm;
  wsum += times * other.wsum;
  tc += times * other.tc;
  cc += times * other.cc;
  token_wnorm += times * other.token_wnorm;
  token_rnorm += times * other.token_rnorm;
}

bool ContributionMap::per_prompt() const {
  return parts.size() > 1 && (questions || std::all_of(parts.begin(), parts.end(),
                                                       [](const auto& part) { return part.prompts == 1; }));
}

ContributionMap parse_contributions(std::string_view json, const fs::path& path) {
  const simdjson::padded_string copy(json);
  return Reader(copy, path).read();
}

ContributionMap read_contributions(const fs::path& path) {
  const MappedFile file(path);
  static_assert(MappedFile::kPadding >= simdjson::SIMDJSON_PADDING);
  const auto text = file.text();
  return Reader(simdjson::padded_string_view(text.data(), text.size(), text.size() + MappedFile::kPadding),
                path)
      .read();
}

}  // namespace gpqa
