#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include "harness/hub/fetch_dataset.h"
#include "harness/hub/hub_token.h"
#include "prompts/input_error.h"
#include "runners/remote/http_client.h"
#include "tests/catch.h"
#include "tests/harness/fake_hub.h"
#include "tests/harness/scripted_run.h"
#include "tests/harness/shell.h"
#include "tests/harness/variable.h"
#include "tests/support/tls_server.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;
using Catch::Contains;
using gpqa_test::contents;
using gpqa_test::FakeHub;

std::string synthetic() {
  static const std::string text = contents(gpqa_test::kSyntheticCsv);
  return text;
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777;
}

// One user, one folder, one hub. Nobody waits.
struct Fetching {
  TemporaryFolder folder;
  FakeHub hub;
  HubOptions options;
  std::vector<double> waits;
  std::string troubles;

  Fetching() {
    hub.bytes = synthetic();
    options.endpoint = hub.hub.url();
    options.token = FakeHub::kToken;
    options.sleep = [this](double seconds) { waits.push_back(seconds); };
    options.on_trouble = [this](std::string_view words) { troubles += std::string(words) + "\n"; };
  }

  fs::path out() const { return folder.path() / "gpqa_diamond.csv"; }
  fs::path part() const { return out().string() + ".part"; }
  FetchedDataset operator()(bool force = false) const {
    return fetch_dataset(options, "diamond", out(), force);
  }

  std::string refusal() const {
    try {
      (*this)();
    } catch (const std::exception& error) {
      CHECK_THAT(error.what(), !Contains(options.token) && !Contains("signed-for-you"));
      return error.what();
    }
    return "";
  }
};

TEST_CASE("a set comes from the hub itself, or from where the hub leads") {
  const bool redirects = GENERATE(false, true);
  Fetching fetch;
  fetch.hub.redirects = redirects;
  const auto fetched = fetch();
  CHECK(contents(fetch.out()) == synthetic());
  CHECK(mode_of(fetch.out()) == 0600);
  CHECK(fetched.report.set == "diamond");
  CHECK(fetched.report.sha256 == sha256_hex(synthetic()));
  CHECK(fetched.commit == FakeHub::kCommit);
  CHECK_FALSE(fs::exists(fetch.part()));
  CHECK_FALSE(fs::exists(fetch.part().string() + ".etag"));
  REQUIRE(fetch.hub.hub.asked().size() == 1);
  CHECK(fetch.hub.hub.asked()[0].path == "/datasets/Idavidrein/gpqa/resolve/main/gpqa_diamond.csv");
  CHECK(fetch.hub.cdn.asked().size() == (redirects ? 1 : 0));
}

TEST_CASE("the token goes to the hub alone, also when another server leads back") {
  Fetching fetch;
  fetch();
  CHECK(fetch.hub.hub.asked().at(0).authorization == std::string("Bearer ") + FakeHub::kToken);
  CHECK(fetch.hub.cdn.asked().at(0).authorization.empty());

  Fetching back;
  back.hub.cdn_errors = {{302, {{"Location", back.hub.hub.url() + "/elsewhere"}}}};
  back.options.limits.max_tries = 1;
  CHECK_THAT(back.refusal(), Contains("answered 401"));
  CHECK(back.hub.hub.asked().at(1).path == "/elsewhere");
  CHECK(back.hub.hub.asked().at(1).authorization.empty());
}

TEST_CASE("a redirect within the hub keeps the token; more than five end it") {
  Fetching fetch;
  fetch.hub.hub_errors = {{307, {{"Location", "/api/resolve-cache/x?y=%2F"}}}};
  fetch();
  CHECK(fetch.hub.hub.asked().at(1).path == "/api/resolve-cache/x?y=%2F");
  CHECK_FALSE(fetch.hub.hub.asked().at(1).authorization.empty());

  Fetching circle;
  circle.hub.location = [&] { return circle.hub.hub.url() + "/again"; };
  CHECK_THAT(circle.refusal(), Contains("more than 5 redirects"));
  CHECK(circle.hub.hub.asked().size() == 6);
}

TEST_CASE("what broke off goes on from there, in the same call") {
  Fetching fetch;
  fetch.hub.breaks_at = 1000;
  fetch();
  CHECK(contents(fetch.out()) == synthetic());
  CHECK(fetch.hub.cdn.asked().at(1).range == "bytes=1000-");
  CHECK(fetch.waits == std::vector<double>{1});
  CHECK_THAT(fetch.troubles, Contains("1000 bytes are there") && Contains("trying again in 1 s (2 of 5)"));
}

