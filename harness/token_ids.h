// Token ids as people write them: [2,105] or 2 105 or 2,105.
#pragma once

#include <string_view>
#include <vector>

#include "runners/model_files/vocabulary.h"

namespace gpqa {

// Throws InputError for what is no whole number, and for a comma with nothing before or after it.
std::vector<TokenId> parse_token_ids(std::string_view text);

}  // namespace gpqa
