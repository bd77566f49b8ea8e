#include "experts/drop_record.h"

#include <string_view>

#include <nlohmann/json.hpp>

#include "runners/model_files/gguf_metadata.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

// As a layer's list is written everywhere: by its number.
Json by_layer(const std::vector<ExpertIds>& lists) {
  Json out = Json::object();
  for (std::size_t layer = 0; layer < lists.size(); ++layer) {
    out[std::to_string(layer)] = lists[layer];
  }
  return out;
}

// What can't be parsed stays what it is: a text.
Json earlier_record(const std::string& text) {
  auto json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? Json(text) : json;
}

bool is_set(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key] == true;
}

Json json_of(const DropRecord& record) {
  const auto& map = record.map;
  const auto earlier = record.earlier.empty() ? Json() : earlier_record(record.earlier);
  Json json = {
      {"source_model", record.source},
      {"original_num_experts", record.experts},
      {"num_experts", record.experts - map.map.drops()},
      {"on_evaluated_questions", map.on_evaluated_questions || is_set(earlier, "on_evaluated_questions")},
      {"map",
       {{"file", record.map_file},
        {"sha256", map.sha256},
        {"content_sha256", content_hash(map.map)},
        {"known_as", map.known_as},
        {"criterion", map.criterion},
        {"calibrated_on", map.calibrated_on},
        {"on_evaluated_questions", map.on_evaluated_questions}}},
      {"drop", by_layer(map.map.dropped)},
      {"keep", by_layer(keep_lists(map.map, record.experts))},
  };
  if (!earlier.is_null()) {
    json["earlier"] = earlier;
  }
  return Json::parse(json.dump(-1, ' ', false, Json::error_handler_t::replace));  // names may be no UTF-8
}

}  // namespace

std::string record_json(const DropRecord& record) {
  return json_of(record).dump(2) + "\n";
}

void add_record(GgufMetadata& metadata, const DropRecord& record) {
  const auto json = json_of(record);
  const auto key = [](const char* name) { return std::string(kRecordKeys) + name; };
  metadata.set(key("source"), json["source_model"].get<std::string>());
  metadata.set(key("experts"), static_cast<std::uint32_t>(record.experts));
  metadata.set(key("map_sha256"), record.map.sha256);
  metadata.set(key("calibrated_on"), json["map"]["calibrated_on"].get<std::string>());
  metadata.set(key("on_evaluated_questions"), json["on_evaluated_questions"].get<bool>());
  metadata.set(kRecordKey, json.dump());
}

}  // namespace gpqa
