// What the hub means by 401, 403 and 404, and what its user can do.
#pragma once

#include <string>

#include "harness/hub/hub_address.h"
#include "harness/hub/hub_get.h"

namespace gpqa {

std::string hub_refusal(const HubResponse& response, const HubFile& file, bool with_token);

}  // namespace gpqa
