// Plays what a server can do to a client, one script a request, on raw sockets: a well-behaved HTTP library
// can't break off in the middle of a chunk.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace gpqa_test {

class Connection {
 public:
  Connection(int fd, std::atomic<bool>& kept_open) : fd_(fd), kept_open_(kept_open) {}
  void send(const std::string& bytes) const { (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // The connection is reset (RST), not closed in order.
  void reset() const {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  // Waits for the first byte of what the client sends next.
  void wait_for_bytes() const {
    char byte = 0;
    (void)recv(fd_, &byte, 1, 0);
  }
  // Waits until the client closes or resets; if it doesn't in time, FaultServer::kept_open() says so.
  void wait_for_close(int seconds) const {
    const timeval limit{.tv_sec = seconds, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char byte = 0;
    if (recv(fd_, &byte, 1, 0) != 0 && errno != ECONNRESET) {
      kept_open_ = true;
    }
  }

 private:
  int fd_;
  std::atomic<bool>& kept_open_;
};

class FaultServer {
 public:
  // `script(n, request body, connection)` answers the n-th request (from 0); the connection closes after it.
  using Script = std::function<void(int, const std::string&, const Connection&)>;

  explicit FaultServer(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 128);
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~FaultServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& thread : threads_) {
      thread.join();
    }
    close(listener_);
  }
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }
  int most_at_once() const { return most_at_once_; }
  bool kept_open() const { return kept_open_; }  // a client did not close where it should have

  // What it says to /health, /props and /v1/models. Before the first request.
  void tell(const std::string& json) { told_ = json; }
  // The same for one path; "" is a 503.
  void tell(const std::string& path, std::function<std::string()> json) { told_at_[path] = std::move(json); }
  // It says nothing there any more, or again.
  void be_unwell(bool unwell) { unwell_ = unwell; }

 private:
  static constexpr std::string_view kGet = "GET ";

  std::string page_of(const std::string& path) const {
    const auto at = told_at_.find(path);
    const std::string json = at == told_at_.end() ? told_ : at->second();
    return json.empty() ? "HTTP/1.1 503 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" : ok_page(json);
  }

  static std::string ok_page(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
  }

  void accept_all() {
    while (!stopping_) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) {
        return;
      }
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const std::string body = read_request(fd);
    if (body.starts_with(kGet)) {
      if (!unwell_) {
        Connection(fd, kept_open_).send(page_of(body.substr(kGet.size())));
      }
    } else if (!body.empty()) {
      const int now = ++at_once_;
      for (int most = most_at_once_; now > most && !most_at_once_.compare_exchange_weak(most, now);) {
      }
      script_(requests_++, body, Connection(fd, kept_open_));
      --at_once_;
    }
    close(fd);
  }

  static std::string read_request(int fd) {
    std::string bytes;
    char buffer[4096];
    while (true) {
      const auto head_end = bytes.find("\r\n\r\n");
      if (head_end != std::string::npos) {
        const auto at = bytes.find("Content-Length: ");
        const std::size_t length = at == std::string::npos ? 0 : std::stoul(bytes.substr(at + 16));
        if (bytes.starts_with(kGet)) {
          return bytes.substr(0, bytes.find(' ', kGet.size()));
        }
        if (bytes.size() >= head_end + 4 + length) {
          return bytes.substr(head_end + 4, length);
        }
      }
      const auto got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) {
        return "";
      }
      bytes.append(buffer, static_cast<std::size_t>(got));
    }
  }

  Script script_;
  std::map<std::string, std::function<std::string()>> told_at_;
  std::string told_ = R"({"status":"ok"})";
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> unwell_ = false;
  std::atomic<int> requests_ = 0;
  std::atomic<int> at_once_ = 0;
  std::atomic<int> most_at_once_ = 0;
  std::atomic<bool> kept_open_ = false;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

// What a well-behaved llama-server would send.
inline std::string stream_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
}
inline std::string event(const std::string& json) {
  return "data: " + json + "\n\n";
}
inline std::string content_event(const std::string& text) {
  return event(R"({"choices":[{"delta":{"content":")" + text + R"("},"finish_reason":null}]})");
}
inline std::string last_events(const std::string& finish = "stop", int tokens = 5) {
  return event(R"({"choices":[{"delta":{},"finish_reason":")" + finish + R"("}]})") +
         event(R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":)" + std::to_string(tokens) +
               "}}") +
         "data: [DONE]\n\n";
}
inline std::string whole_answer(const std::string& text = "(A)") {
  return stream_head() + content_event(text) + last_events();
}
// As llama-server does it: chunked, so that the connection can be used again.
inline std::string chunked_answer(const std::string& text = "(A)") {
  const std::string body = content_event(text) + last_events();
  char size[20];
  std::snprintf(size, sizeof size, "%zx", body.size());
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
         std::string(size) + "\r\n" + body + "\r\n0\r\n\r\n";
}
inline std::string error_page(int status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}
inline std::string llama_error(int code, const std::string& message) {
  return R"({"error":{"code":)" + std::to_string(code) + R"(,"message":")" + message + R"(","type":"t"}})";
}

}  // namespace gpqa_test
