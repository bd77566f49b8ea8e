// The operations on a processor: plain memory, kernels for its instruction set, threads.
#pragma once

#include <memory>
#include <string_view>

#include "runners/embedded/backend/backend.h"

namespace gpqa {

struct Kernels;
class PackedFile;
class PackedFileWriter;

// float32: weights are dequantised, as the reference implementations do it. int8: activations too are rounded
// to 8 bits where weights are, for speed; what llama.cpp does.
enum class Arithmetic { float32, int8 };

struct CpuOptions {
  std::size_t threads = 1;
  Arithmetic arithmetic = Arithmetic::int8;
  const Kernels* kernels = nullptr;  // null: the best that this processor runs
};

// Where packed matrices come from and go to; nowhere if null.
struct PackedStore {
  std::shared_ptr<const PackedFile> from;  // those that are in it are not packed again
  PackedFileWriter* to = nullptr;          // must live while weights are loaded
};

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options, PackedStore store = {});

}  // namespace gpqa
