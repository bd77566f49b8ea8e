#include "harness/model_report.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "prompts/sha256.h"
#include "prompts/utf8.h"
#include "results/inert_text.h"
#include "runners/model_files/known_templates.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxShown = 200;

// On one line, and not longer than a reader wants it.
std::string shown(std::string_view text) {
  const bool cut = text.size() > kMaxShown;
  std::string out;
  for (const char c : terminal_escape(text.substr(0, kMaxShown))) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return cut ? out + "..." : out;
}

template <class T>
std::string shown(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "-";
}

// Layers may differ: each value once, in the order in which they come.
std::string by_layer(const std::vector<std::int64_t>& values) {
  std::vector<std::int64_t> once;
  for (const auto value : values)
    if (std::find(once.begin(), once.end(), value) == once.end()) once.push_back(value);
  if (once.empty()) return "-";
  return fmt::format("{}{}", fmt::join(once, " or "), once.size() > 1 ? ", by layer" : "");
}

class Lines {
 public:
  void add(std::string_view label, const std::string& value) {
    text_ += fmt::format("  {:<14}{}\n", label, value);
  }
  // Nothing if the file doesn't say it.
  void add_known(std::string_view label, const std::string& value) {
    if (!value.empty() && value != "-") add(label, value);
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
};

std::string architecture_lines(const ModelSummary& model) {
  Lines lines;
  lines.add("format", model.files.size() > 1 ? fmt::format("{}, {} files", model.format, model.files.size())
                                             : model.format);
  lines.add("architecture", model.architecture.empty() ? "-" : shown(model.architecture));
  lines.add("name", model.name.empty() ? "-" : shown(model.name));
  lines.add_known("file type", shown(model.file_type));
  lines.add_known("layers", shown(model.layers));
  lines.add_known("hidden", shown(model.hidden));
  lines.add_known("heads", by_layer(model.heads));
  lines.add_known("kv heads", by_layer(model.kv_heads));
  lines.add_known("feed-forward", by_layer(model.feed_forward));
  lines.add_known("context", shown(model.context));
  if (model.experts.value_or(0) > 0)
    lines.add("experts", fmt::format("{}, {} used a token, feed-forward {}", *model.experts,
                                     shown(model.experts_used), shown(model.expert_feed_forward)));
  lines.add("parameters", fmt::format("{}", model.elements));
  lines.add("bytes", fmt::format("{}, {:.2f} bits a weight", model.bytes, model.bits_per_weight()));
  return lines.text();
}

std::string text_lines(const ModelSummary& model) {
  Lines lines;
  if (!model.tokenizer.empty())
    lines.add("tokenizer", fmt::format("{}, {} tokens; bos {}, eos {}, end of turn {}",
                                       shown(model.tokenizer), shown(model.vocabulary), shown(model.bos),
                                       model.eos.empty() ? "-" : fmt::format("{}", fmt::join(model.eos, " ")),
                                       shown(model.end_of_turn)));
  if (model.chat_template) {
    const auto hash = sha256_hex(*model.chat_template);
    lines.add("template", fmt::format("{}, sha256 {}", chat_template_name(hash), hash));
  } else {
    lines.add("template", "none");
  }
  for (const auto& [key, value] : model.sampling)
    lines.add("sampling", fmt::format("{} = {}", shown(key), shown(value)));
  if (!model.suppressed.empty())
    lines.add("never sampled", shown(fmt::format("{}", fmt::join(model.suppressed, " "))));
  return lines.text();
}

std::string type_table(const ModelSummary& model) {
  std::string out =
      fmt::format("\n  {:<8}{:>8}{:>16}{:>16}{:>8}\n", "type", "tensors", "elements", "bytes", "share");
  for (const auto& type : model.types)
    out += fmt::format(
        "  {:<8}{:>8}{:>16}{:>16}{:>7.1f}%\n", type.type, type.tensors, type.elements, type.bytes,
        model.bytes == 0 ? 0.0 : 100.0 * static_cast<double>(type.bytes) / static_cast<double>(model.bytes));
  return out;
}

std::string tensor_table(std::span<const TensorView> tensors) {
  std::size_t widest = 0;
  for (const auto& tensor : tensors) widest = std::max(widest, std::min(tensor.name.size(), kMaxShown));
  std::string out = "\n";
  for (const auto& tensor : tensors)
    out += fmt::format("  {:<{}}  {:<8}{:>14}  [{}]\n", shown(tensor.name), widest, tensor.format.name,
                       tensor.bytes.size(), fmt::join(tensor.shape, ", "));
  return out;
}

Json or_null(const std::optional<std::uint64_t>& value) {
  return value ? Json(*value) : Json();
}

// Numbers and booleans as such, whatever else a value is as a text.
Json value_of(const std::string& text) {
  const auto parsed = Json::parse(text, nullptr, false);
  return parsed.is_number() || parsed.is_boolean() ? parsed : Json(with_valid_utf8(text));
}

}  // namespace

