// Where the hub is, and which addresses its answers may lead to.
#pragma once

#include <string>

namespace gpqa {

struct HubFile {
  std::string repo = "Idavidrein/gpqa";
  std::string revision = "main";
  std::string name;  // "gpqa_diamond.csv"
};

// "https://huggingface.co/" -> "https://huggingface.co"; a path in it is kept. Throws InputError for what is
// no address, and for http:// anywhere but on this machine: the token would be readable on its way.
std::string hub_endpoint(const std::string& url);

// {endpoint}/datasets/{repo}/resolve/{revision}/{name}. Throws InputError for a revision that git has not.
std::string hub_url(const std::string& endpoint, const HubFile& file);

// The address that `location`, in an answer from `from`, leads to. Throws TransportError if it is none,
// or if the way there could be read by others: https is never left, and http stays on this machine.
std::string hub_redirect(const std::string& from, const std::string& location);

}  // namespace gpqa
