#include "tests/support/fixed_answer_server.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <httplib.h>

namespace gpqa::test {
namespace {

constexpr const char* kJson = "application/json; charset=utf-8";

// As many answers at a time as there are slots; the others wait without a byte, as llama-server's do.
class SlotGate {
 public:
  explicit SlotGate(std::int64_t slots) : free_(slots) {}

  bool enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_ > 0 || closed_; });
    if (closed_) return false;
    --free_;
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    ++free_;
    changed_.notify_one();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  // False if the server ends meanwhile.
  bool sleep(int ms) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return closed_; });
  }
  bool closed() {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t free_;
  bool closed_ = false;
};

struct Slot {
  explicit Slot(SlotGate& of) : gate(of), entered(of.enter()) {}
  ~Slot() {
    if (entered) gate.leave();
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  SlotGate& gate;
  bool entered;
};

}  // namespace

struct FixedAnswerServer::Impl {
  // One answer on its way, alive while it is written.
  struct Job {
    Job(Impl& server, ChatRequest chat_request)
        : request(std::move(chat_request)),
          slot(server.gate),
          generated(server.generate_answer(request)),
          writer(server.options.model, request, generated, ++server.asked) {}
    ChatRequest request;
    Slot slot;
    Generated generated;
    AnswerWriter writer;
  };

  explicit Impl(FixedAnswerOptions given)
      : options(std::move(given)), gate(options.model.slots), started(std::chrono::steady_clock::now()) {
    if (!options.answers.empty()) answers = load_answers(options.answers);
    if (options.deltas) long_text = long_answer(options.deltas);
    // Read the captures before threads do.
    props(options.model, options.forced);
    models(options.model);
    read_chat_request(R"({"messages":[]})", options.model, options.forced);
  }

  FixedAnswer find_answer(const ChatRequest& request) const {
    if (options.deltas) return long_text;
    const auto at = answers.find(request.question);
    return at != answers.end() ? at->second : answer_of_prompt(request.question, request.seed);
  }

  Generated generate_answer(const ChatRequest& request) const {
    GenerationLimits limits;
    limits.thinking = request.thinking;
    limits.budget = request.budget;
    limits.budget_message = request.budget_message;
    limits.max_tokens = request.max_tokens;
    limits.room = options.model.n_ctx - request.prompt_tokens;
    limits.stop = request.stop;
    return generate(find_answer(request), limits);
  }

  bool loading() const {
    return std::chrono::steady_clock::now() - started < std::chrono::milliseconds(options.loading_ms);
  }

  bool stream(Job& job, httplib::DataSink& sink) {
    const auto write = [&](const std::string& text) {
      return text.empty() || sink.write(text.data(), text.size());
    };
    if (!write(job.writer.first_event())) return false;
    const std::size_t count = job.generated.tokens.size();
    const bool endless =
        !options.endless_on.empty() && job.request.question.find(options.endless_on) != std::string::npos;
    for (std::size_t i = 0; i < count || endless; ++i) {
      if (options.delay_ms ? !gate.sleep(options.delay_ms) : gate.closed()) return false;
      if (!write(job.writer.token_event(i % count))) return false;
    }
    ++answered;
    if (!write(job.writer.last_events())) return false;
    sink.done();
    return true;
  }

  void chat(const httplib::Request& http_request, httplib::Response& response) {
    const auto job =
        std::make_shared<Job>(*this, read_chat_request(http_request.body, options.model, options.forced));
    if (!job->slot.entered) throw WireError(503, "unavailable_error", "The server is ending");
    if (job->request.stream) {
      response.set_chunked_content_provider(
          "text/event-stream",
          [this, job](std::size_t, httplib::DataSink& sink) { return stream(*job, sink); });
      return;
    }
    for (std::size_t i = 0; options.delay_ms && i < job->generated.tokens.size(); ++i)
      if (!gate.sleep(options.delay_ms)) throw WireError(503, "unavailable_error", "The server is ending");
    ++answered;
    response.set_content(job->writer.whole(), kJson);
  }

