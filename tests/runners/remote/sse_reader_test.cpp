#include "runners/remote/sse_reader.h"

#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "tests/catch.h"

namespace gpqa {
namespace {

std::vector<std::string> events_of(std::string_view text, std::size_t piece = 1u << 30,
                                   bool* inside = nullptr) {
  SseReader reader;
  std::vector<std::string> events;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    reader.feed(text.substr(at, piece), [&](std::string_view event) {
      events.emplace_back(event);
      return true;
    });
  }
  if (inside != nullptr) {
    *inside = reader.inside_event();
  }
  return events;
}

using Events = std::vector<std::string>;

TEST_CASE("SSE: events, comments, other fields, several lines of data") {
  CHECK(events_of("data: a\n\ndata:b\n\n") == Events{"a", "b"});
  CHECK(events_of(":\n\n: ping\n\ndata: a\n\n") == Events{"a"});
  CHECK(events_of("event: x\nid: 1\ndata: a\ndata: b\n\nretry: 5\n\n") == Events{"a\nb"});
  CHECK(events_of("data\n\n") == Events{""});
  CHECK(events_of("data:  two blanks\n\n") == Events{" two blanks"});
  CHECK(events_of("database: no\n\n").empty());
}

TEST_CASE("SSE: every line end, however the bytes are cut") {
  for (const std::string end : {"\n", "\r", "\r\n"}) {
    std::string text;
    for (const char* line : {"data: a", "data: b", "", ":", "", "data: c", ""}) {
      text.append(line).append(end);
    }
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      CHECK(events_of(text, piece) == Events{"a\nb", "c"});
    }
  }
}

TEST_CASE("SSE: a stream that ends inside an event says so") {
  bool inside = false;
  CHECK(events_of("data: a\n\ndata: b\n", 3, &inside) == Events{"a"});
  CHECK(inside);
  CHECK(events_of("data: a\n\nda", 3, &inside) == Events{"a"});
  CHECK(inside);
  CHECK(events_of("data: a\n\n", 3, &inside) == Events{"a"});
  CHECK_FALSE(inside);
}

TEST_CASE("SSE: a captured stream gives the same events under any fragmentation") {
  std::ifstream in(GPQA_TEST_DATA "/llama-server/chat_stream_usage.body", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto whole = events_of(text);
  CHECK(whole.size() > 50);
  CHECK(whole.back() == "[DONE]");
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    CHECK(events_of(text, 1 + random() % 400) == whole);
  }
}

TEST_CASE("SSE: random text gives the same events under random cuts") {
  constexpr std::string_view kLetters = "\n\n\r\r:dat a";
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int piece = 0; piece < 12; ++piece) {
      text += random() % 2 == 0 ? "data:" : std::string(1, kLetters[random() % kLetters.size()]);
    }
    bool inside_whole = false;
    const auto whole = events_of(text, 1u << 30, &inside_whole);
    SseReader reader;
    std::vector<std::string> cut;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 7;
      reader.feed(std::string_view(text).substr(at, size), [&](std::string_view event) {
        cut.emplace_back(event);
        return true;
      });
      at += size;
    }
    INFO(text);
    REQUIRE(cut == whole);
    REQUIRE(reader.inside_event() == inside_whole);
  }
}

TEST_CASE("SSE: an endless line or event is refused, not kept") {
  SseReader reader(1000);
  const auto ignore = [](std::string_view) { return true; };
  CHECK_THROWS_AS(reader.feed("data: " + std::string(2000, 'x'), ignore), SseError);
  SseReader at_once(1000);
  CHECK_THROWS_AS(at_once.feed(": " + std::string(2000, 'x') + "\n", ignore), SseError);
  SseReader lines(1000);
  std::string many;
  for (int i = 0; i < 300; ++i) {
    many += "data: abcdef\n";
  }
  CHECK_THROWS_AS(lines.feed(many, ignore), SseError);
}

}  // namespace
}  // namespace gpqa
