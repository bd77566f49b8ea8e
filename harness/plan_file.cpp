// The TOML side of plan.h.
#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "harness/engine_options.h"
#include "harness/plan.h"
#include "harness/toml_table.h"
#include "prompts/input_error.h"
#include "results/posix_file.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestPlan = 1u << 20;  // bytes
constexpr std::ptrdiff_t kMostPoints = 4096;
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostExperts = 1 << 20;

// As they were written: relative paths stay relative, so that a plan can be run from anywhere.
fs::path beside(const fs::path& plan_file, const std::string& path) {
  const fs::path given(path);
  return given.is_absolute() ? given : (plan_file.parent_path() / given).lexically_normal();
}

// An InputError gets the place of `key`.
template <class Step>
void at(const TomlTable& table, const std::string& key, Step&& step) {
  try {
    step();
  } catch (const FormatError&) {
    throw;
  } catch (const InputError& error) {
    table.fail(key, error.what());
  }
}

struct Reader {
  const fs::path& file;

  void task(TomlTable table, Plan& plan) const {
    if (auto name = table.text("name")) plan.task_name = *name;
    if (auto version = table.text("version"))
      at(table, "version", [&] { use_task_version(plan, parse_task_version(*version)); });
    if (auto seed = table.integer("seed", 0, kInt64Max))
      plan.trials.shuffle_seed = static_cast<std::uint64_t>(*seed);
    if (auto limit = table.number("limit")) at(table, "limit", [&] { use_limit(plan, *limit); });
    table.finish();
  }

  void map(TomlTable table, VariantPlan& variant) const {
    if (auto path = table.text("file")) variant.map_file = beside(file, *path);
    if (auto words = table.text("calibrated_on")) variant.calibrated_on = *words;
    variant.on_evaluated_questions = table.boolean("on_evaluated_questions");
    table.finish();
  }

  // Over what `server` holds already: the plan's own [server] table gives what all variants share.
  void server(TomlTable table, ServerPlan& server, fs::path& model) const {
    const bool has_url = table.has("url");
    if (has_url && table.has("command"))
      table.fail("command", "either a server that runs ('url') or one that gpqa starts ('command')");
    if (has_url) {
      server.urls = table.texts("url");
      server.command.clear();
    }
    if (auto command = table.text("command")) {
      server.command = command->find('/') == std::string::npos ? *command : beside(file, *command).string();
      server.urls.clear();
    }
    if (table.has("flags")) server.flags = table.texts("flags");
    if (auto port = table.integer("port", 1, 65535)) server.port = static_cast<int>(*port);
    if (auto name = table.text("api_key_env")) server.api_key_env = *name;
    if (auto n = table.integer("concurrency", 1, 4096)) server.concurrency = *n;
    if (auto tokens = table.integer("context_pool", 1, kInt64Max)) server.context_pool = *tokens;
    if (auto force = table.boolean("force_template")) server.force_template = *force;
    if (auto path = table.text("model")) model = beside(file, *path);
    if (!server.managed() && (table.has("flags") || table.has("port")))
      table.fail(table.has("flags") ? "flags" : "port",
                 "only for a server that gpqa starts: command = \"llama-server\"");
    if (!server.named())
      table.fail("url",
                 "the server needs a url, e.g. { url = \"http://127.0.0.1:8099\" }, or a command that starts "
                 "it: { command = \"llama-server\", model = \"X.gguf\" }");
    table.finish();
  }

  void engine(TomlTable table, EngineOptions& engine) const {
    if (auto n = table.integer("slots", 1, 4096)) engine.slots = static_cast<std::size_t>(*n);
    if (auto n = table.integer("context", 1, std::int64_t{1} << 31))
      engine.context = static_cast<std::size_t>(*n);
    if (auto n = table.integer("threads", 1, 1024)) engine.threads = static_cast<std::size_t>(*n);
    if (auto word = table.text("arithmetic"))
      at(table, "arithmetic", [&] { engine.arithmetic = parse_arithmetic(*word); });
    if (auto word = table.text("kv")) at(table, "kv", [&] { engine.kv = parse_kv_type(*word); });
    if (auto keep = table.boolean("keep_packed")) engine.keep_packed = *keep;
    if (auto force = table.boolean("force_template")) engine.force_template = *force;
    table.finish();
  }

