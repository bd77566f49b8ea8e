// What a pruned model says of how it was made.
#pragma once

#include <cstdint>
#include <string>

#include "experts/expert_cut.h"
#include "experts/map_provenance.h"

namespace gpqa {

class GgufMetadata;

struct DropRecord {
  std::string source;         // the name of the file or folder that was cut
  std::uint64_t experts = 0;  // of a layer, before
  std::string map_file;       // its name
  TracedMap map;
  std::string earlier;  // the JSON of the source's own record, if experts were dropped from it before
};

// JSON, indented: the checkpoint's file. "on_evaluated_questions" is that of this map or of an earlier one:
// what was chosen by the answers stays chosen by them.
std::string record_json(const DropRecord& record);
// The keys gpqa.expert_drop.*: the same JSON on one line, and what is looked for in it as keys of their own.
void add_record(GgufMetadata& metadata, const DropRecord& record);

inline constexpr const char* kRecordKey = "gpqa.expert_drop.record";
inline constexpr const char* kRecordKeys = "gpqa.expert_drop.";  // all of them begin so
inline constexpr const char* kRecordFile = "expert_drop_metadata.json";

}  // namespace gpqa
