#include "results/comparison_files.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Interval& interval) {
  return {interval.low, interval.high};
}

Json to_json(const Accuracy& accuracy) {
  Json json = {
      {"correct", accuracy.correct}, {"accuracy", accuracy.mean}, {"interval_95", to_json(accuracy.wilson)}};
  json["standard_error"] = accuracy.standard_error ? Json(*accuracy.standard_error) : Json();
  json["bounds"] = to_json(accuracy.bounds);
  return json;
}

Json to_json(const ComparedVariant& variant) {
  const Summary& s = variant.summary;
  Json json = {{"name", variant.name},
               {"experts", variant.experts ? Json(*variant.experts) : Json()},
               {"folder", variant.folder},
               {"reference", variant.reference},
               {"contaminated", variant.contaminated},
               {"questions", s.questions},
               {"repeats", s.repeats},
               {"planned", s.n},
               {"n", s.done},
               {"answered", s.answered},
               {"unparsed", s.unparsed},
               {"truncated", s.truncated},
               {"rumination", s.rumination},
               {"context_full", s.context_full},
               {"lost", s.lost},
               {"failed", s.failed},
               {"retries", s.retries},
               {"sampling_mismatches", s.sampling_mismatches},
               {"mean_reasoning_tokens", s.mean_reasoning_tokens},
               {"mean_answer_tokens", s.mean_answer_tokens},
               {"flexible", to_json(s.flexible)},
               {"strict", variant.strict_known ? to_json(s.strict) : Json()}};
  if (variant.paired) {
    const auto& p = *variant.paired;
    json["paired"] = {{"n", p.n},
                      {"questions", p.questions},
                      {"right_to_wrong", p.right_to_wrong},
                      {"wrong_to_right", p.wrong_to_right},
                      {"delta", p.delta},
                      {"bootstrap_95", to_json(p.bootstrap)},
                      {"mcnemar_p", p.mcnemar_p ? Json(*p.mcnemar_p) : Json()},
                      {"standard_error", p.standard_error ? Json(*p.standard_error) : Json()}};
  }
  if (variant.unpaired) {
    json["unpaired"] = {{"delta", variant.unpaired->delta}, {"p", variant.unpaired->p}};
  }
  json["verdict"] = variant.verdict;
  return json;
}

std::string csv_text(std::string_view text) {
  std::string cell =
      !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos ? "'" : "";
  cell += text;
  if (cell.find_first_of(",\"\r\n") == std::string::npos) {
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
                                    variant.strict_known ? std::to_string(s.strict.correct) : "",
                                    variant.strict_known ? number(s.strict.mean) : ""};
  for (const auto count : {s.unparsed, s.truncated, s.rumination, s.lost, s.failed, s.retries}) {
    cells.push_back(std::to_string(count));
  }
  cells.push_back(fmt::format("{:.1f}", s.mean_reasoning_tokens));
  cells.push_back(fmt::format("{:.1f}", s.mean_answer_tokens));
  const auto& p = variant.paired;
  const double delta = p ? p->delta : variant.unpaired ? variant.unpaired->delta : 0;
  cells.push_back(p || variant.unpaired ? number(delta) : "");
  cells.push_back(p ? std::to_string(p->right_to_wrong) : "");
  cells.push_back(p ? std::to_string(p->wrong_to_right) : "");
  cells.push_back(p && p->mcnemar_p ? fmt::format("{:.6g}", *p->mcnemar_p) : "");
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
      "wrong_to_right,mcnemar_p,delta_low,delta_high,contaminated,verdict\r\n";
  for (const auto& variant : comparison.variants) {
    text += csv_row(variant);
  }
  return text;
}

nlohmann::ordered_json to_json(const Comparison& comparison) {
  Json json = {{"title", comparison.title},
               {"warnings", comparison.warnings},
               {"variants", Json::array()},
               {"notes", comparison.notes}};
  for (const auto& variant : comparison.variants) {
    json["variants"].push_back(to_json(variant));
  }
  return json;
}

}  // namespace gpqa
