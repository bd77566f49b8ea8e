// Who answers over TLS is verified, unless the system trusts them there is no answer.
#include <optional>
#include <string>
#include <utility>

#include "runners/remote/http_client.h"
#include "runners/remote/llama_server_runner.h"
#include "tests/catch.h"
#include "tests/support/tls_server.h"

namespace gpqa {
namespace {

using Catch::Matchers::Contains;
using test::TlsServer;

HttpOptions options_of(const TlsServer& server) {
  return {.url = server.url(), .api_key = "a-secret-key"};
}

struct OneQuestion : RequestSource {
  bool asked = false;
  std::optional<Request> next() override {
    if (std::exchange(asked, true)) return std::nullopt;
    return Request{.id = {0, 0}, .prompt = "?", .seed = 1};
  }
};

struct Kept : Sink {
  Completion completion;
  void on_done(Completion done) override { completion = std::move(done); }
};

TEST_CASE("a certificate that nobody vouches for: no key is sent, and the error says why") {
  const TlsServer server;
  HttpClient client(options_of(server));
  CHECK_THROWS_WITH(client.get("/props"), Contains("the server's certificate is not trusted"));
  CHECK(server.asked.empty());
}

TEST_CASE("neither does a question go to a server whose certificate nobody vouches for") {
  const TlsServer server;
  LlamaServerOptions options;
  options.sampling.max_tokens = 10;
  options.retry.max_retries = 0;
  LlamaServerRunner runner(options, {{.http = options_of(server), .info = {}}});
  OneQuestion question;
  Kept kept;
  runner.run(question, kept, {});
  CHECK(kept.completion.outcome == Outcome::failed);
  CHECK_THAT(kept.completion.error, Contains("the server's certificate is not trusted"));
  CHECK(server.asked.empty());
}

}  // namespace
}  // namespace gpqa
