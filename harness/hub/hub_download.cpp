#include "harness/hub/hub_download.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "harness/hub/hub_get.h"
#include "harness/hub/hub_refusal.h"
#include "harness/hub/hub_token.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "runners/remote/http_client.h"
#include "runners/remote/url.h"
#include "runners/remote/wire_format.h"

namespace gpqa {
namespace {

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_passing(long status) {
  return status == 408 || status == 429 || status >= 500;
}

struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t total = 0;
};

// "bytes 100-199/200"
std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  const auto slash = text.find('/');
  if (!text.starts_with(kUnit) || slash == std::string_view::npos) return std::nullopt;
  ContentRange range;
  const auto first = std::from_chars(text.data() + kUnit.size(), text.data() + slash, range.first);
  const auto total = std::from_chars(text.data() + slash + 1, text.data() + text.size(), range.total);
  if (first.ec != std::errc() || *first.ptr != '-' || total.ec != std::errc() ||
      total.ptr != text.data() + text.size())
    return std::nullopt;
  return range;
}

// Why a try brought no file, and how long the server wants to be left alone (0: it doesn't say).
struct Trouble {
  std::string why;
  double retry_after_s = 0;
  bool hopeless = false;
};

class Download {
 public:
  Download(const HubOptions& options, PartialFile& part) : options_(options), part_(part) {
    result_.resumed_at = part.size();
  }

  HubDownload run() {
    double wait = options_.limits.first_wait_s;
    for (int tries = 1;; ++tries) {
      const auto trouble = try_once();
      if (!trouble) return result_;
      if (trouble->hopeless) throw TransportError(trouble->why);
      if (trouble->retry_after_s > options_.limits.max_retry_after_s)
        throw TransportError(fmt::format("{}; it asks to be left alone for {:.0f} s. {}", trouble->why,
                                         trouble->retry_after_s, what_is_kept()));
      if (tries >= options_.limits.max_tries)
        throw TransportError(fmt::format("{}; tried {} times. {}", trouble->why, tries, what_is_kept()));
      const double pause = trouble->retry_after_s > 0 ? trouble->retry_after_s : wait;
      if (options_.on_trouble)
        options_.on_trouble(without_token(fmt::format("{}; trying again in {:.0f} s ({} of {})", trouble->why,
                                                      pause, tries + 1, options_.limits.max_tries),
                                          options_.token));
      sleep(pause);
      wait *= 2;
    }
  }

 private:
  std::optional<Trouble> try_once() {
    std::string url = hub_url(options_.endpoint, options_.file);
    const auto home = parse_url(url)->origin();
    bool own = true;
    for (int redirects = 0; redirects <= options_.limits.max_redirects; ++redirects) {
      // Once away, never again: another server could lead back with an address of its own making.
      own = own && parse_url(url)->origin() == home;
      begun_ = stale_ = too_large_ = false;
      const auto response = get(url, own);
      if (!response.headers_whole) return Trouble{response.broken, 0, response.hopeless};
      if (own) remember(response);
      if (!is_redirect(response.status)) return judge(response, url, own);
      url = hub_redirect(url, response.header("location"));
    }
    throw TransportError(
        fmt::format("{}: more than {} redirects, and no file", home, options_.limits.max_redirects));
  }

  HubResponse get(const std::string& url, bool own) {
    HubGet request;
    request.url = url;
    if (own) request.token = options_.token;
    if (!part_.etag().empty()) {
      request.offset = part_.size();
      request.if_range = part_.etag();
    }
    return hub_get(easy_.get(), request, [&](const HubResponse& response, std::string_view piece) {
      if (!begun_ && !begin(response)) return false;
      too_large_ = too_large_ || part_.size() + piece.size() > options_.limits.max_bytes;
      if (too_large_) return false;
      part_.append(piece);
      if (options_.on_progress) options_.on_progress(part_.size(), total_);
      return true;
    });
  }

  void remember(const HubResponse& response) {
    if (const auto commit = response.header("x-repo-commit"); is_hex(commit, 40)) result_.commit = commit;
    if (const auto size = response.number("x-linked-size")) linked_size_ = size;
    // Of files in the large file storage the hub knows the SHA-256.
    auto etag = response.header("x-linked-etag");
    std::erase(etag, '"');
    if (is_hex(etag, 64)) linked_sha256_ = etag;
  }

