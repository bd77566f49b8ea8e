// The runner against everything a server can do; each request must be done exactly once.
#include <chrono>
#include <map>

#include "prompts/input_error.h"
#include "runners/remote/llama_server_runner.h"
#include "runners/remote/server_process.h"
#include "runners/runner_errors.h"
#include "tests/catch.h"
#include "tests/runners/remote/fault_server.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

using gpqa_test::Connection;
using gpqa_test::FaultServer;

struct Questions : RequestSource {
  std::uint32_t next_id = 0;
  std::uint32_t count;
  explicit Questions(std::uint32_t n) : count(n) {}
  std::optional<Request> next() override {
    if (next_id == count) {
      return std::nullopt;
    }
    const auto id = next_id++;
    return Request{.id = {.doc_id = id, .repeat = 0}, .prompt = "question " + std::to_string(id), .seed = id};
  }
};

struct Answers : Sink {
  std::map<std::uint32_t, Completion> done;
  std::string deltas;
  std::stop_source stop;
  std::vector<std::string> events;
  bool stop_at_first_delta = false;
  void on_event(std::string_view what) override { events.emplace_back(what); }
  void on_delta(TrialId, std::string_view text) override {
    deltas += text;
    if (stop_at_first_delta) {
      stop.request_stop();
    }
  }
  void on_done(Completion completion) override {
    const auto id = completion.id.doc_id;
    const bool first = done.emplace(id, std::move(completion)).second;
    CHECK(first);
  }
};

std::vector<Server> at(const std::string& url, std::int64_t concurrency = 1) {
  Server server;
  server.http.url = url;
  server.http.connect_timeout_s = 5;
  server.info.concurrency = concurrency;
  return {server};
}

LlamaServerOptions fast_options() {
  LlamaServerOptions options;
  options.sampling.max_tokens = 100;
  options.sampling.thinking = Thinking::absent;
  options.stall_timeout_s = 0.4;
  options.retry = {.max_retries = 3, .first_delay_s = 0.01, .max_delay_s = 0.05, .max_outage_s = 0.3};
  return options;
}

Answers ask(const std::string& url, std::uint32_t questions = 1, std::int64_t concurrency = 1) {
  LlamaServerRunner runner(fast_options(), at(url, concurrency));
  Questions source(questions);
  Answers answers;
  runner.run(source, answers, answers.stop.get_token());
  CHECK(answers.done.size() == questions);
  return answers;
}

// The faults of `bad` first, then a whole answer.
Completion after_fault(const std::function<void(const Connection&)>& bad, int times = 1) {
  FaultServer server([&](int n, const std::string&, const Connection& client) {
    if (n < times) {
      bad(client);
    } else {
      client.send(gpqa_test::whole_answer());
    }
  });
  auto completion = ask(server.url()).done.at(0);
  CHECK_FALSE(server.kept_open());
  return completion;
}

TEST_CASE("an answer is streamed and delivered once") {
  FaultServer server(
      [](int, const std::string&, const Connection& client) { client.send(gpqa_test::whole_answer("(B)")); });
  const auto answers = ask(server.url(), 5, 2);
  CHECK(answers.deltas == "(B)(B)(B)(B)(B)");
  for (const auto& [id, completion] : answers.done) {
    CHECK(completion.outcome == Outcome::stop);
    CHECK(completion.content == "(B)");
    CHECK(completion.retries == 0);
    CHECK(completion.tokens.completion == 5);
    CHECK(completion.server_id == server.url());
  }
  CHECK(server.most_at_once() <= 2);
}

