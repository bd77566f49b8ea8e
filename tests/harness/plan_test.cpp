#include "harness/plan.h"

#include <filesystem>
#include <fstream>

#include "harness/plan_flags.h"
#include "prompts/input_error.h"
#include "tests/catch.h"

using namespace gpqa;

namespace {

const std::string kVariant = "\n[[variant]]\nname = \"98e\"\nserver = { url = \"http://127.0.0.1:8099\" }\n";
const std::string kDataset = GPQA_TEST_DATA "/lm-eval/synthetic_gpqa_diamond.csv";

Plan parsed(const std::string& toml) {
  return parse_plan(toml, "plans/p.toml");
}

// In one line, or "accepted".
std::string refusal(const std::string& toml) {
  try {
    parsed(toml);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

PlanFlags flags() {
  PlanFlags f;
  f.dataset = kDataset;
  f.servers = {"http://127.0.0.1:8099"};
  f.name = "98e";
  return f;
}

std::string refusal(const PlanFlags& f) {
  try {
    make_plan(f);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a plan is read whole") {
  const auto plan = parsed(R"(
dataset  = "data/gpqa_diamond.csv"
profile  = "card"
repeats  = 3
run_seed = 17
task     = { name = "gpqa_main_cot_zeroshot", version = "2.1", seed = 42, limit = 20 }
[sampling]
min_p = 0
stop = []
[[variant]]
name = "128e"
experts = 128
reference = true
server = { url = "http://a:1", api_key_env = "KEY", concurrency = 2, context_pool = 65536, model = "a.gguf" }
[[variant]]
name = "98e v3"
experts = 98
map = { file = "98e.json", calibrated_on = "all categories" }
model = "/models/b.gguf"
server = { url = "http://b:2", force_template = true }
)");
  CHECK(plan.name == "p");
  CHECK(plan.dataset == "plans/data/gpqa_diamond.csv");
  CHECK(plan.task_name == "gpqa_main_cot_zeroshot");
  CHECK(plan.trials.version == TaskVersion::v2_1);
  CHECK(plan.trials.shuffle_seed == 42);
  CHECK(plan.trials.limit == 20);
  CHECK(plan.trials.repeats == 3);
  CHECK(plan.trials.run_seed == 17);
  CHECK(plan.sampling.min_p == 0.0);
  CHECK(plan.sampling.temperature == 1.0);
  CHECK(plan.sampling.stop.empty());
  CHECK(plan.overrides == std::vector<std::string>{"min_p=0", "stop=[]"});
  REQUIRE(plan.variants.size() == 2);
  const auto& a = plan.variants[0];
  CHECK(a.experts == 128);
  CHECK(a.reference);
  CHECK(a.server.urls == std::vector<std::string>{"http://a:1"});
  CHECK(a.server.api_key_env == "KEY");
  CHECK(a.server.concurrency == 2);
  CHECK(a.server.context_pool == 65536);
  CHECK(a.model == "plans/a.gguf");
  const auto& b = plan.variants[1];
  CHECK(b.name == "98e v3");
  CHECK_FALSE(b.reference);
  CHECK(b.map_file == "plans/98e.json");
  CHECK(b.calibrated_on == "all categories");
  CHECK(b.model == "/models/b.gguf");
  CHECK(b.server.concurrency == 0);
  CHECK(b.server.force_template);
}

TEST_CASE("what a plan leaves out is the profile's") {
  const auto card = parsed(kVariant);
  CHECK(card.profile == "card");
  CHECK(card.trials.version == TaskVersion::v1_0);
  CHECK(card.trials.repeats == 1);
  CHECK(card.trials.limit == 0);
  CHECK(parsed("profile = \"card-b11434\"" + kVariant).trials.version == TaskVersion::v2_2);
  CHECK(parsed("profile = \"author-late\"" + kVariant).variants[0].server.concurrency == 1);
}

TEST_CASE("an assumption is dropped with the field that it was about") {
  const auto assumes = [](const Plan& plan, std::string_view field) {
    for (const auto& a : plan.assumptions)
      if (a.field == field) return true;
    return false;
  };
  CHECK(assumes(parsed(kVariant), "max_tokens"));
  CHECK_FALSE(assumes(parsed("[sampling]\nmax_tokens = 99" + kVariant), "max_tokens"));
  CHECK_FALSE(assumes(parsed("task = { version = \"1.0\" }" + kVariant), "task_version"));
}

TEST_CASE("an unknown key is an error with its place and the nearest key") {
  CHECK(refusal("datasett = \"x\"" + kVariant) ==
        "plans/p.toml:1:1: unknown key 'datasett'; did you mean 'dataset'?");
  CHECK(refusal("seed = 1" + kVariant).find("unknown key 'seed'; did you mean 'run_seed'?") !=
        std::string::npos);
  CHECK(refusal("[task]\nversoin = \"2.2\"" + kVariant) ==
        "plans/p.toml:2:1: unknown key 'task.versoin'; did you mean 'version'?");
  CHECK(refusal("[sampling]\nmin_P = 0.1" + kVariant) ==
        "plans/p.toml:2:1: [sampling] unknown field 'min_P'; did you mean 'min_p'?");
  CHECK(refusal("[sampling]\ntemp = 0.1" + kVariant) ==
        "plans/p.toml:2:1: [sampling] unknown field 'temp'; did you mean 'temperature'?");
  CHECK(refusal(kVariant + "expert = 98\n") ==
        "plans/p.toml:5:1: unknown key 'variant 1.expert'; did you mean 'experts'?");
  CHECK(refusal("[[variant]]\nname = \"a\"\nserver = { url = \"http://a\", api_key = \"secret\" }") ==
        "plans/p.toml:3:30: unknown key 'variant 1.server.api_key'; did you mean 'api_key_env'?");
}

TEST_CASE("a wrong type or range says where, what was expected and what was found") {
  CHECK(refusal("repeats = \"3\"" + kVariant) ==
        "plans/p.toml:1:11: 'repeats': expected a whole number, found a text");
  CHECK(refusal("repeats = 0" + kVariant) == "plans/p.toml:1:11: 'repeats': expected 1 to 10000, found 0");
  CHECK(refusal("dataset = 3" + kVariant) ==
        "plans/p.toml:1:11: 'dataset': expected a text in quotes, found a whole number");
  CHECK(refusal("variant = 3") == "plans/p.toml:1:11: 'variant': expected [[variant]], found a whole number");
  CHECK(refusal("[sampling]\ntop_p = 1.5" + kVariant) ==
        "plans/p.toml:2:1: [sampling] 'top_p': expected 0 to 1, found 1.5");
  CHECK(refusal("[sampling]\nstop = [1]" + kVariant).find("plans/p.toml:2:8: ") == 0);
  CHECK(refusal("task = { version = \"3\" }" + kVariant).find("plans/p.toml:1:20: ") == 0);
  CHECK(refusal("task = { limit = 1.5 }" + kVariant).find("plans/p.toml:1:18: limit: expected") == 0);
  CHECK(refusal("profile = \"kard\"" + kVariant) ==
        "plans/p.toml:1:11: unknown profile 'kard'; did you mean 'card'?");
}

TEST_CASE("what isn't TOML says where") {
  CHECK(refusal("dataset = \n").find("plans/p.toml:1:11: not TOML: ") == 0);
  CHECK(refusal("a = 1\na = 2\n").find("plans/p.toml:2:") == 0);
  CHECK(refusal(std::string("x = \"\xff\"")).find("plans/p.toml:1:") == 0);
  CHECK(refusal("x = " + std::string(100000, '[')) != "accepted");
}

TEST_CASE("keys that nest without end are refused before they are read") {
  std::string deep = "[a";
  for (int i = 0; i < 500000; ++i) deep += ".a";
  CHECK_THAT(refusal(deep + "]"), Catch::Contains("more than 4096 points"));
}

TEST_CASE("a server that gpqa starts is planned by command, model, flags and port") {
  const auto plan = parsed(R"(
[server]
command = "llama-server"
flags = ["-ngl", "99", "-np", "1"]
[[variant]]
name = "a"
model = "a.gguf"
[[variant]]
name = "b"
server = { command = "bin/llama-server", model = "b.gguf", port = 8101 }
[[variant]]
name = "c"
server = { url = ["http://c:1", "http://d:2"] }
)");
  const auto& a = plan.variants[0];
  CHECK(a.server.command == "llama-server");  // to be found in PATH
  CHECK(a.server.flags == std::vector<std::string>{"-ngl", "99", "-np", "1"});
  CHECK(a.server.port == 0);
  CHECK(a.model == "plans/a.gguf");
  const auto& b = plan.variants[1];
  CHECK(b.server.command == "plans/bin/llama-server");
  CHECK(b.server.flags.size() == 4);
  CHECK(b.server.port == 8101);
  CHECK(b.model == "plans/b.gguf");
  const auto& c = plan.variants[2];
  CHECK_FALSE(c.server.managed());
  CHECK(c.server.urls == std::vector<std::string>{"http://c:1", "http://d:2"});
}

TEST_CASE("what can't be of a server is refused where it stands") {
  const auto server = [](const std::string& table) {
    return refusal("[[variant]]\nname = \"a\"\nserver = { " + table + " }");
  };
  CHECK(server("url = \"http://a\", command = \"x\"").find("either a server that runs") != std::string::npos);
  CHECK(server("url = \"http://a\", port = 1").find("only for a server that gpqa starts") !=
        std::string::npos);
  CHECK(server("command = \"x\", port = 70000").find("1 to 65535") != std::string::npos);
  CHECK(server("command = \"x\", flags = [1]").find("a text in quotes") != std::string::npos);
  CHECK(server("model = \"x.gguf\"").find("or a command that starts it") != std::string::npos);
  CHECK(refusal("[server]\ncommand = \"x\"\nmodel = \"y\"").find("a model of its own") != std::string::npos);
  CHECK(refusal("[[variant]]\nname = \"a\"").find("add server") != std::string::npos);

  const auto flag = [](const std::string& text) {
    Plan plan = parsed("dataset = \"" + kDataset + "\"\n[[variant]]\nname = \"a\"\nmodel = \"" + kDataset +
                       "\"\nserver = { command = \"x\", flags = [\"" + text + "\"] }");
    try {
      validate(plan);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(flag("-ngl") == "accepted");
  CHECK(flag("--port").find("use 'model' or 'port'") != std::string::npos);
  CHECK(flag("--api-key=secret").find("api_key_env") != std::string::npos);
  CHECK(flag("--api-key=secret").find("secret") == std::string::npos);
}

TEST_CASE("names that can't be folders are refused") {
  for (const char* bad :
       {"", ".", "..", "a/b", "../a", "/etc", "a\\\\b", ".hidden", "a\\nb", "a\\u001bb", "a\\u0000b"}) {
    INFO(bad);
    CHECK(refusal("[[variant]]\nname = \"" + std::string(bad) + "\"\nserver = { url = \"http://a\" }")
              .find("plans/p.toml:2:8: variant: ") == 0);
  }
  CHECK_NOTHROW(check_folder_name("variant", "98e v3 (Q6_K)"));
  CHECK_NOTHROW(check_folder_name("variant",
                                  "Gr\xc3\xb6\xc3\x9f"
                                  "e"));
  CHECK_THROWS_AS(check_folder_name("variant", "a\xff"), InputError);
  CHECK_THROWS_AS(check_folder_name("variant", std::string(129, 'a')), InputError);
}

TEST_CASE("variants are picked by name") {
  auto plan = parsed(
      "[[variant]]\nname=\"a\"\nserver={url=\"http://a\"}\n[[variant]]\nname=\"b\"\nserver={url=\"http://"
      "b\"}\n"
      "[[variant]]\nname=\"c\"\nserver={url=\"http://c\"}\n");
  const std::vector<std::string> wrong = {"d"};
  CHECK_THROWS_AS(select_variants(plan, wrong), InputError);
  const std::vector<std::string> names = {"c", "a", "c"};
  select_variants(plan, names);
  REQUIRE(plan.variants.size() == 2);
  CHECK(plan.variants[0].name == "a");
  CHECK(plan.variants[1].name == "c");
}

TEST_CASE("flags alone are a plan of one variant") {
  auto f = flags();
  f.set = {"temp=0.7", "max_tokens=64"};
  f.experts = 98;
  f.limit = 5;
  f.repeats = 2;
  f.task_version = "2.2";
  const auto plan = make_plan(f);
  CHECK(plan.name == "98e");
  CHECK(plan.profile == "card");
  CHECK(plan.sampling.temperature == 0.7);
  CHECK(plan.sampling.max_tokens == 64);
  CHECK(plan.trials.limit == 5);
  CHECK(plan.trials.repeats == 2);
  CHECK(plan.trials.version == TaskVersion::v2_2);
  REQUIRE(plan.variants.size() == 1);
  CHECK(plan.variants[0].name == "98e");
  CHECK(plan.variants[0].experts == 98);
  CHECK(plan.variants[0].server.urls == std::vector<std::string>{"http://127.0.0.1:8099"});
}

TEST_CASE("flags are checked before anything is asked") {
  CHECK(refusal(flags()) == "accepted");
  auto f = flags();
  f.servers.clear();
  CHECK(refusal(f).find("which server, or which model?") == 0);
  f = flags();
  f.dataset = "/nowhere.csv";
  CHECK(refusal(f) == "dataset: no such file: '/nowhere.csv'");
  f = flags();
  f.dataset = "";
  CHECK(refusal(f).find("no dataset") == 0);
  f = flags();
  f.servers = {"127.0.0.1:8099"};
  CHECK(refusal(f).find("expected e.g. http://") != std::string::npos);
  f = flags();
  f.servers = {"http://user:secret@host"};
  CHECK(refusal(f).find("secret") == std::string::npos);
  CHECK(refusal(f) != "accepted");
  f = flags();
  f.api_key_env = "sk-not-a-variable";
  CHECK(refusal(f).find("api_key_env") != std::string::npos);
  CHECK(refusal(f).find("sk-not") == std::string::npos);
  f = flags();
  f.name = "../98e";
  CHECK(refusal(f).find("slash") == std::string::npos);  // the leading point is told first
  CHECK(refusal(f) != "accepted");
  f = flags();
  f.limit = 0;
  CHECK(refusal(f).find("limit: expected") == 0);
  f = flags();
  f.model = "/nowhere.gguf";
  CHECK(refusal(f).find("no such file: '/nowhere.gguf'") != std::string::npos);
}

TEST_CASE("two variants of one name, and two references, are refused") {
  auto plan = make_plan(flags());
  plan.variants.push_back(plan.variants[0]);
  CHECK_THROWS_WITH(validate(plan), Catch::Matchers::Contains("stands twice"));
  plan.variants[1].name = "other";
  CHECK_NOTHROW(validate(plan));
  plan.variants[0].reference = plan.variants[1].reference = true;
  CHECK_THROWS_WITH(validate(plan), Catch::Matchers::Contains("reference already"));
}

TEST_CASE("the plans that are shipped can be read") {
  int n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(GPQA_SOURCE_DIR "/plans")) {
    if (entry.path().extension() != ".toml") continue;
    INFO(entry.path());
    auto plan = load_plan(entry.path());
    plan.dataset = kDataset;
    CHECK_NOTHROW(validate(plan));
    ++n;
  }
  CHECK(n >= 2);
}
