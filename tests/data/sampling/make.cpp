// Writes tokens.json: what llama.cpp (build 11434) samples in the chains of golden_chains.h. Built by hand:
//   g++ -std=c++20 -I GPQA -I LLAMA/include -I LLAMA/src -I LLAMA/ggml/include make.cpp -L LLAMA/build/bin
//   -lllama
#include <cmath>
#include <cstdio>
#include <vector>

#include "llama-sampler.h"
#include "llama.h"
#include "tests/runners/embedded/sampling/golden_chains.h"

namespace {

using gpqa::SamplerKind;

// The order of common_sampler_init in llama.cpp's common/sampling.cpp.
llama_sampler* make_chain(const gpqa_test::GoldenChain& golden) {
  const auto& s = golden.settings;
  const int n = golden.vocabulary;
  llama_sampler* chain = llama_sampler_chain_init({});
  const auto add = [chain](llama_sampler* sampler) { llama_sampler_chain_add(chain, sampler); };
  std::vector<llama_logit_bias> biases;
  for (const auto& [token, bias] : s.logit_bias) biases.push_back({token, bias});
  for (const int token : s.suppress_tokens) biases.push_back({token, -INFINITY});
  if (!biases.empty()) add(llama_sampler_init_logit_bias(n, static_cast<int>(biases.size()), biases.data()));
  if (s.mirostat != 0) {
    add(llama_sampler_init_temp(s.temperature));
    add(s.mirostat == 1 ? llama_sampler_init_mirostat(n, golden.seed, s.mirostat_tau, s.mirostat_eta, 100)
                        : llama_sampler_init_mirostat_v2(golden.seed, s.mirostat_tau, s.mirostat_eta));
    return chain;
  }
  const auto min_keep = static_cast<std::size_t>(s.min_keep);
  bool adaptive = false;
  for (const auto kind : s.samplers) {
    switch (kind) {
      case SamplerKind::penalties:
        add(llama_sampler_init_penalties(n, s.repeat_last_n, s.repeat_penalty, s.frequency_penalty,
                                         s.presence_penalty));
        break;
      case SamplerKind::dry:
        add(llama_sampler_init_dry_testing(s.dry_multiplier, s.dry_base, s.dry_allowed_length,
                                           s.dry_penalty_last_n, gpqa_test::kGoldenBreakers));
        break;
      case SamplerKind::top_n_sigma:
        add(llama_sampler_init_top_n_sigma(s.top_n_sigma));
        break;
      case SamplerKind::top_k:
        add(llama_sampler_init_top_k(s.top_k));
        break;
      case SamplerKind::typ_p:
        add(llama_sampler_init_typical(s.typical_p, min_keep));
        break;
      case SamplerKind::top_p:
        add(llama_sampler_init_top_p(s.top_p, min_keep));
        break;
      case SamplerKind::min_p:
        add(llama_sampler_init_min_p(s.min_p, min_keep));
        break;
      case SamplerKind::xtc:
        add(llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, min_keep, golden.seed));
        break;
      case SamplerKind::temperature:
        add(llama_sampler_init_temp_ext(s.temperature, s.dynatemp_range, s.dynatemp_exponent));
        break;
      case SamplerKind::adaptive_p:
        adaptive = true;
        break;
      case SamplerKind::infill:
        break;
    }
  }
  add(adaptive ? llama_sampler_init_adaptive_p(s.adaptive_target, s.adaptive_decay, golden.seed)
               : llama_sampler_init_dist(golden.seed));
  return chain;
}

}  // namespace

int main() {
  std::puts("{");
  const auto chains = gpqa_test::golden_chains();
  for (std::size_t c = 0; c < chains.size(); ++c) {
    llama_sampler* chain = make_chain(chains[c]);
    for (const int token : gpqa_test::kGoldenPrompt) llama_sampler_accept(chain, token);
    std::printf("\"%s\":[", chains[c].name.c_str());
    for (int step = 0; step < gpqa_test::kGoldenTokens; ++step) {
      const auto logits = gpqa_test::golden_logits(chains[c].seed, step, chains[c].vocabulary);
      std::vector<llama_token_data> data;
      for (std::size_t id = 0; id < logits.size(); ++id)
        data.push_back({static_cast<int>(id), logits[id], 0});
      llama_token_data_array array = {data.data(), data.size(), -1, false};
      llama_sampler_apply(chain, &array);
      const int token = array.data[array.selected].id;
      llama_sampler_accept(chain, token);
      std::printf(step == 0 ? "%d" : ",%d", token);
    }
    std::puts(c + 1 < chains.size() ? "]," : "]");
    llama_sampler_free(chain);
  }
  std::puts("}");
}
