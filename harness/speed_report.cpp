#include "harness/speed_report.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "results/inert_text.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

SpeedRow timed(const std::vector<double>& seconds, std::size_t tokens, const BandwidthAround& bandwidth) {
  assert(!seconds.empty());
  SpeedRow row;
  row.median_s = median(seconds);
  row.mean_s = mean(seconds);
  row.tokens_per_s = static_cast<double>(tokens) / row.median_s;
  row.mean_tokens_per_s = static_cast<double>(tokens) / row.mean_s;
  row.bandwidth = (bandwidth.before + bandwidth.after) / 2;
  return row;
}

std::string count(std::size_t number, const char* what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string line(const std::string& name, const SpeedRow& row, const BandwidthAround& bandwidth) {
  std::string text = fmt::format("{:<10}{:>10.2f}{:>9.2f}{:>10.1f}{:>9.1f}", name, row.tokens_per_s,
                                 row.mean_tokens_per_s, row.median_s * 1e3, row.mean_s * 1e3);
  text += row.weights == 0
              ? fmt::format("{:>11}{:>9}{:>18}", "", "", "")
              : fmt::format("{:>11.1f}{:>9.1f}{:>18}", row.weights * 1e-6, row.kv * 1e-6,
                            fmt::format("{:.1f} ({}-{})", row.experts, row.fewest_experts, row.most_experts));
  text +=
      fmt::format("{:>14}", fmt::format("{:.1f}, {:.1f}", bandwidth.before * 1e-9, bandwidth.after * 1e-9));
  if (row.weights > 0) text += fmt::format("{:>7.0f}%", row.share * 100);
  return text + "\n";
}

// Where the time went, of one prompt or step. What no operation took lies between them.
std::string table(const std::string& name, const std::vector<OpTime>& operations,
                  const std::vector<double>& seconds, const BandwidthAround& bandwidth) {
  if (operations.empty()) return "";
  const auto times = static_cast<double>(seconds.size());
  const double all = std::accumulate(seconds.begin(), seconds.end(), 0.0);
  double between = all;
  std::string text = fmt::format("\n{:<34}{:>7}{:>10}{:>8}{:>10}{:>9}{:>14}{:>11}\n", name, "calls", "ms",
                                 "time", "MB", "GB/s", "of the memory", "GMAC/s");
  for (const auto& op : operations) {
    between -= op.seconds;
    text += fmt::format("{:<34}{:>7.0f}{:>10.3f}{:>7.1f}%", op.name, static_cast<double>(op.calls) / times,
                        op.seconds / times * 1e3, op.seconds / all * 100);
    if (op.bytes > 0) {
      const double speed = static_cast<double>(op.bytes) / op.seconds;
      text += fmt::format("{:>10.2f}{:>9.1f}{:>13.0f}%", static_cast<double>(op.bytes) / times * 1e-6,
                          speed * 1e-9, speed / (bandwidth.before + bandwidth.after) * 200);
      if (op.products > 0)
        text += fmt::format("{:>11.1f}", static_cast<double>(op.products) / op.seconds * 1e-9);
    }
    text += "\n";
  }
  return text + fmt::format("{:<34}{:>7}{:>10.3f}{:>7.1f}%\n", "between them", "", between / times * 1e3,
                            between / all * 100);
}

Json json_of(const std::vector<OpTime>& operations) {
  auto json = Json::array();
  for (const auto& op : operations)
    json.push_back({{"name", op.name},
                    {"calls", op.calls},
                    {"seconds", op.seconds},
                    {"bytes", op.bytes},
                    {"products", op.products}});
  return json;
}

Json json_of(const SpeedRow& row, const BandwidthAround& bandwidth) {
  Json json = {{"tokens_per_s", row.tokens_per_s},
               {"mean_tokens_per_s", row.mean_tokens_per_s},
               {"median_s", row.median_s},
               {"mean_s", row.mean_s},
               {"bandwidth_before", bandwidth.before},
               {"bandwidth_after", bandwidth.after}};
  if (row.weights > 0)
    json.update(Json{{"weight_bytes", row.weights},
                     {"kv_bytes", row.kv},
                     {"experts", row.experts},
                     {"fewest_experts", row.fewest_experts},
                     {"most_experts", row.most_experts},
                     {"bandwidth_share", row.share}});
  return json;
}

}  // namespace

