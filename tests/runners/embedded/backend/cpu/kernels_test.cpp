// Which kernels a processor gets.
#include "runners/embedded/backend/cpu/kernels.h"

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
    const bool bytes = kernels->panels.quantize_bytes != nullptr;
    CHECK((kernels->panels.stream_bytes != nullptr) == bytes);
    CHECK((kernels->panels.unpack_bytes != nullptr) == bytes);
    CHECK((kernels->panels.multiply_bytes != nullptr) == bytes);
  }
}

#ifdef __aarch64__
TEST_CASE("NEON's kernels are for processors with dot products") {
  // The instruction set's own register, as Linux shows it to programs: bits 44 to 47 say whether there are
  // any.
  std::uint64_t features = 0;
  asm("mrs %0, id_aa64isar0_el1" : "=r"(features));
  CHECK(is_usable("neon") == ((features >> 44 & 15) != 0));
}
#endif