TEST_CASE("what broke off goes on from there, in the next call") {
  Fetching fetch;
  fetch.options.limits.max_tries = 1;
  fetch.hub.breaks_at = 1000;
  CHECK_THAT(fetch.refusal(), Contains("1000 bytes are kept in " + fetch.part().string()));
  CHECK_FALSE(fs::exists(fetch.out()));
  CHECK(contents(fetch.part()) == synthetic().substr(0, 1000));
  CHECK(mode_of(fetch.part()) == 0600);
  CHECK(contents(fetch.part().string() + ".etag") == "\"one\"");

  SECTION("only the rest is asked for") {
    CHECK(fetch().resumed_at == 1000);
    CHECK(fetch.hub.cdn.asked().back().range == "bytes=1000-");
  }
  SECTION("another version is begun anew") {
    fetch.hub.etag = "\"two\"";
    CHECK(fetch().resumed_at == 0);
    CHECK(fetch.hub.cdn.asked().back().range == "bytes=1000-");
  }
  SECTION("a server without ranges sends all of it") {
    fetch.hub.honours_range = false;
    CHECK(fetch().resumed_at == 0);
  }
  SECTION("a part without its ETag is of no use") {
    fs::remove(fetch.part().string() + ".etag");
    fetch();
    CHECK(fetch.hub.cdn.asked().back().range.empty());
  }
  SECTION("a part longer than the file is begun anew") {
    std::ofstream(fetch.part(), std::ios::app) << synthetic();
    fetch.options.limits.max_tries = 2;
    fetch();
    CHECK_THAT(fetch.troubles, Contains("no part of the file any more"));
  }
  SECTION("a part of other bytes is found out by the hash") {
    std::ofstream(fetch.part(), std::ios::in | std::ios::out) << "damaged";
    fetch.options.limits.max_tries = 2;
    fetch();
    CHECK_THAT(fetch.troubles, Contains("not the one that the hub names"));
  }
  CHECK(contents(fetch.out()) == synthetic());
}

TEST_CASE("an ETag that promises nothing is not gone on with") {
  Fetching fetch;
  fetch.hub.etag = "W/\"weak\"";
  fetch.hub.breaks_at = 1000;
  fetch();
  CHECK(fetch.hub.cdn.asked().at(1).range.empty());
  CHECK(contents(fetch.out()) == synthetic());
}

TEST_CASE("refusals say what to do") {
  Fetching fetch;
  SECTION("no token") {
    fetch.options.token = "";
    try {
      fetch();
      FAIL("was let in");
    } catch (const InputError& error) {
      CHECK_THAT(error.what(), Contains("a token is needed") &&
                                   Contains("https://huggingface.co/settings/tokens") &&
                                   Contains("HF_TOKEN") && Contains("--token-file") &&
                                   Contains("Access to dataset Idavidrein/gpqa is restricted"));
    }
    CHECK(fetch.hub.hub.asked().at(0).authorization.empty());
  }
  SECTION("a wrong one") {
    fetch.options.token = "hf_other";
    CHECK_THAT(fetch.refusal(), Contains("does not know this token") && Contains("expired"));
  }
  SECTION("the terms") {
    fetch.hub.hub_errors = {{403, {{"X-Error-Code", "GatedRepo"}}}};
    CHECK_THAT(fetch.refusal(),
               Contains("accept the terms at https://huggingface.co/datasets/Idavidrein/gpqa with "
                        "the account of this token, then run the same command again"));
  }
  SECTION("not there") {
    const auto [code, words] = GENERATE(
        table<std::string, std::string>({{"RepoNotFound", "no data set Idavidrein/gpqa"},
                                         {"RevisionNotFound", "no revision \"main\""},
                                         {"EntryNotFound", "no file gpqa_diamond.csv at revision \"main\""},
                                         {"", "one of them is not at the hub"}}));
    fetch.hub.hub_errors = {{404, {{"X-Error-Code", code}}}};
    CHECK_THAT(fetch.refusal(), Contains(words));
  }
  SECTION("the token sent back, and an escape") {
    fetch.hub.hub_errors = {{403, {{"X-Error-Message", std::string("who is ") + FakeHub::kToken + "?"}}}};
    CHECK_THAT(fetch.refusal(), Contains("who is ***?"));
  }
  CHECK(fetch.waits.empty());
  CHECK(fs::is_empty(fetch.folder.path()));
}

TEST_CASE("faults that pass are tried again, as the server asks") {
  Fetching fetch;
  fetch.hub.hub_errors = {{503}, {429, {{"Retry-After", "7"}}}};
  fetch.hub.cdn_errors = {{403}};  // a signature that has run out
  fetch();
  CHECK(fetch.waits == std::vector<double>{1, 7, 4});
  CHECK_THAT(fetch.troubles,
             Contains("answered 503") && Contains("answered 429") && Contains("answered 403"));
}