TEST_CASE("faults of the transport are tried again, and counted") {
  using gpqa_test::content_event;
  using gpqa_test::error_page;
  using gpqa_test::llama_error;
  using gpqa_test::stream_head;
  const std::map<std::string, std::function<void(const Connection&)>> faults = {
      {"closed before an answer", [](const Connection&) {}},
      {"reset before an answer", [](const Connection& c) { c.reset(); }},
      {"reset inside the stream",
       [](const Connection& c) {
         c.send(stream_head() + content_event("(C)"));
         c.reset();
       }},
      {"no [DONE]", [](const Connection& c) { c.send(stream_head() + content_event("(C)")); }},
      {"no finish reason",
       [](const Connection& c) { c.send(stream_head() + content_event("(C)") + "data: [DONE]\n\n"); }},
      {"half an event", [](const Connection& c) { c.send(stream_head() + "data: {\"choices\":[{\"del"); }},
      {"a stall",
       [](const Connection& c) {
         c.send(stream_head() + content_event("(C)"));
         c.wait_for_close(5);
       }},
      {"loading", [](const Connection& c) { c.send(error_page(503, llama_error(503, "Loading model"))); }},
      {"too many", [](const Connection& c) { c.send(error_page(429, "{}", "Retry-After: 0\r\n")); }},
      {"bad gateway", [](const Connection& c) { c.send(error_page(502, "<html>")); }},
      {"compute error",
       [](const Connection& c) { c.send(error_page(500, llama_error(500, "Compute error."))); }},
      {"not a stream", [](const Connection& c) { c.send(error_page(200, "{\"choices\":[]}")); }},
      {"invalid JSON", [](const Connection& c) { c.send(stream_head() + "data: {nonsense\n\n"); }},
      {"invalid UTF-8", [](const Connection& c) { c.send(stream_head() + content_event("\xFF")); }},
      {"an error event",
       [](const Connection& c) { c.send(stream_head() + gpqa_test::event(llama_error(500, "slot died"))); }},
      {"no HTTP", [](const Connection& c) { c.send("SSH-2.0-x\r\n"); }},
  };
  for (const auto& [name, fault] : faults) {
    INFO(name);
    const auto completion = after_fault(fault, 2);
    CHECK(completion.outcome == Outcome::stop);
    CHECK(completion.content == "(A)");
    CHECK(completion.retries == 2);
  }
}

TEST_CASE("retries are bounded, then the trial failed with the last reason") {
  const auto completion =
      after_fault([](const Connection& c) { c.send(gpqa_test::error_page(502, "gone")); }, 100);
  CHECK(completion.outcome == Outcome::failed);
  CHECK(completion.retries == 3);
  CHECK_THAT(completion.error, Catch::Contains("HTTP 502: gone (after 3 retries)"));
  CHECK(completion.content.empty());
}

TEST_CASE("while no server can be reached the questions wait; after long enough the run ends, and says why") {
  std::string url;
  {
    const FaultServer gone([](int, const std::string&, const Connection&) {});
    url = gone.url();
  }
  LlamaServerRunner runner(fast_options(), at(url, 2));
  Questions source(50);
  Answers answers;
  CHECK_THROWS_WITH(runner.run(source, answers, {}),
                    Catch::Contains("no server could be reached for 0.3 s") &&
                        Catch::Contains("Is llama-server running there?"));
  REQUIRE(answers.done.size() == 2);  // the others were not asked
  for (const auto& [id, completion] : answers.done) {
    CHECK(completion.outcome == Outcome::failed);
    CHECK_THAT(completion.error, Catch::Contains("Is llama-server running there?"));
    CHECK(completion.retries == 1);
  }
  CHECK_THAT(answers.events.at(0), Catch::Contains("is down"));
}

TEST_CASE("a server that comes back is asked again; what it could not take meanwhile cost one retry each") {
  std::atomic<bool> back = false;
  FaultServer server([&](int, const std::string&, const Connection& client) {
    if (back) {
      client.send(gpqa_test::whole_answer());
    }
  });
  server.be_unwell(true);
  std::jthread healer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    back = true;
    server.be_unwell(false);
  });
  auto options = fast_options();
  options.retry.max_outage_s = 30;
  LlamaServerRunner runner(options, at(server.url(), 2));
  Questions source(6);
  Answers answers;
  runner.run(source, answers, {});
  REQUIRE(answers.done.size() == 6);
  std::uint32_t retries = 0;
  for (const auto& [id, completion] : answers.done) {
    CHECK(completion.outcome == Outcome::stop);
    retries += completion.retries;
  }
  CHECK(retries == 2);
  REQUIRE(answers.events.size() == 2);
  CHECK_THAT(answers.events[0], Catch::Contains("is down"));
  CHECK_THAT(answers.events[1], Catch::Contains("answers again"));
}

