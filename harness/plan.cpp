#include "harness/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "harness/suggest.h"
#include "prompts/input_error.h"
#include "prompts/utf8.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 128;
const std::vector<std::string> kTasks = {"gpqa_diamond_cot_zeroshot", "gpqa_main_cot_zeroshot",
                                         "gpqa_extended_cot_zeroshot"};

void check_file(const std::string& what, const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    throw InputError(fmt::format("{}: {}: '{}'", what,
                                 fs::exists(path, error) ? "not a file" : "no such file", path.string()));
}

// A GGUF file, or the folder of a checkpoint.
void check_model(const std::string& what, const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) check_file(what, path);
}

bool is_variable_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (text.empty() || !letter(text[0])) return false;
  for (const char c : text)
    if (!letter(c) && !(c >= '0' && c <= '9')) return false;
  return true;
}

void check_url(const std::string& what, const std::string& url) {
  const auto scheme = url.find("://");
  const bool http = url.starts_with("http://") || url.starts_with("https://");
  if (!http || scheme + 3 == url.size())
    throw InputError(fmt::format("{}: '{}' is no server: expected e.g. http://127.0.0.1:8099", what, url));
  const std::string_view rest = std::string_view(url).substr(scheme + 3);
  if (rest.substr(0, rest.find('/')).find('@') != std::string_view::npos)
    throw InputError(what +
                     ": a user name or password in a URL would be written into every run; "
                     "name the variable that holds the key instead (api_key_env)");
}

// Flags that we give ourselves, or that would show a secret to everybody on the machine.
void check_flags(const std::string& what, const std::vector<std::string>& flags) {
  for (const auto& flag : flags) {
    const auto name = flag.substr(0, flag.find('='));
    for (const std::string_view ours : {"-m", "--model", "--host", "--port"})
      if (name == ours)
        throw InputError(
            fmt::format("{}: the flag {} is given by gpqa itself: use 'model' or 'port'", what, ours));
    if (name == "--api-key")
      throw InputError(what +
                       ": a key among the flags would stand in the list of processes; name the variable that "
                       "holds it (api_key_env): the server gets it by its environment");
  }
}

void check_server(const std::string& what, const ServerPlan& server) {
  if (!server.named())
    throw InputError(
        fmt::format("{}: neither a server nor a model; say who answers: server = {{ url = "
                    "\"http://127.0.0.1:8099\" }}, or model = \"X.gguf\" for gpqa's own engine",
                    what));
  std::set<std::string> urls;
  for (const auto& url : server.urls) {
    check_url(what, url);
    if (!urls.insert(url).second) throw InputError(fmt::format("{}: '{}' stands twice", what, url));
  }
  check_flags(what, server.flags);
  // The value isn't shown: it may be the key itself, put there by mistake.
  if (server.concurrency < 0 || (server.context_pool && *server.context_pool < 1))
    throw InputError(what + ": concurrency and context_pool count from 1");
  if (server.api_key_env.empty()) return;
  if (!is_variable_name(server.api_key_env))
    throw InputError(
        fmt::format("{}: api_key_env is the name of an environment variable (letters, digits, _); "
                    "what stands there is none",
                    what));
  const char* key = std::getenv(server.api_key_env.c_str());
  if (key == nullptr || *key == '\0')
    throw InputError(
        fmt::format("{}: the environment variable {} (api_key_env) is not set", what, server.api_key_env));
}

}  // namespace

void use_profile(Plan& plan, std::string_view name) {
  const auto& profile = find_profile(name);
  plan.profile = profile.name;
  plan.profile_summary = profile.summary;
  plan.sampling = profile.sampling;
  plan.assumptions = profile.assumptions;
  plan.trials.version = profile.task_version;
  for (auto& variant : plan.variants)
    if (variant.server.concurrency == 0) variant.server.concurrency = profile.concurrency;
}

void use_task_version(Plan& plan, TaskVersion version) {
  plan.trials.version = version;
  std::erase_if(plan.assumptions, [](const Assumption& a) { return a.field == "task_version"; });
}

