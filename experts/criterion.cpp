#include "experts/criterion.h"

#include <array>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

// N: the expert's routed tokens; g: its gate weight for a token, f: its output for it.
constexpr std::array<CriterionInfo, 7> kCriteria = {{
    {Criterion::wnorm_tc, "wnorm+tc", "alpha * wnorm + tc",
     "the author's generate_drop_map.py, with alpha = 2"},
    {Criterion::wnorm, "wnorm", "sum over prompts of ||G*F||_F", "the author's expert_contribution_v2.py"},
    {Criterion::tc, "tc", "routed tokens, a count (the card calls this field \"total contribution\")",
     "the map's field"},
    {Criterion::total, "total", "sum over the N routed tokens of ||g*f||",
     "what \"total contribution\" says: all that the expert added"},
    {Criterion::reap, "reap", "(1/N) * sum over the N routed tokens of ||g*f||",
     "REAP (Lasby et al. 2025): the mean over the tokens that chose the expert"},
    {Criterion::ean, "ean", "sum over the N routed tokens of ||f||",
     "expert activation norm, as the REAP paper compares with it"},
    {Criterion::freq, "freq", "N / (sum of N over the layer's experts)",
     "the share of the layer's routed tokens"},
}};

double score(const ExpertSums& sums, Criterion criterion, double alpha, double layer_tokens) {
  switch (criterion) {
    case Criterion::wnorm_tc:
      return alpha * sums.wnorm + sums.tc;
    case Criterion::wnorm:
      return sums.wnorm;
    case Criterion::tc:
      return sums.tc;
    case Criterion::total:
      return sums.token_wnorm;
    case Criterion::reap:
      return sums.tc > 0 ? sums.token_wnorm / sums.tc : 0;
    case Criterion::ean:
      return sums.token_rnorm;
    case Criterion::freq:
      return layer_tokens > 0 ? sums.tc / layer_tokens : 0;
  }
  return 0;
}

}  // namespace

std::span<const CriterionInfo> criteria() {
  return kCriteria;
}

const CriterionInfo& info(Criterion criterion) {
  return kCriteria[static_cast<std::size_t>(criterion)];
}

Criterion parse_criterion(std::string_view name) {
  std::string known;
  for (const auto& each : kCriteria) {
    if (each.name == name) {
      return each.criterion;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
  }
  throw InputError(fmt::format("'{}' is no criterion: expected one of {}", name, known));
}

std::string formula(Criterion criterion, double alpha) {
  return criterion == Criterion::wnorm_tc
             ? fmt::format("{}*wnorm + tc", alpha)
             : fmt::format("{}: {}", info(criterion).name, info(criterion).formula);
}

void check_measured(const ContributionMap& map, Criterion criterion) {
  const auto refuse = [&](std::string_view what) {
    throw FormatError(map.path.string(), "",
                      fmt::format("{}, which criterion {} needs; choose another, e.g. --criterion tc", what,
                                  info(criterion).name));
  };
  if (criterion == Criterion::tc || criterion == Criterion::freq) {
    return;
  }
  if (criterion == Criterion::ean ? !map.has_unweighted : !map.has_norms) {
    refuse(criterion == Criterion::ean ? "the map has no 'rnorm' above 0"
                                       : "the map has no 'wnorm' above 0 (it only counts)");
  }
  const bool over_tokens =
      criterion == Criterion::total || criterion == Criterion::reap || criterion == Criterion::ean;
  if (over_tokens && !map.has_token_sums && !map.has_prompt_counts) {
    refuse("the map lacks 'cc' (or 'token_wnorm_sum' and 'token_rnorm_sum')");
  }
}

ExpertTable scores(const SumTable& sums, Criterion criterion, double alpha) {
  ExpertTable table{sums.layers, sums.experts, {}};
  table.values.reserve(sums.sums.size());
  for (std::uint32_t layer = 0; layer < sums.layers; ++layer) {
    const auto experts = std::span(sums.sums).subspan(std::size_t{layer} * sums.experts, sums.experts);
    double tokens = 0;
    for (const auto& each : experts) {
      tokens += each.tc;
    }
    for (const auto& each : experts) {
      table.values.push_back(score(each, criterion, alpha, tokens));
    }
  }
  return table;
}

}  // namespace gpqa