TEST_CASE("several servers share the questions, and one that dies hands its own to the others") {
  std::atomic<int> until_death = 3;
  FaultServer mortal([&](int, const std::string&, const Connection& client) {
    if (--until_death >= 0) {
      client.send(gpqa_test::whole_answer("(A)"));
    } else {
      client.reset();
    }
  });
  FaultServer steady([](int, const std::string&, const Connection& client) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    client.send(gpqa_test::whole_answer("(B)"));
  });
  std::jthread killer([&] {
    while (until_death >= 0) {
      std::this_thread::yield();
    }
    mortal.be_unwell(true);
  });
  auto servers = at(mortal.url(), 2);
  servers.push_back(at(steady.url(), 2)[0]);
  LlamaServerRunner runner(fast_options(), servers);
  CHECK(runner.info().concurrency == 4);
  Questions source(40);
  Answers answers;
  runner.run(source, answers, {});
  REQUIRE(answers.done.size() == 40);
  std::map<std::string, int> by_server;
  for (const auto& [id, completion] : answers.done) {
    CHECK(completion.outcome == Outcome::stop);
    CHECK(completion.content == (completion.server_id == mortal.url() ? "(A)" : "(B)"));
    ++by_server[completion.server_id];
  }
  CHECK(by_server[mortal.url()] == 3);
  CHECK(by_server[steady.url()] == 37);
}

TEST_CASE(
    "a server of our own that only ever dies is started again so often, then the run ends with its last "
    "words") {
  const TemporaryFolder folder;
  ProcessOptions options;
  options.command = {"sh", "-c", "echo no memory left; exit 3"};
  options.log = folder.path() / "server.log";
  ServerProcess process(options);
  auto servers = at("http://127.0.0.1:" + std::to_string(free_port()));
  servers[0].process = &process;
  auto patient = fast_options();
  patient.retry.max_outage_s = 60;
  LlamaServerRunner runner(patient, servers);
  Questions source(5);
  Answers answers;
  CHECK_THROWS_WITH(runner.run(source, answers, {}),
                    Catch::Contains("4 times without an answer") && Catch::Contains("no memory left"));
  REQUIRE(answers.done.size() == 1);
  CHECK(answers.done.at(0).outcome == Outcome::cancelled);
  std::size_t starts = 0;
  for (const auto& event : answers.events) {
    starts += event.find("was started again") != std::string::npos ? 1 : 0;
  }
  CHECK(starts == 3);
}

TEST_CASE("a server that is healthy but doesn't show yet what it serves is waited for, not given up") {
  std::atomic<bool> shows = false;
  FaultServer server([&](int n, const std::string&, const Connection& client) {
    if (n == 0) {
      client.reset();
    } else {
      client.send(gpqa_test::whole_answer());
    }
  });
  server.tell("/props", [&] { return shows ? R"({"model_path":"m.gguf"})" : ""; });
  std::jthread healer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    shows = true;
  });
  auto servers = at(server.url());
  servers[0].info.model_path = "m.gguf";
  auto options = fast_options();
  options.retry.max_outage_s = 30;
  LlamaServerRunner runner(options, servers);
  Questions source(2);
  Answers answers;
  runner.run(source, answers, {});
  CHECK(answers.done.size() == 2);
  CHECK_THAT(answers.events.back(), Catch::Contains("answers again"));
}

TEST_CASE("who comes back as another model is not asked again") {
  FaultServer server([&](int, const std::string&, const Connection& client) { client.reset(); });
  auto servers = at(server.url());
  servers[0].info.model_path = "/models/98e.gguf";  // the server's health page names none
  LlamaServerRunner runner(fast_options(), servers);
  Questions source(5);
  Answers answers;
  CHECK_THROWS_WITH(runner.run(source, answers, {}),
                    Catch::Contains("model path was '/models/98e.gguf', is ''"));
  REQUIRE(answers.done.size() == 1);
  CHECK(answers.done.at(0).outcome == Outcome::cancelled);  // asked again when the run goes on
}

TEST_CASE("a parse that the server lost is a result, with what had come of it") {
  const std::string message = "The model produced output that does not match the expected peg-gemma4 format";
  const auto as_body = after_fault(
      [&](const Connection& c) { c.send(gpqa_test::error_page(500, gpqa_test::llama_error(500, message))); });
  CHECK(as_body.outcome == Outcome::lost_parse);
  CHECK(as_body.retries == 0);
  const auto as_event = after_fault([&](const Connection& c) {
    c.send(gpqa_test::stream_head() + gpqa_test::content_event("half") +
           gpqa_test::event(gpqa_test::llama_error(500, message)));
  });
  CHECK(as_event.outcome == Outcome::lost_parse);
  CHECK(as_event.content == "half");
  CHECK_THAT(as_event.error, Catch::Contains("peg-gemma4"));
}

