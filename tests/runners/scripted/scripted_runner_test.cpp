#include "runners/scripted/scripted_runner.h"

#include <vector>

#include "tests/catch.h"

namespace gpqa {
namespace {

struct Numbers : RequestSource {
  std::uint32_t left;
  explicit Numbers(std::uint32_t n) : left(n) {}
  std::optional<Request> next() override {
    if (left == 0) {
      return std::nullopt;
    }
    return Request{.id = {.doc_id = --left, .repeat = 0}, .prompt = "p", .seed = left};
  }
};

struct Kept : Sink {
  std::vector<Completion> done;
  std::size_t stop_after = 1000;
  std::stop_source stop;
  void on_done(Completion completion) override {
    done.push_back(std::move(completion));
    if (done.size() == stop_after) {
      stop.request_stop();
    }
  }
};

Completion answer_a(const Request&) {
  Completion completion;
  completion.content = "(A)";
  completion.outcome = Outcome::stop;
  return completion;
}

TEST_CASE("each request is done once, under its own id") {
  Numbers source(5);
  Kept sink;
  ScriptedRunner runner(answer_a);
  runner.run(source, sink, sink.stop.get_token());
  REQUIRE(sink.done.size() == 5);
  CHECK(sink.done[0].id.doc_id == 4);
  CHECK(sink.done[4].id.doc_id == 0);
  CHECK(runner.info().kind == "scripted");
}

TEST_CASE("a stop pulls no further request") {
  Numbers source(5);
  Kept sink;
  sink.stop_after = 2;
  ScriptedRunner(answer_a).run(source, sink, sink.stop.get_token());
  CHECK(sink.done.size() == 2);
  CHECK(source.left == 3);
}

}  // namespace
}  // namespace gpqa
