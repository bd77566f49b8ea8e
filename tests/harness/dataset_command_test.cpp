#include <cstdlib>
#include <sys/stat.h>

#include "harness/run_folders.h"
#include "tests/catch.h"
#include "tests/harness/fake_hub.h"
#include "tests/harness/scripted_run.h"
#include "tests/harness/shell.h"
#include "tests/harness/variable.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::FakeHub;
using gpqa_test::kSyntheticCsv;
using gpqa_test::Result;
using gpqa_test::Shell;
using gpqa_test::Variable;

namespace {

// Whatever was said, the token wasn't.
Result without_token(Result result) {
  CHECK_THAT(result.out + result.err, !Contains(FakeHub::kToken));
  return result;
}

TEST_CASE("dataset fetch downloads, says what came, and doesn't ask twice") {
  FakeHub hub(contents(kSyntheticCsv));
  const Variable endpoint("HF_ENDPOINT", hub.hub.url().c_str());
  const Variable token("HF_TOKEN", FakeHub::kToken);
  const Shell gpqa;
  const auto before = ::umask(0);
  const auto first = without_token(gpqa("dataset fetch"));
  ::umask(before);
  CHECK(first.code == 0);
  CHECK(first.err.empty());
  CHECK_THAT(first.out, Contains("gpqa_diamond.csv: GPQA diamond, 198 rows") &&
                            Contains(sha256_hex(hub.bytes)) && Contains(FakeHub::kCommit) &&
                            Contains("canary    in every row"));
  struct stat info {};
  REQUIRE(::stat((gpqa.folder.path() / "gpqa_diamond.csv").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  const auto second = without_token(gpqa("dataset fetch diamond"));
  CHECK(second.code == 0);
  CHECK_THAT(second.out, Contains("nothing was downloaded") && Contains(sha256_hex(hub.bytes)));
  CHECK(hub.hub.asked().size() == 1);

  const auto other = without_token(gpqa("dataset fetch main --revision refs/pr/1 --out m.csv"));
  CHECK(other.code == 2);
  CHECK_THAT(other.err,
             Contains("expected the 448 rows of gpqa_main.csv, found 198") && Contains("m.csv.rejected"));
  CHECK(hub.hub.asked().back().path == "/datasets/Idavidrein/gpqa/resolve/refs%2Fpr%2F1/gpqa_main.csv");
}

TEST_CASE("dataset fetch takes the token from a file, and never shows it") {
  FakeHub hub(contents(kSyntheticCsv));
  const Variable endpoint("HF_ENDPOINT", hub.hub.url().c_str());
  const Variable token("HF_TOKEN", nullptr);
  const Shell gpqa;
  const auto refused = gpqa("dataset fetch");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err,
             Contains("a token is needed") && Contains("https://huggingface.co/settings/tokens"));

  const auto file = gpqa.write("token", std::string(FakeHub::kToken) + "\n");
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  {
    const auto lock = hub.hub.lock();
    hub.hub_errors = {{403, {{"X-Error-Message", std::string("\x1b[31m") + FakeHub::kToken}}}};
  }
  const auto terms = without_token(gpqa("dataset fetch --token-file token"));
  CHECK(terms.code == 2);
  CHECK_THAT(terms.err, Contains("accept the terms") && Contains("chmod 600") && !Contains("\x1b"));
  CHECK(without_token(gpqa("dataset fetch --token-file token")).code == 0);

  gpqa.write("token", std::string(FakeHub::kToken) + " x\n");
  const auto bad = without_token(gpqa("dataset fetch --force --token-file token"));
  CHECK(bad.code == 2);
  CHECK_THAT(bad.err, Contains("token: expected one line"));
}

TEST_CASE("dataset check says what a file is") {
  const Shell gpqa;
  auto result = gpqa("dataset check " + shell_quote(kSyntheticCsv));
  CHECK(result.code == 0);
  CHECK_THAT(result.out, Contains("GPQA diamond, 198 rows") &&
                             Contains(sha256_hex(contents(kSyntheticCsv))) &&
                             Contains("usable    by gpqa run"));

  gpqa.write("own.csv",
             "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Record ID\n"
             "secret,right,right,c,d,r1\nsecret,a,b,,d,r1\n");
  result = gpqa("dataset check own.csv");
  CHECK(result.code == 0);
  CHECK_THAT(result.out,
             Contains("own.csv: a custom set, 2 rows") && Contains("no column \"Canary String\"") &&
                 Contains("row 1: the same question as row 0") &&
                 Contains("row 1: the same \"Record ID\" as row 0") &&
                 Contains("row 0: \"Correct Answer\" and \"Incorrect Answer 1\" are the same") &&
                 Contains("row 1: \"Incorrect Answer 2\" is empty") && Contains("see the warnings"));
  CHECK_THAT(result.out, !Contains("secret") && !Contains("right"));

  gpqa.write("bad.csv", "Question,Correct Answer,Incorrect Answer 1\nsecret,b,c\n");
  result = gpqa("dataset check bad.csv");
  CHECK(result.code == 2);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, Contains("bad.csv:1: no column \"Incorrect Answer 2\", \"Incorrect Answer 3\"") &&
                             !Contains("secret"));
}

TEST_CASE("dataset refuses what it can't do") {
  const Variable endpoint("HF_ENDPOINT", "http://hub.example");
  const Variable token("HF_TOKEN", FakeHub::kToken);
  const Shell gpqa;
  const auto refused = [&](const std::string& arguments, const std::string& words) {
    const auto result = without_token(gpqa(arguments));
    INFO(arguments);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, Contains(words));
  };
  refused("dataset", "subcommand");
  refused("dataset fetsh", "unknown command 'fetsh'; did you mean 'fetch'?");
  refused("dataset fetch diamont", "diamont");
  refused("dataset fetch", "http://hub.example would carry your token");
  refused("dataset fetch --token-file nowhere", "nowhere: can't be read: No such file");
  refused("dataset check", "FILE");
  refused("dataset check nowhere.csv", "nowhere.csv: No such file");
}

}  // namespace