  // The first byte of a body is about to come: does it belong behind what we have?
  bool begin(const HubResponse& response) {
    begun_ = true;
    const auto etag = response.header("etag");
    if (response.status == 206) {
      const auto range = parse_content_range(response.header("content-range"));
      stale_ = !range || range->first != part_.size() || range->total < range->first || etag != part_.etag();
      total_ = range ? std::optional(range->total) : std::nullopt;
    } else {
      part_.start(etag);
      result_.resumed_at = 0;
      total_ = response.number("content-length");
    }
    if (!stale_ && std::max(total_.value_or(0), linked_size_.value_or(0)) > options_.limits.max_bytes)
      too_large_ = true;
    return !stale_ && !too_large_;
  }

  std::optional<Trouble> judge(const HubResponse& response, const std::string& url, bool own) {
    const auto server = parse_url(url)->origin();
    const long status = response.status;
    if (status == 200 || status == 206) return judge_file(response, server);
    if (status == 416) {
      part_.start("");
      return Trouble{fmt::format("{}: what was there is no part of the file any more", server)};
    }
    const auto message = response.header("x-error-message");
    const auto answer =
        fmt::format("{} answered {}{}", server, status, message.empty() ? "" : ": " + readable(message, 300));
    // A signed address that has run out is a 403 too: a new try gets a new one.
    if (is_passing(status) || !own) return Trouble{answer, response.retry_after_s};
    if (status == 401 || status == 403 || status == 404)
      throw InputError(hub_refusal(response, options_.file, !options_.token.empty()));
    throw TransportError(answer);
  }

  std::optional<Trouble> judge_file(const HubResponse& response, const std::string& server) {
    if (!begun_) begin(response);
    if (too_large_) {
      part_.start("");
      throw TransportError(fmt::format(
          "{}: the file has more than {} bytes; expected a GPQA file of a few million. Nothing is kept",
          server, options_.limits.max_bytes));
    }
    if (stale_) {
      part_.start("");
      return Trouble{fmt::format("{}: sent another part than was asked for; starting anew", server)};
    }
    if (!response.broken.empty())
      return Trouble{fmt::format("{} ({} bytes are there)", response.broken, part_.size()), 0,
                     response.hopeless};
    const auto expected = linked_size_ ? linked_size_ : total_;
    if (expected && part_.size() < *expected)
      return Trouble{fmt::format("{}: ended after {} of {} bytes", server, part_.size(), *expected)};
    if (expected && part_.size() > *expected) {
      const auto found = part_.size();
      part_.start("");
      return Trouble{fmt::format("{}: expected {} bytes, found {}; starting anew", server, *expected, found)};
    }
    if (!linked_sha256_.empty() && sha256_hex(part_.read()) != linked_sha256_) {
      part_.start("");
      return Trouble{fmt::format("{}: the file is not the one that the hub names (SHA-256 {}); starting anew",
                                 server, linked_sha256_)};
    }
    return std::nullopt;
  }

  std::string what_is_kept() const {
    if (part_.size() == 0) return "Run the same command again later";
    return fmt::format("{} bytes are kept in {}: the same command goes on from there", part_.size(),
                       part_.path().string());
  }

  void sleep(double seconds) const {
    if (options_.sleep) return options_.sleep(seconds);
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }

  const HubOptions& options_;
  PartialFile& part_;
  CurlEasy easy_ = make_easy();
  HubDownload result_;
  std::optional<std::uint64_t> linked_size_;
  std::string linked_sha256_;
  // Of the request under way:
  std::optional<std::uint64_t> total_;
  bool begun_ = false;
  bool stale_ = false;
  bool too_large_ = false;
};

}  // namespace

HubDownload download_from_hub(const HubOptions& options, PartialFile& part) {
  try {
    return Download(options, part).run();
  } catch (const InputError& error) {
    throw InputError(without_token(error.what(), options.token));
  } catch (const TransportError& error) {
    throw TransportError(without_token(error.what(), options.token));
  }
}

}  // namespace gpqa
