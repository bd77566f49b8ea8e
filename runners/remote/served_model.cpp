#include "runners/remote/served_model.h"

#include <variant>

#include "runners/model_files/file_types.h"
#include "runners/model_files/gguf_reader.h"
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
