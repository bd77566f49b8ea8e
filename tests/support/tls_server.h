// A server that speaks TLS with a certificate that nobody vouches for, and keeps what it was asked.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace gpqa::test {

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
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port); }
};

}  // namespace gpqa::test