void use_limit(Plan& plan, double limit) {
  const bool whole = std::floor(limit) == limit;
  if (!std::isfinite(limit) || limit <= 0 || (limit > 1 && !whole) || limit > 1e9)
    throw InputError(fmt::format(
        "limit: expected a number of questions (1, 2, ...) or a part of them below 1, found {}", limit));
  plan.trials.limit = limit;
}

void override_sampling(Plan& plan, const std::string& field, const FieldValue& value) {
  set_sampling_field(plan.sampling, field, value);
  std::erase_if(plan.assumptions, [&](const Assumption& a) { return a.field == field; });
  std::erase_if(plan.overrides, [&](const std::string& other) { return other.starts_with(field + "="); });
  plan.overrides.push_back(fmt::format("{}={}", field, field_text(value)));
}

void select_variants(Plan& plan, std::span<const std::string> names) {
  if (names.empty()) return;
  std::vector<std::string> known;
  for (const auto& variant : plan.variants) known.push_back(variant.name);
  const std::set<std::string> wanted(names.begin(), names.end());
  for (const auto& name : wanted)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw InputError(fmt::format("the plan has no variant '{}'{}", name, suggestion(name, known)));
  std::erase_if(plan.variants, [&](const VariantPlan& variant) { return wanted.count(variant.name) == 0; });
}

void check_folder_name(std::string_view what, std::string_view name) {
  const auto refuse = [&](std::string_view why) {
    throw InputError(fmt::format("{}: '{}' can't be the name of a folder: {}", what,
                                 terminal_escape(name.substr(0, kLongestName)), why));
  };
  if (name.empty()) throw InputError(fmt::format("{}: a name is needed", what));
  if (name.size() > kLongestName) refuse(fmt::format("longer than {} bytes", kLongestName));
  if (name[0] == '.') refuse("it begins with a point");
  if (!is_valid_utf8(name)) refuse("it is not UTF-8");
  for (const char c : name) {
    if (c == '/' || c == '\\') refuse("it has a slash");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) refuse("it has a control character");
  }
}

void validate(const Plan& plan) {
  check_folder_name("plan", plan.name);
  if (plan.dataset.empty())
    throw InputError(
        "no dataset: name the CSV file (dataset = \"gpqa_diamond.csv\", or --dataset F). `gpqa dataset "
        "fetch` "
        "downloads it");
  check_file("dataset", plan.dataset);
  if (std::find(kTasks.begin(), kTasks.end(), plan.task_name) == kTasks.end())
    throw InputError(fmt::format("unknown task '{}'{}", plan.task_name, suggestion(plan.task_name, kTasks)));
  if (plan.trials.repeats < 1 || plan.trials.repeats > kMostRepeats)
    throw InputError(fmt::format("repeats: expected 1 to {}, found {}", kMostRepeats, plan.trials.repeats));
  if (plan.variants.empty()) throw InputError("the plan has no variants: add at least one [[variant]]");

  std::set<std::string> names;
  std::string reference;
  for (const auto& variant : plan.variants) {
    const auto what = fmt::format("variant '{}'", terminal_escape(variant.name));
    check_folder_name("variant", variant.name);
    if (!names.insert(variant.name).second)
      throw InputError(fmt::format("{} stands twice in the plan: names must differ", what));
    if (variant.reference && !reference.empty())
      throw InputError(fmt::format("{}: '{}' is the reference already; there can be one", what, reference));
    if (variant.reference) reference = variant.name;
    if (variant.experts && *variant.experts < 1) throw InputError(what + ": experts count from 1");
    if (!variant.embedded()) check_server(what, variant.server);
    if (!variant.map_file.empty()) check_file(what + ", map", variant.map_file);
    if (variant.embedded())
      check_model(what + ", model", variant.model);
    else if (!variant.model.empty())
      check_file(what + ", model", variant.model);
    if (variant.server.managed() && variant.model.empty())
      throw InputError(what + ": a server that gpqa starts needs a model: model = \"X.gguf\"");
  }
}

}  // namespace gpqa
