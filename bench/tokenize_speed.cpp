// How fast a vocabulary loads, and a text is tokenized: see README.md.
//   tokenize_speed MODEL TEXT_FILE
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "runners/model_files/tokenizer.h"

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto start = std::chrono::steady_clock::now();
  const gpqa::Tokenizer tokenizer(gpqa::read_model_vocabulary(argv[1]));
  std::printf("loaded in %.3f s\n", seconds_since(start));
  std::ifstream in(argv[2], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  double best = 0;
  std::size_t tokens = 0;
  for (int i = 0; i < 7; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    tokens = tokenizer.encode(text).size();
    best = std::max(best, static_cast<double>(text.size()) * 1e-6 / seconds_since(begin));
  }
  std::printf("%zu bytes, %zu tokens: %.1f MB/s (best of 7)\n", text.size(), tokens, best);
}
