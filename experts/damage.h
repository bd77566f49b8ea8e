// What a pruned model is that it shouldn't be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gpqa {

struct Damage {
  enum class Kind {
    count,     // a number of experts or layers that isn't that of the others
    tensor,    // one that is missing, or too many, or of another type or shape
    bytes,     // a tensor's content
    metadata,  // a key of a GGUF, a field of config.json
    file,      // one beside a checkpoint's tensors
  };
  Kind kind = Kind::bytes;
  std::string where;  // a tensor's name, a key, a file's name
  std::string what;   // in words
  std::optional<std::uint64_t> layer = {};
  std::optional<std::uint64_t> expert = {};  // of the pruned model
  std::optional<std::uint64_t> source = {};  // the original's, which it should be
  std::optional<std::uint64_t> first = {};   // byte of the tensor, the first that differs
};

// The first of them, and how many there are.
class Damages {
 public:
  static constexpr std::size_t kMostListed = 1000;

  void add(Damage damage) {
    ++count_;
    of_kind_[static_cast<std::size_t>(damage.kind)] += 1;
    if (listed_.size() < kMostListed) {
      listed_.push_back(std::move(damage));
    }
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t count(Damage::Kind kind) const { return of_kind_[static_cast<std::size_t>(kind)]; }
  const std::vector<Damage>& listed() const { return listed_; }

 private:
  std::uint64_t count_ = 0;
  std::uint64_t of_kind_[5] = {};
  std::vector<Damage> listed_;
};

}  // namespace gpqa
