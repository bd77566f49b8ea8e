// Bytes compared by several threads: the same as one by one, whatever the threads do.
#include "experts/compare_bytes.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "runners/model_files/mapped_file.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;

namespace {

struct Stop {};

}  // namespace

TEST_CASE("every difference is found, with its first byte and their number, by any number of threads") {
  const TemporaryFolder folder;
  std::mt19937 random(1);
  std::string bytes(40'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); i += 1000) bytes[i] = static_cast<char>(random());
  auto other = bytes;
  std::vector<std::size_t> changed;
  for (int i = 0; i < 30; ++i) changed.push_back(random() % bytes.size());
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  for (const auto at : changed) other[at] ^= 1;
  std::ofstream(folder.path() / "a", std::ios::binary) << bytes;
  std::ofstream(folder.path() / "b", std::ios::binary) << other;
  const MappedFile a(folder.path() / "a");
  const MappedFile b(folder.path() / "b");
  // Pairs of all sizes: of a byte, of several pieces.
  std::vector<BytePair> pairs;
  std::vector<ByteDifference> expected;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto size =
        std::min<std::size_t>(1 + random() % (random() % 2 == 0 ? 100'000 : 12'000'000), bytes.size() - at);
    pairs.push_back({a.bytes().subspan(at, size), b.bytes().subspan(at, size)});
    const auto first = std::lower_bound(changed.begin(), changed.end(), at);
    const auto end = std::lower_bound(changed.begin(), changed.end(), at + size);
    if (first != end)
      expected.push_back({pairs.size() - 1, *first - at, static_cast<std::uint64_t>(end - first)});
    at += size;
  }
  for (const std::size_t threads : {1, 2, 5}) {
    std::uint64_t told = 0;
    const auto found =
        compare_bytes(pairs, threads, [&](std::uint64_t done) { told = std::max(told, done); });
    CHECK(told <= bytes.size());
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].pair == expected[i].pair);
      CHECK(found[i].first == expected[i].first);
      CHECK(found[i].count == expected[i].count);
    }
    CHECK_THROWS_AS(compare_bytes(pairs, threads, [](std::uint64_t) { throw Stop(); }), Stop);
  }
  CHECK(compare_bytes({}, 3, [](std::uint64_t) {}).empty());
}
