// What the variants' drop maps say of themselves.
#pragma once

#include "harness/plan.h"

namespace gpqa {

// Reads each variant's map and what it was calibrated on; what the plan says is kept beside it. Throws
// InputError where the two contradict each other, or the map is for another number of experts.
void read_maps(Plan& plan);

}  // namespace gpqa
