// The same model kept in other shapes: float32, fused attention, experts' gate and up apart, an output
// matrix.
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "runners/model_files/gguf_writer.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"
#include "tests/support/widen_gguf.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using gpqa_test::kGemmaData;
using gpqa_test::same_bits;
using gpqa_test::TinyModel;

namespace {

const std::vector<std::int32_t> kIds = {2,    885,  907, 537,  1361, 516,  519,
                                        1373, 1364, 515, 1365, 1374, 1400, 1360};

// Tensors of a file, some put together or taken apart. Owns what is new.
class Rebuilt {
 public:
  explicit Rebuilt(const GgufFile& file) : file_(file) {}

  void keep(const TensorView& tensor) { tensors_.push_back(tensor); }
  // Rows of several matrices, one after the other.
  void join(const std::string& name, const std::vector<const TensorView*>& parts) {
    TensorView joined = *parts.front();
    joined.name = name;
    auto& bytes = owned_.emplace_back();
    joined.shape[1] = 0;
    for (const auto* part : parts) {
      bytes.insert(bytes.end(), part->bytes.begin(), part->bytes.end());
      joined.shape[1] += part->shape[1];
    }
    joined.bytes = bytes;
    tensors_.push_back(joined);
  }
  // Rows [from, from + count) of each matrix of a stack.
  void cut(const std::string& name, const TensorView& stack, std::uint64_t from, std::uint64_t count) {
    TensorView part = stack;
    part.name = name;
    auto& bytes = owned_.emplace_back();
    for (std::uint64_t e = 0; e < stack.shape[2]; ++e)
      for (std::uint64_t r = from; r < from + count; ++r) {
        const auto row = stack.row(e * stack.shape[1] + r);
        bytes.insert(bytes.end(), row.begin(), row.end());
      }
    part.shape[1] = count;
    part.bytes = bytes;
    tensors_.push_back(part);
  }
  void write(const std::filesystem::path& path) const { write_gguf(path, GgufMetadata(file_), tensors_); }

 private:
  const GgufFile& file_;
  std::vector<TensorView> tensors_;
  std::deque<std::vector<std::byte>> owned_;
};

}  // namespace

TEST_CASE("float32 files say what the BF16 ones they were widened from say") {
  const TemporaryFolder folder;
  test::widen_gguf(kGemmaData + "tiny-bf16.gguf", folder.path() / "f32.gguf");
  TinyModel wide((folder.path() / "f32.gguf").string());
  CHECK(same_bits(wide.logits(kIds), TinyModel(kGemmaData + "tiny-bf16.gguf").logits(kIds)));
}

TEST_CASE("fused attention, gate and up apart, and a separate output matrix change nothing") {
  const auto type = GENERATE(as<std::string>(), "bf16", "q8_0", "q4_k_m");
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "rebuilt.gguf").string();
  const GgufFile file(kGemmaData + "tiny-" + type + ".gguf");
  Rebuilt rebuilt(file);
  for (const auto& tensor : file.tensors()) {
    const auto dot = tensor.name.find('.', 4);
    const std::string layer = tensor.name.substr(0, dot);
    const auto is = [&](const char* part) { return tensor.name.ends_with(part); };
    const auto* k = file.find(layer + ".attn_k.weight");
    const auto* v = file.find(layer + ".attn_v.weight");
    // One type is needed to be joined.
    const bool joins = k != nullptr && file.tensor(layer + ".attn_q.weight").format.id == k->format.id &&
                       (v == nullptr || v->format.id == k->format.id);
    if (joins && is(".attn_q.weight")) {
      std::vector<const TensorView*> parts = {&tensor, k};
      if (v != nullptr) parts.push_back(v);
      rebuilt.join(layer + ".attn_qkv.weight", parts);
    } else if (joins && (is(".attn_k.weight") || is(".attn_v.weight"))) {
      continue;
    } else if (is(".ffn_gate_up_exps.weight")) {
      rebuilt.cut(layer + ".ffn_gate_exps.weight", tensor, 0, tensor.shape[1] / 2);
      rebuilt.cut(layer + ".ffn_up_exps.weight", tensor, tensor.shape[1] / 2, tensor.shape[1] / 2);
    } else {
      rebuilt.keep(tensor);
    }
    if (tensor.name == "token_embd.weight") {
      auto output = tensor;
      output.name = "output.weight";
      rebuilt.keep(output);
    }
  }
  rebuilt.write(path);
  INFO(type);
  CHECK(GgufFile(path).find("blk.0.ffn_gate_exps.weight") != nullptr);
  for (const auto arithmetic : {Arithmetic::float32, Arithmetic::int8}) {
    TinyModel other(path, {.threads = 2, .arithmetic = arithmetic});
    TinyModel original(kGemmaData + "tiny-" + type + ".gguf", {.threads = 1, .arithmetic = arithmetic});
    CHECK(same_bits(other.logits(kIds), original.logits(kIds)));
  }
}