TEST_CASE("our own fault stops the run; what was asked is cancelled, each once") {
  for (const int status : {400, 401, 403, 404, 501, 302}) {
    FaultServer server([&](int n, const std::string&, const Connection& client) {
      if (n == 2) {
        client.send(gpqa_test::error_page(status, gpqa_test::llama_error(status, "no such thing")));
      } else {
        client.wait_for_close(5);
      }
    });
    auto options = fast_options();
    options.stall_timeout_s = 100;
    LlamaServerRunner runner(options, at(server.url(), 3));
    Questions source(9);
    Answers answers;
    CHECK_THROWS_AS(runner.run(source, answers, {}), RunAborted);
    REQUIRE(answers.done.size() == 3);
    for (const auto& [id, completion] : answers.done) {
      CHECK(completion.outcome == Outcome::cancelled);
    }
    CHECK(source.next_id == 3);
    CHECK_FALSE(server.kept_open());
  }
}

TEST_CASE("the text of an aborted run says what the server said and what to change") {
  FaultServer server([&](int, const std::string&, const Connection& client) {
    client.send(gpqa_test::error_page(400, R"({"error":{"code":400,"message":"request (9 tokens) exceeds",)"
                                           R"("type":"exceed_context_size_error","n_ctx":8}})"));
  });
  LlamaServerRunner runner(fast_options(), at(server.url()));
  Questions source(1);
  Answers answers;
  CHECK_THROWS_WITH(runner.run(source, answers, {}),
                    Catch::Contains("request (9 tokens) exceeds") && Catch::Contains("larger -c"));
}

TEST_CASE("what a sink throws ends the run, past libcurl") {
  struct Full : Answers {
    void on_delta(TrialId, std::string_view) override { throw std::runtime_error("disk full"); }
  };
  FaultServer server(
      [](int, const std::string&, const Connection& client) { client.send(gpqa_test::whole_answer()); });
  LlamaServerRunner runner(fast_options(), at(server.url()));
  Questions source(2);
  Full answers;
  CHECK_THROWS_WITH(runner.run(source, answers, {}), "disk full");
  CHECK(server.requests() == 1);
}

TEST_CASE("an answer is whole with its [DONE], whatever becomes of the connection") {
  const std::map<std::string, std::function<void(const Connection&)>> endings = {
      {"reset", [](const Connection& c) { c.reset(); }},
      {"kept open", [](const Connection& c) { c.wait_for_close(5); }},
      {"more events", [](const Connection& c) {
         c.send(gpqa_test::event(gpqa_test::llama_error(500, "late")) + gpqa_test::content_event("more"));
         c.wait_for_close(5);
       }}};
  for (const auto& named : endings) {
    INFO(named.first);
    const auto completion = after_fault([&](const Connection& c) {
      c.send(gpqa_test::whole_answer("(B)"));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      named.second(c);
    });
    CHECK(completion.outcome == Outcome::stop);
    CHECK(completion.content == "(B)");
    CHECK(completion.retries == 0);
  }
}

