// A run of the invented questions whose server is started by `gpqa run` itself.
#pragma once

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/harness/processes.h"
#include "tests/harness/scripted_run.h"
#include "tests/harness/shell.h"

namespace gpqa_test {

struct ManagedRun {
  Shell gpqa;
  // On the server's command line, and nowhere else.
  std::string model = (gpqa.folder.path() / "model.gguf").string();
  std::filesystem::path run = gpqa.folder.path() / "runs/p/a";

  // `flags`: more of the server's, as TOML writes them. `limit`: of the questions. `keys`: more of [server].
  explicit ManagedRun(const std::string& flags = "", std::size_t limit = 40, const std::string& keys = "") {
    std::filesystem::copy_file(GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf", model);
    gpqa.write("p.toml", "dataset = \"" + kSyntheticCsv + "\"\ntask = { limit = " + std::to_string(limit) +
                             " }\n[server]\ncommand = \"" FIXED_ANSWER_SERVER
                             "\"\nflags = [\"--ignore-stdin\"" +
                             flags + "]\n" + keys + "[[variant]]\nname = \"a\"\nmodel = \"model.gguf\"\n");
  }
  std::vector<pid_t> servers() const { return processes_with(model); }
  std::size_t lines() const {  // of the journal
    const auto text = contents(run / "trials.jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
};

}  // namespace gpqa_test
