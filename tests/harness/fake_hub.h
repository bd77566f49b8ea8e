// The Hugging Face hub and the CDN it leads to, as far as a download sees them: two servers of the loopback.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <httplib.h>

#include "prompts/sha256.h"

namespace gpqa_test {

struct Asked {
  std::string path, authorization, range;
};

class LoopbackServer {
 public:
  using Answer = std::function<void(const httplib::Request&, httplib::Response&)>;

  explicit LoopbackServer(Answer answer) {
    http_.Get(".*", [this, answer = std::move(answer)](const httplib::Request& request,
                                                       httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      asked_.push_back(
          {request.target, request.get_header_value("Authorization"), request.get_header_value("Range")});
      // The library would cut any answer to the range asked for; the real servers look at If-Range first.
      const_cast<httplib::Request&>(request).ranges.clear();
      answer(request, response);
    });
    port_ = http_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { http_.listen_after_bind(); });
    while (!http_.is_running()) std::this_thread::yield();
  }
  ~LoopbackServer() {
    http_.stop();
    thread_.join();
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  // No request is answered while it is held.
  std::unique_lock<std::mutex> lock() const { return std::unique_lock(mutex_); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<Asked> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  httplib::Server http_;
  int port_ = 0;
  std::thread thread_;
};

struct FakeHub {
  static constexpr const char* kToken = "hf_ATokenOfATest";
  static constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

  struct Error {
    int status;
    std::map<std::string, std::string> headers = {};
  };

  FakeHub() = default;
  explicit FakeHub(std::string file) : bytes(std::move(file)) {}

  // Set these before the first request, or between two; under hub.lock() where the program asks, not this
  // process.
  std::string bytes;
  std::string etag = "\"one\"";
  bool redirects = true;
  bool names_hash = true;  // X-Linked-Etag and X-Linked-Size
  bool honours_range = true;
  std::size_t breaks_at = SIZE_MAX;  // once: the connection ends before this byte
  std::deque<Error> hub_errors;      // the first answers, one each
  std::deque<Error> cdn_errors;
  std::function<std::string()> location;  // instead of the CDN's

  LoopbackServer cdn{[this](const auto& request, auto& response) {
    if (!fails(cdn_errors, response)) send_file(request, response);
  }};
  LoopbackServer hub{[this](const auto& request, auto& response) { answer(request, response); }};

 private:
  static bool fails(std::deque<Error>& errors, httplib::Response& response) {
    if (errors.empty()) return false;
    response.status = errors.front().status;
    for (const auto& [name, value] : errors.front().headers) response.set_header(name, value);
    errors.pop_front();
    return true;
  }

  void answer(const httplib::Request& request, httplib::Response& response) {
    if (fails(hub_errors, response)) return;
    const auto authorization = request.get_header_value("Authorization");
    if (authorization != std::string("Bearer ") + kToken) {
      response.status = 401;
      if (authorization.empty()) response.set_header("X-Error-Code", "GatedRepo");
      response.set_header("X-Error-Message", authorization.empty()
                                                 ? "Access to dataset Idavidrein/gpqa is restricted."
                                                 : "Invalid credentials in Authorization header");
      return;
    }
    response.set_header("X-Repo-Commit", kCommit);
    if (names_hash) {
      response.set_header("X-Linked-Etag", "\"" + gpqa::sha256_hex(bytes) + "\"");
      response.set_header("X-Linked-Size", std::to_string(bytes.size()));
    }
    if (!redirects) return send_file(request, response);
    response.status = 302;
    response.set_header("Location", location ? location() : cdn.url() + "/blob?Signature=signed-for-you");
  }

  void send_file(const httplib::Request& request, httplib::Response& response) {
    std::size_t from = 0;
    if (honours_range && request.has_header("Range") && request.get_header_value("If-Range") == etag) {
      from = std::stoul(request.get_header_value("Range").substr(6));  // "bytes=N-"
      if (from >= bytes.size()) {
        response.status = 416;
        response.set_header("Content-Range", "bytes */" + std::to_string(bytes.size()));
        return;
      }
      response.status = 206;
      response.set_header("Content-Range", "bytes " + std::to_string(from) + "-" +
                                               std::to_string(bytes.size() - 1) + "/" +
                                               std::to_string(bytes.size()));
    } else {
      response.status = 200;
    }
    response.set_header("ETag", etag);
    const auto end = std::exchange(breaks_at, SIZE_MAX);
    response.set_content_provider(
        bytes.size() - from, "text/csv",
        [from, end, text = bytes](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          const auto at = from + offset;
          if (at >= end) return false;
          return sink.write(text.data() + at, std::min(length, end - at));
        });
  }
};

}  // namespace gpqa_test
