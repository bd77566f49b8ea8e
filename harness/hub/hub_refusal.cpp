#include "harness/hub/hub_refusal.h"

#include <fmt/format.h>

#include "runners/remote/wire_format.h"

namespace gpqa {
namespace {

// The hub's own words, after ours.
std::string said(const HubResponse& response) {
  const auto message = response.header("x-error-message");
  return message.empty() ? "" : fmt::format("\nThe hub says: {}", readable(message, 300));
}

std::string not_found(const std::string& code, const HubFile& file) {
  if (code == "RepoNotFound")
    return fmt::format("the hub has no data set {}, or this token may not see it", file.repo);
  if (code == "RevisionNotFound")
    return fmt::format("{} has no revision \"{}\"; expected a branch, a tag or a commit, like main",
                       file.repo, file.revision);
  if (code == "EntryNotFound")
    return fmt::format("{} has no file {} at revision \"{}\"; try --revision main", file.repo, file.name,
                       file.revision);
  return fmt::format("{}, revision \"{}\", file {}: one of them is not at the hub", file.repo, file.revision,
                     file.name);
}

}  // namespace

std::string hub_refusal(const HubResponse& response, const HubFile& file, bool with_token) {
  if (response.status != 404 && !with_token)
    return fmt::format(
               "{} is gated: a token is needed. Make one with the right to read at "
               "https://huggingface.co/settings/tokens, and give it by the environment variable HF_TOKEN or "
               "by "
               "--token-file FILE",
               file.repo) +
           said(response);
  if (response.status == 401)
    return "the hub does not know this token: it is mistyped, expired or revoked. See "
           "https://huggingface.co/settings/tokens" +
           said(response);
  if (response.status == 403)
    return fmt::format(
               "this token's account may not read {0} yet: accept the terms at "
               "https://huggingface.co/datasets/{0} with the account of this token, then run the same "
               "command "
               "again. (A fine-grained token also needs the right to read public gated repositories.)",
               file.repo) +
           said(response);
  return not_found(response.header("x-error-code"), file) + said(response);
}

}  // namespace gpqa