TEST_CASE("pings without an event are a stall all the same") {
  const auto completion = after_fault([](const Connection& c) {
    c.send(gpqa_test::stream_head() + gpqa_test::content_event("(C)"));
    for (int i = 0; i < 20; ++i) {
      c.send(":\n\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  CHECK(completion.content == "(A)");
  CHECK(completion.retries == 1);
}

TEST_CASE("a connection is used again; one that the server has closed meanwhile costs no retry") {
  std::atomic<int> reused = 0;
  FaultServer server([&](int, const std::string&, const Connection& client) {
    client.send(gpqa_test::chunked_answer());
    client.wait_for_bytes();  // of the next request: never answered
    ++reused;
    client.reset();
  });
  const auto answers = ask(server.url(), 3);
  for (const auto& [id, completion] : answers.done) {
    CHECK(completion.outcome == Outcome::stop);
    CHECK(completion.retries == 0);
  }
  CHECK(server.requests() == 3);
  CHECK(reused >= 2);
}

TEST_CASE("an error page without an end is read as far as it tells something") {
  const auto completion = after_fault(
      [](const Connection& c) {
        c.send("HTTP/1.1 502 X\r\nContent-Type: text/html\r\n\r\ngone ");
        for (int i = 0; i < 200; ++i) {
          c.send(std::string(1000, 'x'));
        }
        c.wait_for_close(5);
      },
      100);
  CHECK(completion.outcome == Outcome::failed);
  CHECK_THAT(completion.error, Catch::StartsWith("HTTP 502: gone xxx"));
  CHECK(completion.error.size() < 600);
}

TEST_CASE("an endless stream is closed and failed, not tried again") {
  FaultServer server([](int, const std::string&, const Connection& client) {
    client.send(gpqa_test::stream_head());
    for (int i = 0; i < 500; ++i) {
      client.send(gpqa_test::content_event("word "));
    }
    client.wait_for_close(5);
  });
  const auto completion = ask(server.url()).done.at(0);
  CHECK(completion.outcome == Outcome::failed);
  CHECK(completion.retries == 0);
  CHECK_THAT(completion.error, Catch::Contains("past max_tokens = 100"));
  CHECK_FALSE(server.kept_open());
}

TEST_CASE("when the slots' shared context runs full, fewer are asked at a time") {
  std::atomic<int> running = 0;
  std::atomic<int> most_after = 0;
  FaultServer server([&](int n, const std::string&, const Connection& client) {
    ++running;
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    if (n < 4) {
      client.send(gpqa_test::error_page(500, gpqa_test::llama_error(500, "Context size has been exceeded.")));
    } else {
      most_after = std::max<int>(most_after, running);
      client.send(gpqa_test::whole_answer());
    }
    --running;
  });
  const auto answers = ask(server.url(), 12, 4);
  std::uint32_t retries = 0;
  for (const auto& [id, completion] : answers.done) {
    CHECK(completion.outcome == Outcome::stop);
    retries += completion.retries;
  }
  CHECK(retries == 4);
  CHECK(most_after <= 2);
}

TEST_CASE("a stop ends running and waiting requests as cancelled, at once") {
  FaultServer server([](int n, const std::string&, const Connection& client) {
    if (n == 0) {
      client.send(gpqa_test::stream_head() + gpqa_test::content_event("a"));
      client.wait_for_close(5);
    } else {
      client.wait_for_close(5);
    }
  });
  auto options = fast_options();
  options.stall_timeout_s = 100;
  LlamaServerRunner runner(options, at(server.url(), 3));
  Questions source(50);
  Answers answers;
  answers.stop_at_first_delta = true;
  const auto start = std::chrono::steady_clock::now();
  runner.run(source, answers, answers.stop.get_token());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(4));
  CHECK(answers.done.size() == 3);
  CHECK(source.next_id == 3);
  for (const auto& [id, completion] : answers.done) {
    CHECK(completion.outcome == Outcome::cancelled);
  }
}

TEST_CASE("an answer that is whole when the stop comes is kept") {
  FaultServer server([](int, const std::string&, const Connection& client) {
    client.send(gpqa_test::whole_answer("(B)"));
    client.wait_for_close(5);
  });
  LlamaServerRunner runner(fast_options(), at(server.url()));
  Questions source(5);
  Answers answers;
  answers.stop_at_first_delta = true;
  runner.run(source, answers, answers.stop.get_token());
  REQUIRE(answers.done.size() == 1);
  CHECK(answers.done.at(0).outcome == Outcome::stop);
  CHECK(answers.done.at(0).content == "(B)");
}

TEST_CASE("a key that no header can hold ends the run, not the program") {
  auto servers = at("http://127.0.0.1:9");
  servers[0].http.api_key = "a\nb";
  LlamaServerRunner runner(fast_options(), servers);
  Questions source(1);
  Answers answers;
  CHECK_THROWS_AS(runner.run(source, answers, {}), InputError);
}

TEST_CASE("a stop from another thread wakes a run that waits") {
  FaultServer server([](int, const std::string&, const Connection& client) { client.wait_for_close(10); });
  auto options = fast_options();
  options.stall_timeout_s = 100;
  LlamaServerRunner runner(options, at(server.url()));
  Questions source(1);
  Answers answers;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    answers.stop.request_stop();
  });
  runner.run(source, answers, answers.stop.get_token());
  CHECK(answers.done.at(0).outcome == Outcome::cancelled);
  CHECK_FALSE(server.kept_open());
}

}  // namespace
}  // namespace gpqa
