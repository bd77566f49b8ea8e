// The command line of a run of the invented questions against a server.
#pragma once

#include <string>

#include "harness/run_folders.h"
#include "tests/harness/scripted_run.h"
#include "tests/support/fixed_answer_server.h"

namespace gpqa_test {

inline std::string run_line(const gpqa::test::FixedAnswerServer& server, const std::string& more) {
  return "run --dataset " + gpqa::shell_quote(kSyntheticCsv) + " --server " + server.url() + " " + more;
}

}  // namespace gpqa_test
