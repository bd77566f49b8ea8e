// Compares a text with its approved file; scripts/approve.sh writes the files anew.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.h"

namespace gpqa_test {

inline void check_approved(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(GPQA_TEST_DATA) / "tables" / name;
  if (std::getenv("GPQA_APPROVE") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
  }
  std::ifstream in(path, std::ios::binary);
  INFO("approved file " << name << "; if the new text is right, run scripts/approve.sh");
  REQUIRE(in.good());
  CHECK(text == std::string((std::istreambuf_iterator<char>(in)), {}));
}

}  // namespace gpqa_test
