// A comparison as tables for people, readable raw in a terminal and rendered.
#pragma once

#include <string>

#include "results/compare.h"

namespace gpqa {

std::string to_markdown(const Comparison& comparison);

}  // namespace gpqa
