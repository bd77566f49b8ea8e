#include "runners/remote/http_client.h"

#include <cstdlib>
#include <thread>

#include <httplib.h>

#include "prompts/input_error.h"
#include "runners/remote/curl_handle.h"
#include "tests/catch.h"
#include "tests/runners/remote/fault_server.h"

namespace gpqa {
namespace {

struct Server {
  httplib::Server http;
  int port = 0;
  std::thread thread;

  Server() {
    http.Get("/props", [](const httplib::Request&, httplib::Response& r) {
      r.set_content("{\"a\":1}", "application/json");
    });
    http.Post("/echo", [](const httplib::Request& q, httplib::Response& r) {
      r.status = 201;
      r.set_header("X-Key", q.get_header_value("Authorization"));
      r.set_content(q.body + "|" + q.get_header_value("Content-Type"), "text/plain");
    });
    http.Get("/big", [](const httplib::Request&, httplib::Response& r) {
      r.set_content(std::string(5000, 'x'), "text/plain");
    });
    http.Get("/moved", [](const httplib::Request&, httplib::Response& r) { r.set_redirect("/props"); });
    port = http.bind_to_any_port("127.0.0.1");
    thread = std::thread([this] { http.listen_after_bind(); });
    while (!http.is_running()) {
      std::this_thread::yield();
    }
  }
  ~Server() {
    http.stop();
    thread.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
};

TEST_CASE("an address is taken as people paste it") {
  CHECK(base_url("http://127.0.0.1:8099") == "http://127.0.0.1:8099");
  CHECK(base_url("http://127.0.0.1:8099/") == "http://127.0.0.1:8099");
  CHECK(base_url("http://h/v1/") == "http://h");
  CHECK(base_url("https://h:444/x/v1/chat/completions") == "https://h:444/x");
  CHECK(base_url("http://[::1]:80/llama/") == "http://[::1]:80/llama");
  for (const char* bad : {"", "ftp://h", "127.0.0.1:8099", "file:///etc/passwd", "http://"}) {
    CHECK_THROWS_AS(base_url(bad), InputError);
  }
  CHECK_THROWS_WITH(base_url("http://me:secret@h"),
                    Catch::Contains("--api-key-env") && !Catch::Contains("secret"));
}

TEST_CASE("GET and POST bring status, headers and body") {
  const Server server;
  HttpClient client({.url = server.url() + "/", .api_key = "k1"});
  CHECK(client.get("/props").body == "{\"a\":1}");
  CHECK(client.get("/none").status == 404);
  const auto echo = client.post_json("/echo", "{}");
  CHECK(echo.status == 201);
  CHECK(echo.body == "{}|application/json");
  CHECK(echo.headers.at("x-key") == "Bearer k1");
  CHECK(client.get("/moved").status == 302);  // not followed
}

TEST_CASE("no answer is an error that names the address and what to look at") {
  int port = 0;
  {
    const Server gone;
    port = gone.port;
  }
  HttpClient client({.url = "http://127.0.0.1:" + std::to_string(port), .api_key = "secret"});
  CHECK_THROWS_WITH(client.get("/health"),
                    Catch::Contains("127.0.0.1:" + std::to_string(port) + ": connection refused") &&
                        Catch::Contains("Is llama-server running there?") && !Catch::Contains("secret"));
}

TEST_CASE("a key that no header can hold is refused without being shown") {
  HttpClient client({.url = "http://127.0.0.1:9", .api_key = "secret\r\nX-Evil: 1"});
  CHECK_THROWS_WITH(client.get("/health"), Catch::Contains("line break") && !Catch::Contains("secret"));
}

TEST_CASE("a proxy of the environment never stands before the loopback") {
  const Server server;
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  HttpClient client({.url = server.url(), .api_key = ""});
  CHECK(client.get("/props").status == 200);
  CHECK_THROWS_AS(HttpClient({.url = "http://gpqa.invalid", .api_key = ""}).get("/props"), TransportError);
  unsetenv("http_proxy");
}

TEST_CASE("headers without an end are not kept") {
  gpqa_test::FaultServer server([](int, const std::string&, const gpqa_test::Connection& client) {
    client.send("HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 400; ++i) {
      client.send("X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n");
    }
    client.send("\r\n{}");
    client.wait_for_close(5);
  });
  HttpClient client({.url = server.url(), .api_key = ""});
  CHECK_THROWS_AS(client.post_json("/x", "{}"), TransportError);
}

TEST_CASE("a body beyond the bound is not kept") {
  const Server server;
  HttpClient client({.url = server.url(), .api_key = "", .max_body_bytes = 1000});
  CHECK_THROWS_AS(client.get("/big"), TransportError);
  CHECK(client.get("/props").status == 200);
}

}  // namespace
}  // namespace gpqa
