// What the shell is told.
#pragma once

namespace gpqa {

enum ExitCode : int {
  kDone = 0,
  kOurFailure = 1,  // also a server that can't be reached
  kBadInput = 2,    // wrong usage, a bad plan, file or folder
  kRefused = 3,     // by the audit
  kDoneWithFailedTrials = 4,
  kInterrupted = 130,
};

}  // namespace gpqa
