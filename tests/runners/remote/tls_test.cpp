// Who answers over TLS is verified, unless the system trusts them there is no answer.
#include <memory>
#include <thread>

#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "runners/remote/http_client.h"
#include "runners/remote/llama_server_runner.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

using Catch::Matchers::Contains;

// Of 127.0.0.1, and signed by itself.
struct Certificate {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_RSA_gen(2048), &EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> x509{X509_new(), &X509_free};

  Certificate() {
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
    X509_set_pubkey(x509.get(), key.get());
    X509_NAME* name = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"),
                               -1, -1, 0);
    X509_set_issuer_name(x509.get(), name);
    X509_sign(x509.get(), key.get(), EVP_sha256());
  }
};

struct TlsServer {
  Certificate certificate;
  httplib::SSLServer http{certificate.x509.get(), certificate.key.get()};
  std::string asked;  // what came to be read
  int port = 0;
  std::thread thread;

  TlsServer() {
    const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
      asked += request.path + request.get_header_value("Authorization");
      response.set_content("{}", "application/json");
    };
    http.Get(".*", answer);
    http.Post(".*", answer);
    port = http.bind_to_any_port("127.0.0.1");
    thread = std::thread([this] { http.listen_after_bind(); });
    while (!http.is_running()) std::this_thread::yield();
  }
  ~TlsServer() {
    http.stop();
    thread.join();
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  HttpOptions options() const {
    return {.url = "https://127.0.0.1:" + std::to_string(port), .api_key = "a-secret-key"};
  }
};

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
  HttpClient client(server.options());
  CHECK_THROWS_WITH(client.get("/props"), Contains("the server's certificate is not trusted"));
  CHECK(server.asked.empty());
}

TEST_CASE("neither does a question go to a server whose certificate nobody vouches for") {
  const TlsServer server;
  LlamaServerOptions options;
  options.sampling.max_tokens = 10;
  options.retry.max_retries = 0;
  LlamaServerRunner runner(options, {{.http = server.options(), .info = {}}});
  OneQuestion question;
  Kept kept;
  runner.run(question, kept, {});
  CHECK(kept.completion.outcome == Outcome::failed);
  CHECK_THAT(kept.completion.error, Contains("the server's certificate is not trusted"));
  CHECK(server.asked.empty());
}

}  // namespace
}  // namespace gpqa
