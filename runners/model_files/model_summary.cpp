#include "runners/model_files/model_summary.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/chat_template.h"
#include "runners/model_files/file_types.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/tensor_totals.h"

namespace gpqa {
namespace {

constexpr std::string_view kSampling = "general.sampling.";

std::optional<std::uint64_t> count_of(const GgufFile& file, const std::string& key) {
  return file.has(key) ? std::optional(file.count(key)) : std::nullopt;
}

std::vector<std::int64_t> counts_of(const GgufFile& file, const std::string& key) {
  return file.has(key) ? file.integers(key) : std::vector<std::int64_t>();
}

std::string text_of(const GgufFile& file, const std::string& key) {
  return file.has(key) ? std::string(file.text(key)) : "";
}

struct Shown {
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(const GgufArray& array) const { return fmt::format("{} values", array.count); }
  // Files hold float32: 0.95, not 0.949999988079071.
  std::string operator()(double number) const { return fmt::format("{}", static_cast<float>(number)); }
  template <class Value>
  std::string operator()(Value value) const {
    return fmt::format("{}", value);
  }
};

// The key, or the spellings by which llama.cpp knows it.
std::optional<std::uint64_t> end_of_turn(const GgufFile& file) {
  if (file.has("tokenizer.ggml.eot_token_id") || !file.has("tokenizer.ggml.tokens")) {
    return count_of(file, "tokenizer.ggml.eot_token_id");
  }
  constexpr std::array<std::string_view, 4> kSpelled = {"<turn|>", "<end_of_turn>", "<|im_end|>",
                                                        "<|eot_id|>"};
  const auto tokens = file.strings("tokenizer.ggml.tokens");
  for (const auto spelled : kSpelled) {
    if (const auto it = std::find(tokens.begin(), tokens.end(), spelled); it != tokens.end()) {
      return static_cast<std::uint64_t>(it - tokens.begin());
    }
  }
  return std::nullopt;
}

void add_tokenizer(const GgufFile& file, ModelSummary& out) {
  out.tokenizer = text_of(file, "tokenizer.ggml.model");
  if (file.has("tokenizer.ggml.tokens")) {
    out.vocabulary = file.strings("tokenizer.ggml.tokens").size();
  }
  out.bos = count_of(file, "tokenizer.ggml.bos_token_id");
  out.eos = counts_of(file, "tokenizer.ggml.eos_token_id");
  out.end_of_turn = end_of_turn(file);
  out.chat_template = chat_template_of(file);
  out.suppressed = counts_of(file, "tokenizer.ggml.suppress_tokens");
}

}  // namespace

double ModelSummary::bits_per_weight() const {
  return elements == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
}

void add_tensor_totals(std::span<const TensorView> tensors, ModelSummary& out) {
  for (const auto& tensor : tensors) {
    auto type = std::find_if(out.types.begin(), out.types.end(),
                             [&](const auto& entry) { return entry.type == tensor.format.name; });
    if (type == out.types.end()) {
      type = out.types.insert(type, {std::string(tensor.format.name), 0, 0, 0});
    }
    ++type->tensors;
    type->elements += tensor.elements();
    type->bytes += tensor.bytes.size();
    out.elements += tensor.elements();
    out.bytes += tensor.bytes.size();
  }
  std::stable_sort(out.types.begin(), out.types.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
}

ModelSummary summarise(const GgufFile& file) {
  ModelSummary out;
  const auto& header = file.header();
  out.format = fmt::format("GGUF v{}", header.version);
  out.files = header.files;
  out.architecture = text_of(file, "general.architecture");
  out.name = text_of(file, "general.name");
  if (const auto type = count_of(file, "general.file_type")) {
    const auto label = file_type_label(*type);
    out.file_type = label.empty() ? fmt::format("unknown ({})", *type) : std::string(label);
  }
  const auto key = [&](const char* name) { return out.architecture + "." + name; };
  out.layers = count_of(file, key("block_count"));
  out.hidden = count_of(file, key("embedding_length"));
  out.heads = counts_of(file, key("attention.head_count"));
  out.kv_heads = counts_of(file, key("attention.head_count_kv"));
  out.feed_forward = counts_of(file, key("feed_forward_length"));
  out.context = count_of(file, key("context_length"));
  out.experts = count_of(file, key("expert_count"));
  out.experts_used = count_of(file, key("expert_used_count"));
  out.expert_feed_forward = count_of(file, key("expert_feed_forward_length"));
  add_tokenizer(file, out);
  for (const auto& entry : header.entries) {
    if (entry.key.starts_with(kSampling)) {
      out.sampling.emplace_back(entry.key.substr(kSampling.size()),
                                std::visit(Shown(), header.metadata.at(entry.key)));
    }
  }
  add_tensor_totals(file.tensors(), out);
  return out;
}

}  // namespace gpqa
