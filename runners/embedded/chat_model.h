// A model as a partner in a chat: its tokenizer, its template, what its file says of sampling.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runners/embedded/model/model_source.h"
#include "runners/embedded/sampling/dry_breakers.h"
#include "runners/embedded/sampling/reasoning_budget.h"
#include "runners/embedded/sampling/sampler_settings.h"
#include "runners/model_files/chat_template.h"
#include "runners/model_files/tokenizer.h"

namespace gpqa {

class ChatModel {
 public:
  // Throws InputError for a chat template that isn't known, unless `force_template`; FormatError for a
  // vocabulary that doesn't fit the model.
  ChatModel(const ModelSource& source, bool force_template);

  const Tokenizer& tokenizer() const { return tokenizer_; }
  const BakedSampling& baked() const { return baked_; }
  const std::string& template_sha256() const { return template_sha256_; }
  std::string_view template_name() const;

  // One turn of the user's, up to where the model begins to write; with `<bos>`.
  std::vector<TokenId> prompt(std::string_view user, bool thinking) const;
  // Where thoughts begin and end; `message` is put before the end that is forced.
  ReasoningTags reasoning_tags(std::string_view message) const;
  std::shared_ptr<const DryBreakers> dry_breakers(const SamplerSettings& settings) const;  // null: not needed
  // The tags alone: `<|channel>`, `<channel|>`.
  TokenId thought_opens() const { return opens_; }
  TokenId thought_closes() const { return closes_; }

 private:
  Tokenizer tokenizer_;
  std::optional<std::string> template_;
  ChatFormat format_;
  std::string template_sha256_;
  BakedSampling baked_;
  TokenId opens_ = 0;
  TokenId closes_ = 0;
};

}  // namespace gpqa
