#include "harness/hub/hub_address.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/hub/hub_token.h"
#include "prompts/input_error.h"
#include "runners/remote/http_client.h"
#include "runners/remote/url.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

using Catch::Contains;

TEST_CASE("a hub's address is https, or of this machine") {
  CHECK(hub_endpoint("https://huggingface.co/") == "https://huggingface.co");
  CHECK(hub_endpoint("https://Mirror.example:8443/hub//") == "https://mirror.example:8443/hub");
  CHECK(hub_endpoint("http://127.0.0.1:80/") == "http://127.0.0.1:80");
  CHECK(hub_endpoint("http://[::1]:80") == "http://[::1]:80");
  CHECK(hub_endpoint("http://localhost") == "http://localhost");
  for (const char* bad :
       {"", "huggingface.co", "ftp://huggingface.co", "http://huggingface.co", "http://127.0.0.1.example.org",
        "http://127.example.org", "http://localhost.example.org", "https://me:secret@huggingface.co",
        "https://huggingface.co/?a=b"}) {
    INFO(bad);
    CHECK_THROWS_WITH(hub_endpoint(bad),
                      Contains("HF_ENDPOINT") && Contains("https://") && !Contains("secret"));
  }
}

TEST_CASE("a revision stays one part of the address") {
  const auto url = [](const std::string& revision) {
    return hub_url("https://h", {.revision = revision, .name = "gpqa_main.csv"});
  };
  CHECK(url("main") == "https://h/datasets/Idavidrein/gpqa/resolve/main/gpqa_main.csv");
  CHECK(url("refs/pr/1") == "https://h/datasets/Idavidrein/gpqa/resolve/refs%2Fpr%2F1/gpqa_main.csv");
  for (const char* bad : {"", ".", "..", "a/../b", "a b", "a\r\nX: y", "a?b", "a#b", "%2e%2e"}) {
    INFO(bad);
    CHECK_THROWS_AS(url(bad), InputError);
  }
}

TEST_CASE("redirects never leave https, and http never this machine") {
  const std::string hub = "https://huggingface.co/datasets/x/y/resolve/main/z";
  CHECK(hub_redirect(hub, "https://cdn.example/a?b=%2F") == "https://cdn.example/a?b=%2F");
  CHECK(hub_redirect(hub, "/api/z") == "https://huggingface.co/api/z");
  CHECK(hub_redirect("http://127.0.0.1:1/", "http://127.0.0.1:2/a") == "http://127.0.0.1:2/a");
  CHECK(hub_redirect("http://127.0.0.1:1/", "https://cdn.example/a") == "https://cdn.example/a");
  CHECK_THROWS_WITH(hub_redirect(hub, "http://huggingface.co/z?Signature=s"),
                    Contains("http://huggingface.co:80") && !Contains("Signature"));
  CHECK_THROWS_AS(hub_redirect(hub, "http://127.0.0.1/z"), TransportError);
  CHECK_THROWS_AS(hub_redirect("http://127.0.0.1:1/", "http://cdn.example/a"), TransportError);
  for (const char* bad : {"", "file:///etc/passwd", "https://", "https://a b/"}) {
    CHECK_THROWS_AS(hub_redirect(hub, bad), TransportError);
  }
}

TEST_CASE("two addresses of one server have one origin") {
  CHECK(parse_url("https://H/a")->origin() == parse_url("https://h:443/b?c")->origin());
  CHECK(parse_url("https://h")->origin() != parse_url("http://h")->origin());
  CHECK(parse_url("https://h")->origin() != parse_url("https://h:444")->origin());
  CHECK(parse_url("https://h@evil.example")->host == "evil.example");
}

TEST_CASE("a token is one line of a file, and never shown") {
  const TemporaryFolder folder;
  const auto file = (folder.path() / "token").string();
  const auto read = [&](const std::string& text) {
    std::ofstream(file) << text;
    return hub_token(file);
  };
  CHECK(read("hf_abc\n") == "hf_abc");
  CHECK(read("hf_abc\r\n") == "hf_abc");
  for (const std::string bad :
       {"", "\n", "hf_a bc\n", " hf_abc", "hf_abc\nhf_def\n", "hf_\x1b[31m", "hf_\xC3\xA4"}) {
    CHECK_THROWS_WITH(read(bad), Contains(file) && Contains("expected one line") && !Contains("abc"));
  }
  CHECK_THROWS_WITH(read(std::string(5000, 'x')), Contains("expected one line"));
  CHECK_THROWS_WITH(hub_token((folder.path() / "none").string()), Contains("No such file"));
  CHECK_THROWS_AS(hub_token(folder.path().string()), InputError);
}

TEST_CASE("a token that others can read is warned of") {
  const TemporaryFolder folder;
  const auto file = (folder.path() / "token").string();
  std::ofstream(file) << "hf_abc";
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  CHECK_THAT(token_file_warning(file), Contains("chmod 600") && Contains(file));
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  CHECK(token_file_warning(file).empty());
  CHECK(token_file_warning("").empty());
}

TEST_CASE("a token in a text is blotted out") {
  CHECK(without_token("a hf_x b hf_x", "hf_x") == "a *** b ***");
  CHECK(without_token("a", "") == "a");
  CHECK(without_token("**", "*") == "******");
}

}  // namespace
}  // namespace gpqa
