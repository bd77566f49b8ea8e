// What a core could do at most with the instructions that kernels use, measured: a kernel's roof.
#pragma once

#include <cstddef>

#include <benchmark/benchmark.h>

#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa_bench {

// A second's, of one core, when nothing waits for anything. 0: no such instructions, or none known here.
struct Roof {
  double floats = 0, words = 0, bytes = 0;  // multiply-adds
  double read = 0;                          // bytes, from the nearest cache
};

enum class Form { bytes, words, floats };

// What one iteration of a benchmark does.
struct Work {
  Form form = Form::floats;
  double products = 0;      // multiply-adds
  double read = 0;          // bytes of operands that are read once
  double packed_bytes = 0;  // of weights, as they lie in memory: to be held against a core's share of it
};

// Runs `body` as often as the benchmark wants, and measures the roof just before and after: a processor's
// clock changes within seconds. Counters: `GMAC/s`, `GB/s` of what is read, `packed GB/s`, and `of roof`: the
// least time that the work could take by the time that it took.
void measure(benchmark::State& state, const gpqa::Kernels& kernels, const Work& work, void (*body)(void*),
             void* with);

template <class Body>
void measure(benchmark::State& state, const gpqa::Kernels& kernels, const Work& work, Body&& body) {
  measure(
      state, kernels, work, [](void* of) { (*static_cast<std::remove_reference_t<Body>*>(of))(); }, &body);
}

}  // namespace gpqa_bench