TEST_CASE("faults that stay end it") {
  Fetching fetch;
  SECTION("after some tries") {
    fetch.hub.hub_errors.assign(5, {503, {{"X-Error-Message", "overloaded"}}});
    CHECK_THAT(fetch.refusal(),
               Contains("answered 503: overloaded; tried 5 times") && Contains("same command"));
    CHECK(fetch.waits == std::vector<double>{1, 2, 4, 8});
  }
  SECTION("at once if the server wants a long rest") {
    fetch.hub.hub_errors = {{429, {{"Retry-After", "3600"}}}};
    CHECK_THAT(fetch.refusal(), Contains("left alone for 3600 s"));
    CHECK(fetch.waits.empty());
  }
  SECTION("nobody there") {
    {
      const FakeHub gone;
      fetch.options.endpoint = gone.hub.url();
    }
    CHECK_THAT(fetch.refusal(), Contains(fetch.options.endpoint) && Contains("connection refused") &&
                                    Contains("HTTPS_PROXY") && Contains("tried 5 times"));
  }
  SECTION("a redirect to another machine without TLS") {
    fetch.hub.location = [] { return "http://example.org/blob"; };
    CHECK_THAT(fetch.refusal(), Contains("http://example.org:80") && Contains("not followed"));
  }
  SECTION("a redirect to nowhere") {
    fetch.hub.location = [] { return "file:///etc/passwd"; };
    CHECK_THAT(fetch.refusal(), Contains("leads to no address"));
  }
  SECTION("more bytes than any GPQA file has") {
    fetch.options.limits.max_bytes = 1000;
    fetch.hub.names_hash = GENERATE(false, true);
    CHECK_THAT(fetch.refusal(), Contains("more than 1000 bytes"));
  }
  CHECK(fs::is_empty(fetch.folder.path()));
}

TEST_CASE("a proxy is asked for another machine, and gets no token; the loopback needs none") {
  Fetching fetch;
  const gpqa_test::Variable https("https_proxy", fetch.hub.cdn.url().c_str());
  const gpqa_test::Variable http("http_proxy", "http://127.0.0.1:1");
  const gpqa_test::Variable none("no_proxy", nullptr);
  const gpqa_test::Variable none_too("NO_PROXY", nullptr);
  fetch();
  fs::remove(fetch.out());
  const auto asked = fetch.hub.cdn.asked().size();
  fetch.options.endpoint = "https://hub.invalid";
  fetch.options.limits.max_tries = 1;
  CHECK_THAT(fetch.refusal(), Contains("https://hub.invalid:443") && Contains("CONNECT"));
  CHECK(fetch.hub.cdn.asked().size() == asked);
}

TEST_CASE("a hub whose certificate nobody vouches for gets no token") {
  const test::TlsServer hub;
  Fetching fetch;
  fetch.options.endpoint = hub.url();
  CHECK_THAT(fetch.refusal(), Contains("the server's certificate is not trusted"));
  CHECK(hub.asked.empty());
}

TEST_CASE("a download of something else is kept beside") {
  Fetching fetch;
  const auto rejected = fetch.out().string() + ".rejected";
  SECTION("other columns") {
    fetch.hub.bytes = "a,b\n1,2\n";
    CHECK_THAT(fetch.refusal(), Contains(rejected + ":1: no column \"Question\", \"Correct Answer\"") &&
                                    Contains("kept as " + rejected));
  }
  SECTION("other rows") {
    fetch.hub.bytes =
        "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\nq,a,b,c,d\n";
    CHECK_THAT(fetch.refusal(), Contains("expected the 198 rows of gpqa_diamond.csv, found 1"));
  }
  SECTION("over a file that is there") {
    std::ofstream(fetch.out()) << "old";
    fetch.hub.bytes = "a,b\n1,2\n";
    CHECK_THROWS_AS(fetch(true), InputError);
    CHECK(contents(fetch.out()) == "old");
    fs::remove(fetch.out());
  }
  CHECK(contents(rejected) == fetch.hub.bytes);
  CHECK(mode_of(rejected) == 0600);
  CHECK_FALSE(fs::exists(fetch.out()));
  CHECK_FALSE(fs::exists(fetch.part()));
}

TEST_CASE("a file that is there is kept, unless it is forced") {
  Fetching fetch;
  std::ofstream(fetch.out()) << synthetic();
  CHECK(fetch().was_there);
  CHECK(fetch.hub.hub.asked().empty());
  CHECK_FALSE(fetch(true).was_there);
  CHECK(mode_of(fetch.out()) == 0600);

  std::ofstream(fetch.out()) << "mine";
  CHECK_THAT(fetch.refusal(), Contains("no column") && Contains("--force"));
  CHECK(contents(fetch.out()) == "mine");
  fetch(true);
  CHECK(contents(fetch.out()) == synthetic());
  CHECK_THROWS_WITH(fetch_dataset(fetch.options, "main", fetch.out(), false),
                    Contains("expected the 448 rows of gpqa_main.csv, found 198"));
  CHECK_THROWS_WITH(fetch_dataset(fetch.options, "main", fetch.folder.path(), false),
                    Contains("is a folder"));
}

TEST_CASE("two downloads to one file don't mix") {
  const Fetching fetch;
  const PartialFile other(fetch.out());
  CHECK_THAT(fetch.refusal(), Contains("another download goes on there"));
}

TEST_CASE("a part that others could read is closed to them, and a link is not followed") {
  Fetching fetch;
  std::ofstream(fetch.part()) << "x";
  fs::permissions(fetch.part(), fs::perms(0644));
  {
    const PartialFile part(fetch.out());
    CHECK(mode_of(fetch.part()) == 0600);
  }
  fs::remove(fetch.part());
  fs::create_symlink("elsewhere", fetch.part());
  CHECK_THROWS_AS(fetch(), InputError);
  CHECK_FALSE(fs::exists(fetch.folder.path() / "elsewhere"));
}

}  // namespace
}  // namespace gpqa
