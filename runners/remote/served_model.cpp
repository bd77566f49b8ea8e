#include "runners/remote/served_model.h"

#include <algorithm>
#include <variant>

#include <nlohmann/json.hpp>

#include "prompts/sha256.h"
#include "runners/model_files/file_types.h"
#include "runners/model_files/gguf_reader.h"
#include "runners/model_files/known_templates.h"
#include "runners/remote/server_calls.h"
#include "runners/remote/wire_format.h"

namespace gpqa {
namespace {

constexpr std::size_t kMaxShown = 100;

struct Shown {
  std::string operator()(const std::string& text) const { return readable(text, kMaxShown); }
  std::string operator()(const GgufArray& array) const { return fmt::format("{} values", array.count); }
  template <class Number>
  std::string operator()(Number value) const {
    return fmt::format("{}", value);
  }
};

// Differences in what is served, in words; "" if there are none.
std::string differences(const ServedModel& served, const GgufHeader& header) {
  std::string text;
  const auto compare = [&](const char* what, std::int64_t found, std::uint64_t expected) {
    if (found > 0 && static_cast<std::uint64_t>(found) != expected) {
      text += fmt::format("{}{} {} where the file has {}", text.empty() ? "" : ", ", found, what, expected);
    }
  };
  compare("parameters", served.n_params, header.n_params());
  compare("bytes of tensors", served.bytes, header.tensor_bytes());
  const auto tokens = header.metadata.find("tokenizer.ggml.tokens");
  const auto* vocabulary =
      tokens == header.metadata.end() ? nullptr : std::get_if<GgufArray>(&tokens->second);
  if (vocabulary != nullptr) {
    compare("tokens in its vocabulary", served.n_vocab, vocabulary->count);
  }
  return text;
}

}  // namespace

void read_props(const nlohmann::ordered_json& props, RunnerInfo& info) {
  info.build = text_of(props, "build_info");
  info.model_path = text_of(props, "model_path");
  info.quant = text_of(props, "model_ftype");
  info.slots = std::max<std::int64_t>(integer_of(props, "total_slots"), 1);
  info.slot_context = integer_of(member_of(props, "default_generation_settings"), "n_ctx");
  info.chat_template_sha256 = sha256_hex(text_of(props, "chat_template"));
  info.chat_template_name = chat_template_name(info.chat_template_sha256);
}

const nlohmann::ordered_json& first_model(const nlohmann::ordered_json& models) {
  static const nlohmann::ordered_json none;
  const auto& data = member_of(models, "data");
  return data.is_array() && !data.empty() ? data.front() : none;
}

void read_model(const nlohmann::ordered_json& model, RunnerInfo& info) {
  const auto& meta = member_of(model, "meta");
  info.model_id = text_of(model, "id");
  info.n_params = integer_of(meta, "n_params");
  info.model_bytes = integer_of(meta, "size");
  if (const auto quant = text_of(meta, "ftype"); !quant.empty()) {
    info.quant = quant;
  }
}

void compare_model(const ServedModel& served, const std::filesystem::path& file, const GgufHeader& header,
                   AuditFindings& findings) {
  if (served.n_params <= 0 || served.bytes <= 0) {
    findings.refuse(
        "the server doesn't say how large its model is, so it can't be compared with {}: use a newer "
        "llama-server, or leave `model` out of the plan to go on unchecked",
        file.string());
  }
  if (const auto text = differences(served, header); !text.empty()) {
    findings.refuse(
        "another model is served: {} has {}. Start the server with {}, or correct `model` in the plan",
        readable(served.path, kMaxShown), text, file.string());
  }
  const auto label = file_type_label(header.count("general.file_type").value_or(~std::uint64_t{0}));
  if (!label.empty() && !served.quant.empty() && !served.quant.starts_with(label)) {
    findings.note("the server calls its quantisation {}, the file {}", readable(served.quant, kMaxShown),
                  label);
  }
  for (const auto& [key, value] : header.metadata) {
    if (key.starts_with("general.sampling.")) {
      findings.note("the GGUF replaces a default of the server: {} = {}", readable(key, kMaxShown),
                    std::visit(Shown(), value));
    } else if (key == "tokenizer.ggml.suppress_tokens") {
      findings.note("the GGUF forbids tokens, which no endpoint shows: {} = {}", key,
                    std::visit(Shown(), value));
    }
  }
}

}  // namespace gpqa
