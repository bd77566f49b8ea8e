// Each kernel of the CPU backend alone, on one core, beside what the processor's instructions could do at
// most (roof.h).
#include <benchmark/benchmark.h>

#include "bench/kernels/benches.h"

int main(int argc, char** argv) {
  for (const gpqa::Kernels* kernels : gpqa::usable_kernels()) {
    gpqa_bench::register_panels(*kernels);
    gpqa_bench::register_attention(*kernels);
    gpqa_bench::register_rows(*kernels);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