  void add_routes() {
    using httplib::Request;
    using httplib::Response;
    const auto json = [](const Json& value, Response& response) {
      response.set_content(value.dump(-1, ' ', false, Json::error_handler_t::replace), kJson);
    };
    http.Get("/health", [json](const Request&, Response& r) { json({{"status", "ok"}}, r); });
    http.Get("/props",
             [this, json](const Request&, Response& r) { json(props(options.model, options.forced), r); });
    http.Get("/v1/models", [this, json](const Request&, Response& r) { json(models(options.model), r); });
    http.Get("/slots", [this, json](const Request&, Response& r) { json(slots(options.model), r); });
    http.Post("/tokenize", [json](const Request& q, Response& r) { json(tokenize(Json::parse(q.body)), r); });
    http.Post("/apply-template", [this, json](const Request& q, Response& r) {
      json({{"prompt", apply_template(Json::parse(q.body), options.model)}}, r);
    });
    http.Post("/v1/chat/completions/input_tokens", [this, json](const Request& q, Response& r) {
      const std::string prompt = apply_template(Json::parse(q.body), options.model);
      json({{"input_tokens", count_tokens(prompt)}, {"object", "response.input_tokens"}}, r);
    });
    http.Post("/v1/chat/completions", [this](const Request& q, Response& r) { chat(q, r); });
  }

  void add_errors() {
    http.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      const auto refuse = [&](const WireError& error) {
        response.status = error.status();
        response.set_content(error.body(), kJson);
        return httplib::Server::HandlerResponse::Handled;
      };
      if (loading()) return refuse(WireError(503, "unavailable_error", "Loading model"));
      const bool allowed = options.api_key.empty() || request.path == "/health" ||
                           request.get_header_value("Authorization") == "Bearer " + options.api_key;
      return allowed ? httplib::Server::HandlerResponse::Unhandled
                     : refuse(WireError(401, "authentication_error", "Invalid API Key"));
    });
    http.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, const std::exception_ptr& thrown) {
          try {
            std::rethrow_exception(thrown);
          } catch (const WireError& e) {
            response.status = e.status();
            response.set_content(e.body(), kJson);
          } catch (const std::exception& e) {
            response.status = 400;
            response.set_content(WireError(400, "invalid_request_error", e.what()).body(), kJson);
          }
        });
    http.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (response.status == 404 && response.body.empty())
        response.set_content(WireError(404, "not_found_error", "File Not Found").body(), kJson);
    });
  }

  void start() {
    // A connection holds a thread, and idle ones stay open.
    const auto threads = static_cast<std::size_t>(options.model.slots) * 2 + 16;
    http.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
    http.set_default_headers({{"Server", "llama.cpp"}});
    http.set_tcp_nodelay(true);
    http.set_keep_alive_max_count(100);
    add_routes();
    add_errors();
    port = options.port;
    if (port == 0)
      port = http.bind_to_any_port("127.0.0.1");
    else if (!http.bind_to_port("127.0.0.1", port))
      port = -1;
    if (port <= 0) throw std::runtime_error("can't listen on 127.0.0.1:" + std::to_string(options.port));
    thread = std::thread([this] { http.listen_after_bind(); });
  }

  void stop() {
    gate.close();
    // stop() before the accept loop runs would be lost.
    while (!http.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    http.stop();
    thread.join();
  }

  FixedAnswerOptions options;
  std::map<std::string, FixedAnswer> answers;
  FixedAnswer long_text;
  SlotGate gate;
  std::chrono::steady_clock::time_point started;
  std::atomic<std::uint64_t> asked{0};
  std::atomic<std::uint64_t> answered{0};
  httplib::Server http;
  int port = -1;
  std::thread thread;
};

FixedAnswerServer::FixedAnswerServer(FixedAnswerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {
  impl_->start();
}

FixedAnswerServer::~FixedAnswerServer() {
  impl_->stop();
}

std::string FixedAnswerServer::url() const {
  return "http://127.0.0.1:" + std::to_string(impl_->port);
}

std::uint64_t FixedAnswerServer::answered() const {
  return impl_->answered;
}

}  // namespace gpqa::test
