#include "runners/model_files/dequantize.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/half.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

TEST_CASE("random blocks of every type are read as the gguf package reads them, to the bit") {
  const GgufFile file(GPQA_TEST_DATA "/dequantize/blocks.gguf");
  for (const char* name : {"F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q5_0", "Q4_0"}) {
    INFO(name);
    const auto& tensor = file.tensor(name);
    CHECK(tensor.format.name == name);
    CHECK(can_dequantize(tensor.format));
    std::vector<float> values(tensor.elements());
    dequantize(tensor.format, tensor.bytes, values);
    const auto& expected = file.tensor(std::string(name) + ".f32");
    REQUIRE(expected.bytes.size() == values.size() * sizeof(float));
    CHECK(std::memcmp(expected.bytes.data(), values.data(), expected.bytes.size()) == 0);
    // Row by row is the same.
    std::vector<float> row(tensor.row_elements());
    for (std::uint64_t i = 0; i < tensor.rows(); ++i) {
      dequantize(tensor.format, tensor.row(i), row);
      CHECK(std::memcmp(values.data() + i * row.size(), row.data(), row.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("other types are refused by name") {
  const auto other = *block_format(10);
  CHECK_FALSE(can_dequantize(other));
  CHECK_THROWS_WITH(dequantize(other, {}, {}), Catch::Contains("Q2_K can't be read"));
}

TEST_CASE("every float16 has its float32") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = f16_to_float(static_cast<std::uint16_t>(bits));
    const std::uint32_t exponent = bits >> 10 & 31;
    const double mantissa = bits & 1023;
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    if (exponent == 31) {
      REQUIRE((mantissa == 0 ? std::isinf(value) : std::isnan(value)));
    } else {
      const double expected = exponent == 0 ? std::ldexp(mantissa, -24)
                                            : std::ldexp(1024 + mantissa, static_cast<int>(exponent) - 25);
      REQUIRE(static_cast<double>(value) == sign * expected);
    }
    REQUIRE(std::signbit(value) == (sign < 0));
  }
  CHECK(bf16_to_float(0x3F80) == 1.0f);
  CHECK(bf16_to_float(0xC040) == -3.0f);
}

}  // namespace
}  // namespace gpqa
