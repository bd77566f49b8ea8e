#include "results/comparison_files.h"

#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "results/inert_text.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(std::optional<double> value) {
  return value ? Json(*value) : Json();
}

Json to_json(const Interval& interval) {
  return {interval.low, interval.high};
}

Json to_json(const Accuracy& accuracy) {
  Json json = {
      {"correct", accuracy.correct}, {"accuracy", accuracy.mean}, {"interval_95", to_json(accuracy.wilson)}};
  json["standard_error"] = or_null(accuracy.standard_error);
  json["bounds"] = to_json(accuracy.bounds);
  return json;
}

Json to_json(const ComparedVariant& variant) {
  const Summary& s = variant.summary;
  const auto known = [&](const auto& value) { return variant.counts_only ? Json() : Json(value); };
  Json json = {{"name", variant.name},
               {"experts", variant.experts ? Json(*variant.experts) : Json()},
               {"folder", known(variant.folder)},
               {"reference", variant.reference},
               {"contaminated", variant.contaminated},
               {"questions", s.questions},
               {"repeats", s.repeats},
               {"planned", s.n},
               {"n", s.done},
               {"answered", known(s.answered)},
               {"unparsed", known(s.unparsed)},
               {"truncated", known(s.truncated)},
               {"rumination", known(s.rumination)},
               {"context_full", known(s.context_full)},
               {"lost", known(s.lost)},
               {"failed", known(s.failed)},
               {"retries", known(s.retries)},
               {"sampling_mismatches", known(s.sampling_mismatches)},
               {"mean_reasoning_tokens", or_null(s.mean_reasoning_tokens)},
               {"mean_answer_tokens", or_null(s.mean_answer_tokens)},
               {"flexible", to_json(s.flexible)},
               {"strict", known(to_json(s.strict))}};
  if (variant.paired) {
    const auto& p = *variant.paired;
    json["paired"] = {{"n", p.n},
                      {"failed", p.failed},
                      {"questions", p.questions},
                      {"questions_moved", p.questions_moved},
                      {"right_to_wrong", p.right_to_wrong},
                      {"wrong_to_right", p.wrong_to_right},
                      {"delta", p.delta},
                      {"bootstrap_95", to_json(p.bootstrap)},
                      {"mcnemar_p", or_null(p.mcnemar_p)},
                      {"standard_error", or_null(p.standard_error)}};
  }
  if (variant.unpaired) {
    json["unpaired"] = {{"delta", variant.unpaired->delta}, {"p", variant.unpaired->p}};
  }
  json["verdict"] = variant.verdict;
  return json;
}

std::string csv_text(std::string_view text) {
  std::string cell = terminal_escape(text);
  if (!cell.empty() && std::string_view("=+-@\t").find(cell.front()) != std::string_view::npos) {
    cell.insert(0, 1, '\'');
  }
  if (cell.find_first_of(",\"\n") == std::string::npos) {
    return cell;
  }
  std::string quoted = "\"";
  for (const char c : cell) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

std::string number(double value) {
  return fmt::format("{:.6f}", value);
}

std::string csv_row(const ComparedVariant& variant) {
  const Summary& s = variant.summary;
  std::vector<std::string> cells = {csv_text(variant.name),
                                    variant.experts ? std::to_string(*variant.experts) : "",
                                    variant.reference ? "1" : "0",
                                    std::to_string(s.n),
                                    std::to_string(s.done),
                                    std::to_string(s.flexible.correct),
                                    number(s.flexible.mean),
                                    number(s.flexible.wilson.low),
                                    number(s.flexible.wilson.high),
                                    number(s.flexible.bounds.low),
                                    number(s.flexible.bounds.high),
                                    variant.counts_only ? "" : std::to_string(s.strict.correct),
                                    variant.counts_only ? "" : number(s.strict.mean)};
  for (const auto count : {s.unparsed, s.truncated, s.rumination, s.lost, s.failed, s.retries}) {
    cells.push_back(variant.counts_only ? "" : std::to_string(count));
  }
  for (const auto& mean : {s.mean_reasoning_tokens, s.mean_answer_tokens}) {
    cells.push_back(mean ? fmt::format("{:.1f}", *mean) : "");
  }
  const auto& p = variant.paired;
  const double delta = p ? p->delta : variant.unpaired ? variant.unpaired->delta : 0;
  cells.push_back(p || variant.unpaired ? number(delta) : "");
  cells.push_back(p ? std::to_string(p->right_to_wrong) : "");
  cells.push_back(p ? std::to_string(p->wrong_to_right) : "");
  cells.push_back(p && p->mcnemar_p ? fmt::format("{:.6g}", *p->mcnemar_p) : "");
  cells.push_back(variant.unpaired ? fmt::format("{:.6g}", variant.unpaired->p) : "");
  cells.push_back(p ? number(p->bootstrap.low) : "");
  cells.push_back(p ? number(p->bootstrap.high) : "");
  cells.push_back(csv_text(variant.contaminated));
  cells.push_back(csv_text(variant.verdict));
  return fmt::format("{}\r\n", fmt::join(cells, ","));
}

}  // namespace

std::string to_csv(const Comparison& comparison) {
  std::string text =
      "model,experts,reference,planned,n,flex_correct,flex,flex_low,flex_high,flex_bound_low,flex_bound_high,"
      "strict_correct,strict,"
      "unparsed,truncated,rumination,lost,failed,retries,mean_reasoning_tokens,mean_answer_tokens,delta,"
      "right_to_wrong,"
      "wrong_to_right,mcnemar_p,unpaired_p,delta_low,delta_high,contaminated,verdict\r\n";
  for (const auto& variant : comparison.variants) {
    text += csv_row(variant);
  }
  return text;
}

nlohmann::ordered_json to_json(const Comparison& comparison) {
  Json json = {{"title", comparison.title},
               {"bootstrap", comparison.resamples == 0 ? Json()
                                                       : Json{{"seed", comparison.bootstrap_seed},
                                                              {"resamples", comparison.resamples}}},
               {"warnings", comparison.warnings},
               {"variants", Json::array()},
               {"notes", comparison.notes}};
  for (const auto& variant : comparison.variants) {
    json["variants"].push_back(to_json(variant));
  }
  return json;
}

}  // namespace gpqa
