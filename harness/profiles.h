// Named ways to sample: whose configuration a run imitates, and what had to be assumed for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "prompts/trial.h"
#include "runners/sampling_config.h"

namespace gpqa {

struct Assumption {
  std::string field;  // as it can be overridden: a sampling field, or "task_version"
  std::string words;
};

struct Profile {
  std::string name;
  std::string summary;
  SamplingConfig sampling;
  TaskVersion task_version = TaskVersion::v2_2;  // unless the plan says otherwise
  std::int64_t concurrency = 0;                  // the same; 0: as many as the server holds
  std::vector<Assumption> assumptions;           // printed, and kept in the manifest
};

const std::vector<Profile>& profiles();
// Throws InputError, with the nearest name.
const Profile& find_profile(std::string_view name);

}  // namespace gpqa
