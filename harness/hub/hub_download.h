// A file of the hub, over redirects and faults, and going on where it broke off.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "harness/hub/hub_address.h"
#include "harness/hub/partial_file.h"

namespace gpqa {

struct HubLimits {
  std::uint64_t max_bytes = 64u << 20;
  int max_redirects = 5;
  int max_tries = 5;
  double first_wait_s = 1;         // then twice as long each time
  double max_retry_after_s = 120;  // a server that asks for more is left alone
};

struct HubOptions {
  std::string endpoint = "https://huggingface.co";
  std::string token;  // "": none
  HubFile file;
  HubLimits limits;
  std::function<void(double seconds)> sleep;         // tests don't wait
  std::function<void(std::string_view)> on_trouble;  // before it is tried again
  std::function<void(std::uint64_t bytes, std::optional<std::uint64_t> of)> on_progress;
};

struct HubDownload {
  std::string commit;  // of the repository; "" if the hub doesn't say
  std::uint64_t resumed_at = 0;
};

// Returns when `part` is the whole file, with the size and SHA-256 that the hub names. Throws InputError for
// what the user can mend (401, 403, 404), and TransportError for the rest; what has come is kept in `part`.
HubDownload download_from_hub(const HubOptions& options, PartialFile& part);

}  // namespace gpqa
