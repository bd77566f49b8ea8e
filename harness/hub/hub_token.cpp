#include "harness/hub/hub_token.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::string_view kBlot = "***";

// A pipe will do: `--token-file <(pass show hub)`.
std::string read_token(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::array<char, kMaxTokenBytes + 1> bytes{};
  if (in) in.read(bytes.data(), bytes.size());
  if (!in.is_open() || in.bad())
    throw InputError(fmt::format("--token-file {}: can't be read: {}", path,
                                 std::generic_category().message(errno != 0 ? errno : EIO)));
  return {bytes.data(), static_cast<std::size_t>(in.gcount())};
}

}  // namespace

std::string hub_token(const std::string& file) {
  const char* variable = std::getenv("HF_TOKEN");
  std::string token = !file.empty() ? read_token(file) : variable != nullptr ? variable : "";
  const std::string from = !file.empty() ? "--token-file " + file : "HF_TOKEN";
  while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  if (token.empty() && !file.empty())
    throw InputError(from + ": is empty; expected one line, a token like hf_...");
  const auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7F; };
  if (token.size() > kMaxTokenBytes || !std::all_of(token.begin(), token.end(), visible))
    throw InputError(
        from +
        ": expected one line, a token like hf_...; found blanks, control characters or more than a token");
  return token;
}

std::string token_file_warning(const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto status = fs::status(file, error);
  if (error || !fs::is_regular_file(status)) return "";
  if ((status.permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none) return "";
  return fmt::format("warning: others on this machine may read the token in {}; chmod 600 it", file);
}

std::string without_token(std::string text, const std::string& token) {
  if (token.empty()) return text;
  for (auto at = text.find(token); at != std::string::npos; at = text.find(token, at + kBlot.size()))
    text.replace(at, token.size(), kBlot);
  return text;
}

}  // namespace gpqa
