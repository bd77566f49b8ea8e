// A stream of server-sent events: it says the same however the network cuts it.
#include <string>
#include <vector>

#include "runners/remote/sse_reader.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

struct Heard {
  std::vector<std::string> events;
  bool refused = false;
  bool inside_event = false;
  bool operator==(const Heard&) const = default;
};

struct Listener {
  std::size_t max_event_bytes = 0;
  std::size_t stop_after = 0;  // events; 0: never
};

// Feeds pieces of the given sizes, again and again.
Heard listen(std::string_view stream, std::string_view sizes, const Listener& listener) {
  SseReader reader(listener.max_event_bytes);
  Heard heard;
  bool stopped = false;
  const auto on_event = [&](std::string_view event) {
    must(!stopped, "nothing is heard after a stop");
    must(event.size() <= listener.max_event_bytes, "an event keeps to the bound");
    heard.events.emplace_back(event);
    stopped = heard.events.size() == listener.stop_after;
    return !stopped;
  };
  try {
    for (std::size_t i = 0; !stream.empty() && !stopped; ++i) {
      const auto size = sizes.empty() ? stream.size() : static_cast<unsigned char>(sizes[i % sizes.size()]);
      const auto piece = stream.substr(0, size);
      reader.feed(piece, on_event);
      stream.remove_prefix(piece.size());
    }
  } catch (const SseError&) {
    heard.refused = true;
  }
  heard.inside_event = !heard.refused && !stopped && reader.inside_event();
  return heard;
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa::fuzz;
  auto stream = input_of(data, size);
  constexpr std::size_t kSmallest = 8;
  const Listener listener{.max_event_bytes = kSmallest + take_byte(stream),
                          .stop_after = take_byte(stream) % 16u};
  const std::size_t pieces = take_byte(stream) % 8u;
  auto sizes = stream.substr(0, pieces);
  stream.remove_prefix(sizes.size());
  if (sizes.find_first_not_of('\0') == std::string_view::npos) sizes = {};  // no piece would ever end
  const auto whole = listen(stream, "", listener);
  must(listen(stream, sizes, listener) == whole, "the same in pieces");
  must(listen(stream, "\1", listener) == whole, "the same byte by byte");
  return 0;
}
