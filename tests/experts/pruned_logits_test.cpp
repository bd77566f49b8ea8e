// A model that lost experts says what transformers says of the same checkpoint without them.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "experts/checkpoint_drop.h"
#include "experts/gguf_drop.h"
#include "tests/catch.h"
#include "tests/experts/tiny_drop.h"
#include "tests/runners/embedded/tiny_model.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using gpqa_test::kGemmaData;
using gpqa_test::kQuiet;
using gpqa_test::read_floats;
using gpqa_test::tiny_traced_map;
using gpqa_test::TinyModel;

TEST_CASE("logits of what we drop from a GGUF and from a checkpoint equal transformers' at every position") {
  const TemporaryFolder folder;
  const auto out = folder.path() / "out";
  if (GENERATE(true, false))
    drop_from_gguf(kGemmaData + "tiny-bf16.gguf", tiny_traced_map(), "map.json", out, kQuiet);
  else
    drop_from_checkpoint(kGemmaData + "tiny-hf", tiny_traced_map(), "map.json", out, 4'000'000, kQuiet);
  TinyModel tiny(out.string(), {.threads = 2, .arithmetic = Arithmetic::float32});
  CHECK(tiny.model->config().experts == 12);
  for (const std::string sequence : {"short", "chat"}) {
    INFO(sequence);
    const auto ids = gpqa_test::read_json(kGemmaData + "golden/hf." + sequence + ".json")
                         .at("ids")
                         .get<std::vector<std::int32_t>>();
    const auto expected = read_floats(kGemmaData + "golden/pruned." + sequence + ".logits.f32");
    const auto got = tiny.logits(ids);
    REQUIRE(got.size() == expected.size());
    double most = 0;
    for (std::size_t i = 0; i < got.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(got[i]) - expected[i]));
    CHECK(most < 5e-5);  // transformers' own two attention and expert paths differ by 2e-5
  }
}
