#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/wait.h>

#include "harness/run_folders.h"
#include "results/run_files.h"
#include "tests/catch.h"
#include "tests/harness/scripted_run.h"
#include "tests/harness/shell.h"
#include "tests/json_lines.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::kSyntheticCsv;
using gpqa_test::ScriptedRun;
using gpqa_test::Shell;
using gpqa_test::stopped;

TEST_CASE("help teaches each command with an example") {
  const Shell gpqa;
  CHECK(gpqa("--version").out == "gpqa " GPQA_VERSION "\n");
  CHECK(gpqa("--help").code == 0);
  for (const char* command : {"run", "compare", "show", "rescore", "export", "profiles", "prompts", "extract",
                              "dataset", "doctor", "model"}) {
    const auto help = gpqa(std::string(command) + " --help");
    INFO(command);
    CHECK(help.code == 0);
    CHECK_THAT(help.out, Contains("Example"));
    CHECK_THAT(help.out, Contains(std::string("gpqa ") + command));
    CHECK_THAT(gpqa("--help").out, Contains(command));
  }
}

TEST_CASE("wrong usage and bad input exit with 2 and say what to do") {
  const Shell gpqa;
  const auto csv = shell_quote(kSyntheticCsv);
  const auto refused = [&](const std::string& arguments, const std::string& words) {
    const auto result = gpqa(arguments);
    INFO(arguments);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, Contains("gpqa: ") && Contains(words));
  };
  refused("", "subcommand");
  refused("frobnicate", "unknown command 'frobnicate'; known: run, compare");
  refused("comapre", "did you mean 'compare'?");
  refused("run", "which server, or which model?");
  refused("run --datset x.csv", "--datset: did you mean --dataset?");
  refused("run --server http://127.0.0.1:1 --name x", "`gpqa dataset fetch`");
  refused("run --server http://127.0.0.1:1 --name x --dataset .", "dataset: not a file: '.'");
  refused("run --server http://127.0.0.1:1 --name x --dataset nowhere.csv", "no such file: 'nowhere.csv'");
  refused("run --server http://127.0.0.1:1 --name ../x --dataset " + csv, "can't be the name of a folder");
  refused("run --server http://127.0.0.1:1 --name x --set temprature=1 --dataset " + csv,
          "did you mean 'temperature'?");
  refused("run --server http://127.0.0.1:1 --name x --profile kard --dataset " + csv, "did you mean 'card'?");
  refused("run --server http://127.0.0.1:1 --plan p.toml", "--plan");
  refused("run --server http://127.0.0.1:1 --name x --run-seed -1 --dataset " + csv,
          "expected a whole number");
  refused("run --server http://127.0.0.1:1 --name x --limit few --dataset " + csv,
          "--limit = few: expected a number within its range");
  refused("run --server http://127.0.0.1:1 --name x --slots 2 --dataset " + csv,
          "of gpqa's own engine, but a server answers");
  refused("show . -1", "");
  refused("run --plan nowhere.toml", "nowhere.toml");
  refused("run --server http://127.0.0.1:1 --name x --api-key-env GPQA_TEST_UNSET --dataset " + csv,
          "GPQA_TEST_UNSET");
  refused("prompts --dataset " + csv + " --task-version 9", "9");
  refused("prompts", "--dataset");
  refused("compare", "which runs?");
  refused("compare nowhere", "no such folder: 'nowhere'");
  refused("compare .", "holds no run");
  refused("compare --published --format xml", "xml");
  refused("show .", "holds no run");
  refused("rescore .", "holds no run");
  refused("export .", "holds no run");
  refused("extract --in nowhere.jsonl", "nowhere.jsonl");
}

TEST_CASE("a data set of other columns, and a plan with a typo, exit with 2 and name the place") {
  const Shell gpqa;
  gpqa.write("bad.csv", "a,b\n1,2\n");
  auto result = gpqa("prompts --dataset bad.csv");
  CHECK(result.code == 2);
  CHECK_THAT(result.err, Contains("bad.csv") && Contains("Question"));
  gpqa.write("p.toml", "dataset = \"x.csv\"\nrepeets = 2\n");
  result = gpqa("run --plan p.toml");
  CHECK(result.code == 2);
  CHECK_THAT(result.err, Contains("p.toml:2:1: unknown key 'repeets'; did you mean 'repeats'?"));
}

TEST_CASE("a server that isn't there exits with 1, names it, and leaves no run behind") {
  const Shell gpqa;
  const auto result =
      gpqa("run --server http://127.0.0.1:1 --name x --dataset " + shell_quote(kSyntheticCsv));
  CHECK(result.code == 1);
  CHECK_THAT(result.err, Contains("127.0.0.1:1"));
  CHECK_THAT(result.out, Contains("max_tokens 12288: the card names none"));
  CHECK_FALSE(std::filesystem::exists(gpqa.folder.path() / "runs/x/x/run.json"));
}

TEST_CASE("a result that can't be written is no success") {
  const Shell gpqa;
  const auto command = shell_quote(GPQA_BINARY) + " profiles >/dev/full 2>/dev/null";
  CHECK(WEXITSTATUS(std::system(command.c_str())) == 1);
  CHECK(gpqa("compare --published --out /dev/full").code == 2);
}

TEST_CASE("the published rows are shown with what counts alone allow") {
  const Shell gpqa;
  for (const char* format : {"markdown", "csv", "json"}) {
    const auto result = gpqa(std::string("compare --published --out table --format ") + format);
    INFO(format);
    CHECK(result.code == 0);
    for (const char* count : {"149", "142", "113"}) CHECK_THAT(result.out, Contains(count));
    CHECK(contents(gpqa.folder.path() / "table") == result.out);
  }
}

