#include "runners/embedded/chat_model.h"

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "runners/embedded/sampling/baked_sampling.h"
#include "runners/model_files/known_templates.h"

namespace gpqa {
namespace {

constexpr std::string_view kThoughtOpens = "<|channel>";
constexpr std::string_view kThoughtCloses = "<channel|>";
constexpr std::string_view kThoughtBegins = "<|channel>thought";  // all of what opens a thought
constexpr std::string_view kGenerationPrompt = "<|turn>model\n";

}  // namespace

ChatModel::ChatModel(const ModelSource& source, bool force_template)
    : tokenizer_(source.tokenizer()),
      template_(source.chat_template()),
      format_(chat_format(template_, source.path().string(), force_template)),
      template_sha256_(template_ ? sha256_hex(*template_) : ""),
      baked_(source.gguf() != nullptr
                 ? read_baked_sampling(*source.gguf())
                 : read_baked_sampling(source.path(), tokenizer_.vocabulary().ids.suppressed)) {
  const auto single = [&](std::string_view tag) {
    const auto ids = tokenizer_.encode(tag);
    if (ids.size() != 1)
      throw FormatError(source.path().string(), "tokenizer", fmt::format("'{}' is no token of its own", tag));
    return ids[0];
  };
  opens_ = single(kThoughtOpens);
  closes_ = single(kThoughtCloses);
}

std::string_view ChatModel::template_name() const {
  return chat_template_name(template_sha256_);
}

std::vector<TokenId> ChatModel::prompt(std::string_view user, bool thinking) const {
  const ChatMessage message{.role = "user", .content = std::string(user)};
  ChatOptions options;
  options.thinking = thinking;
  return tokenizer_.encode(render_chat(format_, std::span(&message, 1), options), {.add_bos = true});
}

ReasoningTags ChatModel::reasoning_tags(std::string_view message) const {
  ReasoningTags tags;
  tags.start = tokenizer_.encode(kThoughtBegins);
  tags.ends = {{closes_}};
  tags.forced = tokenizer_.encode(message);
  tags.forced.push_back(closes_);
  tags.generation_prompt = tokenizer_.encode(kGenerationPrompt);
  tags.whole_characters = [this](int id) {
    return tokenizer_.is_special(id) || ends_character(tokenizer_.piece(id));
  };
  return tags;
}

std::shared_ptr<const DryBreakers> ChatModel::dry_breakers(const SamplerSettings& settings) const {
  if (!settings.dry_active()) return nullptr;
  const TokenPieces pieces{
      .count = static_cast<int>(tokenizer_.size()),
      .text = [this](int id) { return std::string(tokenizer_.piece(id)); },
      .tokenize =
          [this](std::string_view text) { return tokenizer_.encode(text, {.parse_special = false}); }};
  return std::make_shared<const DryBreakers>(settings.dry_sequence_breakers, pieces);
}

}  // namespace gpqa
