// A token that may come next.
#pragma once

namespace gpqa {

struct Candidate {
  int id = 0;
  float logit = 0;
  float p = 0;  // as the last softmax left it
};

}  // namespace gpqa