  VariantPlan variant(TomlTable table, const ServerPlan& shared, const EngineOptions& shared_engine) const {
    VariantPlan variant;
    variant.server = shared;
    variant.engine = shared_engine;
    if (auto name = table.text("name"))
      variant.name = *name;
    else
      table.fail("name", "the variant needs a name");
    at(table, "name", [&] { check_folder_name("variant", variant.name); });
    variant.experts = table.integer("experts", 1, kMostExperts);
    variant.reference = table.boolean("reference").value_or(false);
    if (auto child = table.table("map")) map(std::move(*child), variant);
    if (auto child = table.table("server")) server(std::move(*child), variant.server, variant.model);
    if (auto model = table.text("model")) {
      if (!variant.model.empty())
        table.fail("model", "the model stands twice, here and in the server's table: keep one");
      variant.model = beside(file, *model);
    }
    if (auto child = table.table("engine")) {
      if (variant.server.named())
        table.fail("engine", "a server answers for this variant: keep one of the two");
      engine(std::move(*child), variant.engine);
    }
    table.finish();
    if (!variant.server.named() && variant.model.empty())
      table.fail("name",
                 fmt::format("variant '{}' names neither a server nor a model: add server = {{ url = "
                             "\"http://127.0.0.1:8099\" }}, or model = \"X.gguf\" for gpqa's own engine",
                             variant.name));
    return variant;
  }

  Plan plan(TomlTable top) const {
    Plan plan;
    plan.name = file.stem().string();
    if (auto path = top.text("dataset")) plan.dataset = beside(file, *path);
    const auto profile = top.text("profile").value_or("card");
    at(top, "profile", [&] { use_profile(plan, profile); });
    if (auto child = top.table("task")) task(std::move(*child), plan);
    if (auto n = top.integer("repeats", 1, kMostRepeats))
      plan.trials.repeats = static_cast<std::uint32_t>(*n);
    if (auto seed = top.integer("run_seed", 0, kInt64Max))
      plan.trials.run_seed = static_cast<std::uint64_t>(*seed);
    if (auto child = top.table("sampling"))
      child->for_each(
          [&](const std::string& key, const FieldValue& value) { override_sampling(plan, key, value); });
    ServerPlan shared;
    if (auto child = top.table("server")) {
      fs::path model;
      server(std::move(*child), shared, model);
      if (!model.empty()) top.fail("server", "each variant has a model of its own: write it there");
    }
    EngineOptions shared_engine;
    if (auto child = top.table("engine")) engine(std::move(*child), shared_engine);
    for (auto& child : top.tables("variant"))
      plan.variants.push_back(variant(std::move(child), shared, shared_engine));
    top.finish();
    for (auto& each : plan.variants)
      if (each.server.concurrency == 0) each.server.concurrency = find_profile(profile).concurrency;
    return plan;
  }
};

}  // namespace

Plan parse_plan(std::string_view toml, const fs::path& file) {
  // Each point of a key a.b.c nests one table more, and toml++ recurses where it destroys them.
  if (std::count(toml.begin(), toml.end(), '.') > kMostPoints)
    throw FormatError(file.string(), "", fmt::format("more than {} points; expected a plan", kMostPoints));
  try {
    const auto table = toml::parse(toml, file.string());
    return Reader{file}.plan(TomlTable(table, file.string(), ""));
  } catch (const toml::parse_error& error) {
    const auto place = error.source().begin;
    throw FormatError(file.string(), fmt::format("{}:{}", place.line, place.column),
                      fmt::format("not TOML: {}", error.description()));
  }
}

Plan load_plan(const fs::path& file) {
  return parse_plan(read_whole_file(file, kLargestPlan), file);
}

}  // namespace gpqa