SpeedRow speed_row(const PromptSpeed& prompt) {
  return timed(prompt.seconds, prompt.tokens, prompt.bandwidth);
}

SpeedRow speed_row(const DecodeSpeed& decode) {
  auto row = timed(decode.seconds, decode.slots, decode.bandwidth);
  assert(!decode.reads.empty());
  row.fewest_experts = std::numeric_limits<std::size_t>::max();
  std::size_t layers = 0;
  for (const auto& reads : decode.reads) {
    row.weights += static_cast<double>(reads.weights);
    row.kv += static_cast<double>(reads.kv);
    layers += reads.experts.size();
    for (const auto experts : reads.experts) {
      row.experts += static_cast<double>(experts);
      row.fewest_experts = std::min(row.fewest_experts, experts);
      row.most_experts = std::max(row.most_experts, experts);
    }
  }
  row.weights /= static_cast<double>(decode.reads.size());
  row.kv /= static_cast<double>(decode.reads.size());
  row.experts /= static_cast<double>(layers);
  row.share = (row.weights + row.kv) / row.median_s / row.bandwidth;
  return row;
}

std::string to_text(const SpeedReport& report) {
  std::string text =
      fmt::format("{}: {}, kernels {}, {}, keys and values {}; prompts of {}", terminal_escape(report.model),
                  count(report.threads, "thread"), report.kernels, report.arithmetic, report.kv,
                  count(report.prompt.tokens, "token"));
  if (!report.decode.empty()) text += ", then " + count(report.decode.front().seconds.size(), "step");
  text +=
      fmt::format("\n\n{:<10}{:>10}{:>9}{:>10}{:>9}{:>11}{:>9}{:>18}{:>14}{:>8}\n", "", "tokens/s", "(mean)",
                  "ms", "(mean)", "weights MB", "k, v MB", "experts a layer", "memory GB/s", "used");
  text += line("prompt", speed_row(report.prompt), report.prompt.bandwidth);
  for (const auto& decode : report.decode)
    text += line(count(decode.slots, "slot"), speed_row(decode), decode.bandwidth);
  text +=
      "\nms: of a prompt, of a step. Medians, with means beside them. Weights, keys and values: what a step "
      "must\n"
      "read. Memory: read by all threads just before and just after; used: what a median step read of the "
      "mean.\n";
  text += table("a prompt", report.prompt.operations, report.prompt.seconds, report.prompt.bandwidth);
  for (const auto& decode : report.decode)
    text +=
        table("a step, " + count(decode.slots, "slot"), decode.operations, decode.seconds, decode.bandwidth);
  return text;
}

Json to_json(const SpeedReport& report) {
  Json json = {{"model", report.model},
               {"threads", report.threads},
               {"kernels", report.kernels},
               {"arithmetic", report.arithmetic},
               {"kv", report.kv}};
  json["prompt"] = json_of(speed_row(report.prompt), report.prompt.bandwidth);
  json["prompt"]["tokens"] = report.prompt.tokens;
  json["prompt"]["prompts"] = report.prompt.seconds.size();
  if (!report.prompt.operations.empty()) json["prompt"]["operations"] = json_of(report.prompt.operations);
  json["decode"] = Json::array();
  for (const auto& decode : report.decode) {
    auto row = json_of(speed_row(decode), decode.bandwidth);
    row["slots"] = decode.slots;
    row["steps"] = decode.seconds.size();
    if (!decode.operations.empty()) row["operations"] = json_of(decode.operations);
    json["decode"].push_back(std::move(row));
  }
  return json;
}

}  // namespace gpqa
