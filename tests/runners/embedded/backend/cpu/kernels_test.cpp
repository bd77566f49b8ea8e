// Which kernels a processor gets.
#include "runners/embedded/backend/cpu/kernels.h"

#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "tests/catch.h"

using namespace gpqa;

namespace {

bool is_usable(std::string_view name) {
  for (const Kernels* kernels : usable_kernels())
    if (kernels->name == name) return true;
  return false;
}

}  // namespace

TEST_CASE("the portable kernels are always there, and all have what a model is multiplied with") {
  CHECK(usable_kernels().front() == &kPortableKernels);
  CHECK(is_usable("portable"));
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name);
    CHECK(kernels->panels.few > 0);
    CHECK(kernels->panels.stream_words != nullptr);
    const bool bytes = kernels->panels.multiplies_bytes(14);
    CHECK(bytes == (kernels->name != "portable"));
    CHECK((kernels->panels.quantize_bytes != nullptr) == bytes);
    CHECK((kernels->panels.stream_bytes != nullptr) == bytes);
    CHECK((kernels->panels.unpack_bytes != nullptr) == bytes);
    CHECK((kernels->panels.multiply_bytes != nullptr) == bytes);
  }
}

TEST_CASE("shares are those of the exponentials, and 0 where they are too small to matter") {
  std::vector<float> logits(100);
  for (int i = 0; i < 100; ++i)
    logits[static_cast<std::size_t>(i)] = 7.5F - static_cast<float>(i * 37 % 100) * 1.25F;
  double total = 0;
  for (const float x : logits) total += std::exp(static_cast<double>(x) - 7.5);
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name);
    for (const std::size_t count : {logits.size(), std::size_t{96}, std::size_t{5}}) {
      auto shares = logits;
      kernels->softmax(shares.data(), count);
      double sum = 0;
      for (std::size_t i = 0; i < count; ++i) {
        sum += shares[i];
        // Between them lies what processors are slow with.
        CHECK((shares[i] == 0 || shares[i] > 1e-33F));
        if (count < logits.size()) continue;
        const double share = std::exp(static_cast<double>(logits[i]) - 7.5) / total;
        CHECK(std::abs(shares[i] - share) <= 1e-6 * share + 1e-30);
      }
      CHECK(sum == Approx(1).epsilon(1e-5));
    }
  }
}

#ifdef __x86_64__
TEST_CASE("the instructions that are used are those that Linux finds") {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("flags")) {
  }
  REQUIRE(line.starts_with("flags"));
  const auto has = [&](std::string_view flag) {
    return (line + " ").find(" " + std::string(flag) + " ") != std::string::npos;
  };
  CHECK(is_usable("avx2") == (has("avx2") && has("fma")));
  CHECK(is_usable("avx_vnni") == (is_usable("avx2") && has("avx_vnni")));
  CHECK(is_usable("avx512") == (has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl")));
  CHECK(is_usable("avx512_vnni") == (is_usable("avx512") && has("avx512_vnni")));
}
#endif

#ifdef __aarch64__
TEST_CASE("NEON's kernels are for processors with dot products") {
  // The instruction set's own register, as Linux shows it to programs: bits 44 to 47 say whether there are
  // any.
  std::uint64_t features = 0;
  asm("mrs %0, id_aa64isar0_el1" : "=r"(features));
  CHECK(is_usable("neon") == ((features >> 44 & 15) != 0));
}
#endif
