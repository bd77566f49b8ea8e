// The part of model_summary.h that reads the JSON files of a Hugging Face folder.
#include <algorithm>
#include <initializer_list>
#include <simdjson.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/model_files/chat_template.h"
#include "runners/model_files/checkpoint_json.h"
#include "runners/model_files/mapped_file.h"
#include "runners/model_files/model_summary.h"
#include "runners/model_files/safetensors_reader.h"
#include "runners/model_files/tensor_totals.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;
using Keys = std::initializer_list<std::string_view>;

// A file of the folder, empty if it isn't there.
class JsonFile {
 public:
  explicit JsonFile(fs::path path)
      : path_(std::move(path)), root_(read_checkpoint_json(path_).value_or(nlohmann::json())) {}

  // The first of the keys that is there and isn't null, else nullptr. A key "a/b" is b in a.
  const nlohmann::json* find(Keys keys) const {
    for (const auto key : keys) {
      const auto slash = key.find('/');
      const auto* found = member(root_, key.substr(0, slash));
      if (found != nullptr && slash != std::string_view::npos) {
        found = member(*found, key.substr(slash + 1));
      }
      if (found != nullptr) {
        return found;
      }
    }
    return nullptr;
  }

  std::optional<std::uint64_t> count(Keys keys) const {
    const auto* value = find(keys);
    if (value != nullptr && !value->is_number_unsigned()) {
      fail(keys, "a whole number from 0");
    }
    return value == nullptr ? std::nullopt : std::optional(value->get<std::uint64_t>());
  }
  std::string text(Keys keys) const {
    const auto* value = find(keys);
    if (value != nullptr && !value->is_string()) {
      fail(keys, "a string");
    }
    return value == nullptr ? "" : value->get<std::string>();
  }
  // A whole number, or an array of them.
  std::vector<std::int64_t> counts(Keys keys) const {
    std::vector<std::int64_t> out;
    const auto* value = find(keys);
    const auto add = [&](const nlohmann::json& one) {
      if (!one.is_number_integer()) {
        fail(keys, "whole numbers");
      }
      out.push_back(one.get<std::int64_t>());
    };
    if (value != nullptr && value->is_array()) {
      std::for_each(value->begin(), value->end(), add);
    } else if (value != nullptr) {
      add(*value);
    }
    return out;
  }

 private:
  static const nlohmann::json* member(const nlohmann::json& object, std::string_view key) {
    const auto it = object.find(key);  // the end, if it is no object
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }
  [[noreturn]] void fail(Keys keys, const char* expected) const {
    throw FormatError(path_.string(), std::string(*keys.begin()), fmt::format("expected {}", expected));
  }

  fs::path path_;
  nlohmann::json root_;
};

void add_config(const JsonFile& config, ModelSummary& out) {
  // Multimodal models have a model of text within.
  if (const auto* names = config.find({"architectures"}); names != nullptr && names->is_array()) {
    if (!names->empty() && names->front().is_string()) {
      out.architecture = names->front().get<std::string>();
    }
  }
  if (out.architecture.empty()) {
    out.architecture = config.text({"model_type"});
  }
  out.file_type = config.text({"dtype", "torch_dtype", "text_config/dtype"});
  out.layers = config.count({"text_config/num_hidden_layers", "num_hidden_layers"});
  out.hidden = config.count({"text_config/hidden_size", "hidden_size"});
  out.heads = config.counts({"text_config/num_attention_heads", "num_attention_heads"});
  out.kv_heads = config.counts({"text_config/num_key_value_heads", "num_key_value_heads"});
  if (const auto global =
          config.count({"text_config/num_global_key_value_heads", "num_global_key_value_heads"})) {
    out.kv_heads.push_back(static_cast<std::int64_t>(*global));
  }
  out.feed_forward = config.counts({"text_config/intermediate_size", "intermediate_size"});
  out.context = config.count({"text_config/max_position_embeddings", "max_position_embeddings"});
  out.experts = config.count({"text_config/num_experts", "num_experts", "num_local_experts"});
  out.experts_used = config.count({"text_config/top_k_experts", "top_k_experts", "num_experts_per_tok"});
  out.expert_feed_forward = config.count({"text_config/moe_intermediate_size", "moe_intermediate_size"});
}

// tokenizer.json is large: 33 MB for Gemma's vocabulary.
void add_tokenizer_json(const fs::path& path, const std::string& end_of_turn, ModelSummary& out) {
  if (!fs::exists(path)) {
    return;
  }
  const MappedFile file(path);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const auto json = file.text();
  if (const auto error = parser.parse(json.data(), json.size()).get(root)) {
    throw FormatError(path.string(), "", fmt::format("expected JSON: {}", simdjson::error_message(error)));
  }
  std::string_view model;
  std::uint64_t id = 0;
  if (root["model"]["type"].get(model) == simdjson::SUCCESS) {
    out.tokenizer = model;
  }
  if (!end_of_turn.empty() && root["model"]["vocab"][end_of_turn].get(id) == simdjson::SUCCESS) {
    out.end_of_turn = id;
  }
}

void add_tokenizer(const fs::path& folder, const JsonFile& config, ModelSummary& out) {
  const JsonFile generation(folder / "generation_config.json");
  const JsonFile settings(folder / "tokenizer_config.json");
  const auto* spelled = settings.find({"eot_token"});
  add_tokenizer_json(folder / "tokenizer.json",
                     spelled != nullptr && spelled->is_string() ? spelled->get<std::string>() : "", out);
  out.vocabulary = config.count({"text_config/vocab_size", "vocab_size"});
  out.bos = generation.count({"bos_token_id"});
  out.eos = generation.counts({"eos_token_id"});
  if (!out.bos) {
    out.bos = config.count({"text_config/bos_token_id", "bos_token_id"});
  }
  if (out.eos.empty()) {
    out.eos = config.counts({"eos_token_id", "text_config/eos_token_id"});
  }
  out.chat_template = hf_chat_template_of(folder);
  for (const auto* key :
       {"do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty"}) {
    if (const auto* value = generation.find({key})) {
      out.sampling.emplace_back(key, value->dump(-1, ' ', true));
    }
  }
  out.suppressed = generation.counts({"suppress_tokens"});
}

}  // namespace

ModelSummary summarise(const SafetensorsCheckpoint& checkpoint) {
  ModelSummary out;
  out.format = "safetensors";
  out.files = checkpoint.files();
  const auto folder = checkpoint.path().has_parent_path() ? checkpoint.path().parent_path() : fs::path(".");
  const JsonFile config(folder / "config.json");
  out.name = config.text({"_name_or_path"});
  if (out.name.empty()) {
    out.name = fs::weakly_canonical(folder).filename().string();
  }
  add_config(config, out);
  add_tokenizer(folder, config, out);
  add_tensor_totals(checkpoint.tensors(), out);
  return out;
}

}  // namespace gpqa
