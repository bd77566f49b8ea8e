#include "harness/byte_size.h"

#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {

std::uint64_t parse_byte_size(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> kUnits = {{{"", 1},
                                                                                 {"B", 1},
                                                                                 {"KB", 1'000},
                                                                                 {"MB", 1'000'000},
                                                                                 {"GB", 1'000'000'000},
                                                                                 {"KiB", 1u << 10},
                                                                                 {"MiB", 1u << 20},
                                                                                 {"GiB", 1u << 30}}};
  std::uint64_t count = 0;
  const auto* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error == std::errc() && count > 0) {
    while (rest != end && *rest == ' ') ++rest;
    for (const auto& [unit, bytes] : kUnits) {
      std::uint64_t size = 0;
      if (unit == std::string_view(rest, static_cast<std::size_t>(end - rest)) &&
          !__builtin_mul_overflow(count, bytes, &size))
        return size;
    }
  }
  throw InputError(fmt::format("expected a size as 5GiB, 100MB or 4096, found '{}'", text));
}

std::string byte_words(std::uint64_t bytes) {
  const auto count = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", count * 1e-9);
  if (bytes >= 10'000) return fmt::format("{:.2f} MB", count * 1e-6);
  return fmt::format("{} bytes", bytes);
}

}  // namespace gpqa