TEST_CASE("prompts prints lm-eval's prompts, choices and gold letters") {
  const Shell gpqa;
  const auto golden = gpqa_test::read_json_lines(GPQA_TEST_DATA "/lm-eval/prompts.jsonl");
  const auto path = gpqa.write("prompts.jsonl", gpqa("prompts --dataset " + shell_quote(kSyntheticCsv)).out);
  const auto ours = gpqa_test::read_json_lines(path);
  REQUIRE(ours.size() == golden.size());
  for (std::size_t i = 0; i < golden.size(); ++i)
    for (const char* key : {"doc_id", "prompt", "choices", "target"}) CHECK(ours[i][key] == golden[i][key]);
}

TEST_CASE("extract reads a file or standard input, and names the line at fault") {
  const Shell gpqa;
  const std::string line =
      R"x({"id":"a","choices":["w","x","y","z"],"target":"(B)","response":"The answer is (B)."})x"
      "\n";
  const auto good = gpqa.write("good.jsonl", line + "\n" + line);
  const auto from_file = gpqa("extract --in good.jsonl");
  CHECK(from_file.code == 0);
  CHECK(from_file.out == gpqa("extract", good).out);
  CHECK(std::count(from_file.out.begin(), from_file.out.end(), '\n') == 2);
  CHECK_THAT(from_file.out, Contains("\"flex_extracted\"") && Contains("(B)"));
  gpqa.write("bad.jsonl", line + "{\"id\":1}\n");
  const auto bad = gpqa("extract --in bad.jsonl");
  CHECK(bad.code == 2);
  CHECK_THAT(bad.err, Contains("bad.jsonl:2: "));
  CHECK(gpqa("extract --flex-variant 0.4.12 --in good.jsonl").code == 0);
  CHECK(gpqa("extract --flex-variant 0.4.11 --in good.jsonl").code == 2);
}

TEST_CASE("a stored run is listed, shown, scored again, exported and compared") {
  const Shell gpqa;
  const ScriptedRun run(6);
  const auto folder = gpqa.folder.path() / "runs/s/scripted";
  run.go(folder, [&](const Request& request) {
    auto completion =
        stopped(request.id.doc_id == 1 ? "\x1b[31m no idea" : "So: " + run.trial(request.id).target());
    completion.reasoning = "\x1b]0;title\x07 hm";
    return completion;
  });

  const auto list = gpqa("show runs/s");
  CHECK(list.code == 0);
  CHECK(std::count(list.out.begin(), list.out.end(), '\n') == 7);
  CHECK_THAT(list.out, Contains("[invalid]") && Contains("right") && Contains("wrong"));
  const auto wrong = gpqa("show runs/s --wrong");
  CHECK(std::count(wrong.out.begin(), wrong.out.end(), '\n') == 2);

  const auto shown = gpqa("show runs/s/scripted 1");
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, Contains("no idea") && Contains("nothing that the filter looks for") &&
                            Contains(run.trials[1].target()));
  CHECK(shown.out.find('\x1b') == std::string::npos);
  CHECK_THAT(gpqa("show runs/s 0").out, Contains("the last capital letter in parentheses"));
  CHECK(gpqa("show runs/s 6").code == 2);
  CHECK(gpqa("show runs/s 0 --repeat 1").code == 2);

  CHECK_THAT(gpqa("rescore runs/s").out, Contains("6 answers scored again, 0 changed"));
  const auto exported = gpqa("export runs/s --format lm-eval --out files");
  CHECK(exported.code == 0);
  CHECK_THAT(exported.out, Contains("files/results_") && Contains("files/samples_"));
  const auto table = gpqa("compare runs/s");
  CHECK(table.code == 0);
  CHECK_THAT(table.out, Contains("scripted") && Contains("5 / 6"));
}

TEST_CASE("rescoring says what changed and writes it") {
  const Shell gpqa;
  ScriptedRun run(1);
  // Longest first (0.4.13) finds the whole choice, as listed (0.4.12) its beginning.
  run.trials[0].choices = {"10", "10 m", "20", "30"};
  run.trials[0].gold = 'B';
  const auto folder = gpqa.folder.path() / "r";
  run.go(folder, [](const Request&) { return stopped("it is 10 m"); });
  CHECK(read_run(folder).trials[0].score.flexible.extracted == "(B)");
  const auto dry = gpqa("rescore r --flex-variant 0.4.12 --dry-run");
  CHECK_THAT(
      dry.out,
      Contains("question 0, repeat 0: flexible (B) (right) -> (A) (wrong)") &&
          Contains("1 answers scored again, 1 changed (flexible-extract of 0.4.12, was 0.4.13); nothing "
                   "written"));
  CHECK(read_run(folder).trials[0].score.flexible.extracted == "(B)");
  CHECK(gpqa("rescore r --flex-variant 0.4.12").code == 0);
  CHECK(read_run(folder).trials[0].score.flexible.extracted == "(A)");
  // The manifest says so: such a run is not gone on with as if nothing were changed.
  CHECK(read_run(folder).manifest.flex_variant == FlexVariant::v0_4_12);
  CHECK_THAT(differences(read_run(folder).manifest, run.manifest).at(0).field,
             Contains("scoring.flex_variant"));
  CHECK_THAT(gpqa("rescore r").out, Contains("(A) (wrong) -> (B) (right)"));
}