std::string to_text(const ModelReport& report) {
  const auto& model = report.summary;
  std::string out;
  for (std::size_t i = 0; i < model.files.size(); ++i)
    out += fmt::format("{}\n", shown(model.files[i].string())) +
           (report.sha256.empty() ? "" : fmt::format("  {:<14}{}\n", "sha256", report.sha256[i]));
  out += architecture_lines(model) + text_lines(model);
  if (!model.types.empty()) out += type_table(model);
  if (!report.tensors.empty()) out += tensor_table(report.tensors);
  return out;
}

Json to_json(const ModelReport& report) {
  const auto& model = report.summary;
  Json out{{"format", model.format}, {"files", Json::array()}};
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    Json file{{"path", with_valid_utf8(model.files[i].string())}};
    if (!report.sha256.empty()) file["sha256"] = report.sha256[i];
    out["files"].push_back(file);
  }
  out["architecture"] = with_valid_utf8(model.architecture);
  out["name"] = with_valid_utf8(model.name);
  out["file_type"] = with_valid_utf8(model.file_type);
  out["layers"] = or_null(model.layers);
  out["hidden"] = or_null(model.hidden);
  out["heads"] = model.heads;
  out["kv_heads"] = model.kv_heads;
  out["feed_forward"] = model.feed_forward;
  out["context"] = or_null(model.context);
  out["experts"] = or_null(model.experts);
  out["experts_used"] = or_null(model.experts_used);
  out["expert_feed_forward"] = or_null(model.expert_feed_forward);
  out["parameters"] = model.elements;
  out["bytes"] = model.bytes;
  out["bits_per_weight"] = model.bits_per_weight();
  out["types"] = Json::array();
  for (const auto& type : model.types)
    out["types"].push_back(
        {{"type", type.type}, {"tensors", type.tensors}, {"elements", type.elements}, {"bytes", type.bytes}});
  out["tokenizer"] = {{"model", with_valid_utf8(model.tokenizer)},
                      {"vocabulary", or_null(model.vocabulary)},
                      {"bos", or_null(model.bos)},
                      {"eos", model.eos},
                      {"end_of_turn", or_null(model.end_of_turn)}};
  out["chat_template"] = nullptr;
  if (model.chat_template) {
    const auto hash = sha256_hex(*model.chat_template);
    out["chat_template"] = {{"name", chat_template_name(hash)}, {"sha256", hash}};
  }
  out["sampling"] = Json::object();
  for (const auto& [key, value] : model.sampling) out["sampling"][with_valid_utf8(key)] = value_of(value);
  out["suppress_tokens"] = model.suppressed;
  for (const auto& tensor : report.tensors)
    out["tensors"].push_back({{"name", with_valid_utf8(tensor.name)},
                              {"type", tensor.format.name},
                              {"shape", tensor.shape},
                              {"bytes", tensor.bytes.size()}});
  return out;
}

}  // namespace gpqa
