// SHA-256, as data sets, prompts and model files are identified.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace gpqa {

std::string sha256_hex(std::string_view bytes);  // 64 lower-case hex digits

// Of what comes in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  std::string hex();  // once, at the end

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gpqa
