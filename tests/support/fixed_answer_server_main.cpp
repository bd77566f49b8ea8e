// fixed-answer-server: prints its address, serves until SIGTERM, SIGINT or the end of its standard input.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "runners/model_files/gguf_reader.h"
#include "tests/support/fixed_answer_server.h"

namespace {

int serve(int argc, char** argv) {
  gpqa::test::FixedAnswerOptions options;
  std::string forced = "{}";
  bool no_thinking = false, plain = false, ignore_stdin = false;
  CLI::App app("Speaks llama-server's HTTP and says fixed answers");
  app.add_option("--port", options.port, "0: a free one");
  std::string host = "127.0.0.1";
  app.add_option("--host", host, "only the loopback")->check(CLI::IsMember({"127.0.0.1"}));
  app.add_option("-m,--model", options.model.path, "a GGUF: shown as what is served")
      ->check(CLI::ExistingFile);
  app.add_option("--answers", options.answers, "JSON lines {prompt, content, reasoning?, finish_reason?}")
      ->check(CLI::ExistingFile);
  app.add_option("--deltas", options.deltas, "every answer has as many words");
  app.add_option("--slots", options.model.slots)->check(CLI::Range(1, 1024));
  app.add_option("--ctx", options.model.n_ctx, "tokens of a slot")->check(CLI::Range(16, 1 << 30));
  app.add_option("--delay-ms", options.delay_ms, "before each token");
  app.add_option("--loading-ms", options.loading_ms, "answers 503 at first");
  app.add_option("--force", forced, "JSON: settings used whatever a request asks for");
  app.add_flag("--plain", plain, "a chat template that can't think");
  app.add_flag("--no-thinking", no_thinking, "thinks only where a request asks for it");
  app.add_flag("--ignore-stdin", ignore_stdin, "the end of the standard input ends nothing");
  CLI11_PARSE(app, argc, argv);

  // Blocked before any thread starts: only sigwait takes them.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  if (app.count("--model") > 0) {
    const auto header = gpqa::read_gguf_header(options.model.path);
    options.model.n_params = static_cast<std::int64_t>(header.n_params());
    options.model.bytes = static_cast<std::int64_t>(header.tensor_bytes());
    if (const auto tokens = header.metadata.find("tokenizer.ggml.tokens"); tokens != header.metadata.end())
      options.model.n_vocab = static_cast<std::int64_t>(std::get<gpqa::GgufArray>(tokens->second).count);
    options.model.id = options.model.path.substr(options.model.path.rfind('/') + 1);
  }
  options.model.gemma4 = !plain;
  options.model.thinks = !no_thinking;
  options.forced = gpqa::test::Json::parse(forced);
  if (const char* key = std::getenv("LLAMA_API_KEY")) options.api_key = key;
  const gpqa::test::FixedAnswerServer server(options);
  fmt::print("{}\n", server.url());
  std::fflush(stdout);
  if (!ignore_stdin)
    std::thread([] {
      char bytes[256];
      while (read(STDIN_FILENO, bytes, sizeof bytes) > 0) {
      }
      kill(getpid(), SIGTERM);
    }).detach();
  int signal = 0;
  sigwait(&ends, &signal);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return serve(argc, argv);
  } catch (const std::exception& e) {
    std::fputs("fixed-answer-server: ", stderr);
    std::fputs(e.what(), stderr);
    std::fputs("\n", stderr);
    return 1;
  }
}
