// What a calibration measured of each expert: the author's expert_neuron_v4.json and
// per_question_teacher_force.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpqa {

// Sums over the prompts of a part, so they add. G: a routed token's gate weights, F: the expert's outputs.
struct ExpertSums {
  double wnorm = 0;  // of ||G*F||, Frobenius over the block of a prompt's tokens
  double rnorm = 0;  // of ||F||, likewise
  double wsum = 0;   // of mean(G)
  double tc = 0;     // routed tokens
  double cc = 0;     // prompts in which the expert was hit
  // Over tokens, of ||g*f|| and ||f||. Where the file hasn't `token_wnorm_sum` and `token_rnorm_sum`, from
  // the blocks: norm * sqrt(tc/cc), right if a part's blocks are of one size and their tokens of one norm;
  // never below what blocks of one size can come from (Cauchy-Schwarz).
  double token_wnorm = 0;
  double token_rnorm = 0;

  void add(const ExpertSums& other, double times = 1);
};

struct ContributionEntry {
  std::uint32_t layer;
  std::uint32_t expert;
  ExpertSums sums;
};

// A category of prompts, or one question.
struct ContributionPart {
  std::string name;
  std::optional<std::uint64_t> prompts;    // where the file says
  std::vector<ContributionEntry> entries;  // by layer, then expert; who isn't listed was never routed to
};

struct ContributionMap {
  std::filesystem::path path;
  std::string model;  // as the file says; "" if it doesn't
  std::uint32_t layers = 0;
  std::uint32_t experts = 0;          // of a layer
  bool experts_said = false;          // else it is the largest id and one
  std::optional<std::uint32_t> used;  // the router's top-k, where the file says
  bool questions = false;             // each part is a question
  std::vector<ContributionPart> parts;

  // Whether the file measures these anywhere: some files hold counts only.
  bool has_norms = false;
  bool has_unweighted = false;     // rnorm
  bool has_prompt_counts = false;  // cc
  bool has_token_sums = false;     // token_* everywhere
  std::uint64_t unlisted = 0;      // pairs of layer and expert, over all parts, that aren't there

  // Each part comes from one prompt: parts can be drawn again.
  bool per_prompt() const;
};

// Keys in any order; other keys are passed over. Throws FormatError with category, layer, expert and field: a
// NaN or an infinite sum (his first maps had them), what is missing, stands twice or isn't what it should be.
ContributionMap parse_contributions(std::string_view json, const std::filesystem::path& path);
// The file is mapped; of `neuron_act` only the form and the count are looked at.
ContributionMap read_contributions(const std::filesystem::path& path);

}  // namespace gpqa
