// The figures of `gpqa model bench`, and how they are shown.
#include "harness/speed_report.h"

#include <algorithm>
#include <string>

#include "tests/catch.h"

using namespace gpqa;

namespace {

SpeedReport example() {
  SpeedReport report;
  report.model = "slice\x1b.gguf";
  report.threads = 2;
  report.kernels = "avx2";
  report.arithmetic = "int8";
  report.kv = "f16";
  report.prompt = {512, {4.0, 4.0, 5.5}, {40e9, 30e9}, {}};
  DecodeSpeed one;
  one.slots = 1;
  one.seconds = {0.020, 0.040, 0.030, 0.090};
  one.reads = {{600'000'000, 1'000'000, {8, 8}}, {602'000'000, 3'000'000, {8, 8}}};
  one.bandwidth = {30e9, 50e9};
  DecodeSpeed eight = one;
  eight.slots = 8;
  eight.seconds = {0.1, 0.1, 0.1};
  eight.reads = {{2'000'000'000, 16'000'000, {50, 53}}};
  report.decode = {one, eight};
  return report;
}

}  // namespace

TEST_CASE("a row's speed goes by the median step, and its share of the memory by the bytes of a mean one") {
  const auto report = example();
  const auto prompt = speed_row(report.prompt);
  CHECK(prompt.tokens_per_s == Approx(128));
  CHECK(prompt.mean_tokens_per_s == Approx(512 / 4.5));
  const auto row = speed_row(report.decode[0]);
  CHECK(row.median_s == Approx(0.035));
  CHECK(row.mean_s == Approx(0.045));
  CHECK(row.tokens_per_s == Approx(1 / 0.035));
  CHECK(row.weights == Approx(601e6));
  CHECK(row.kv == Approx(2e6));
  CHECK(row.bandwidth == Approx(40e9));
  CHECK(row.share == Approx(603e6 / 0.035 / 40e9));
  const auto eight = speed_row(report.decode[1]);
  CHECK(eight.tokens_per_s == Approx(80));
  CHECK(eight.experts == Approx(51.5));
  CHECK(eight.fewest_experts == 50);
  CHECK(eight.most_experts == 53);
}

TEST_CASE("the table") {
  CHECK(
      to_text(example()) ==
      R"(slice\x1b.gguf: 2 threads, kernels avx2, int8, keys and values f16; prompts of 512 tokens, then 4 steps

            tokens/s   (mean)        ms   (mean) weights MB  k, v MB   experts a layer   memory GB/s    used
prompt        128.00   113.78    4000.0   4500.0                                          40.0, 30.0
1 slot         28.57    22.22      35.0     45.0      601.0      2.0         8.0 (8-8)    30.0, 50.0     43%
8 slots        80.00    80.00     100.0    100.0     2000.0     16.0      51.5 (50-53)    30.0, 50.0     50%

ms: of a prompt, of a step. Medians, with means beside them. Weights, keys and values: what a step must
read. Memory: read by all threads just before and just after; used: what a median step read of the mean.
)");
}

TEST_CASE("as JSON, bytes and seconds") {
  const auto json = to_json(example());
  CHECK(json.at("prompt").at("prompts") == 3);
  CHECK_FALSE(json.at("prompt").contains("weight_bytes"));
  CHECK(json.at("decode").size() == 2);
  CHECK(json.at("decode")[0].at("kv_bytes") == 2e6);
  CHECK(json.at("decode")[1].at("slots") == 8);
  CHECK(json.at("decode")[1].at("steps") == 3);
  CHECK(json.at("decode")[1].at("tokens_per_s").get<double>() == Approx(80));
}

TEST_CASE("where the time of a step goes, against the memory's speed") {
  auto report = example();
  report.decode.resize(1);
  report.decode[0].seconds = {0.020, 0.040};
  report.decode[0].bandwidth = {30e9, 50e9};
  report.decode[0].operations = {{"ffn_gate, ffn_up", 12, 0.030, 600'000'000, 1'200'000'000},
                                 {"rms_norm", 20, 0.006, 0, 0}};
  const std::string text = to_text(report);
  INFO(text);
  const std::string expected =
      R"(
a step, 1 slot                      calls        ms    time        MB     GB/s of the memory     GMAC/s
ffn_gate, ffn_up                        6    15.000   50.0%    300.00     20.0           50%       40.0
rms_norm                               10     3.000   10.0%
between them                                 12.000   40.0%
)";
  CHECK(text.substr(text.size() - std::min(text.size(), expected.size())) == expected);
  const auto operations = to_json(report).at("decode")[0].at("operations");
  CHECK(operations.size() == 2);
  CHECK(operations[0].at("bytes") == 600'000'000);
  CHECK(!to_json(report).at("prompt").contains("operations"));
}
