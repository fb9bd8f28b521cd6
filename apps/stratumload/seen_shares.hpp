#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <utility>

namespace stratumload {

/// Remembers the last shares, at least `generation` of them, by 64 bits of hash: enough to tell a miner "duplicate", with bounded
/// memory however long the pool runs.
class seen_shares {
 public:
  explicit seen_shares(std::size_t generation) : generation_(generation) {}

  /// False when it was there before.
  [[nodiscard]] bool insert(std::uint64_t hash) {
    if (old_.contains(hash) || !young_.insert(hash).second) return false;
    if (young_.size() >= generation_) {
      old_ = std::move(young_);
      young_.clear();
    }
    return true;
  }

 private:
  std::size_t generation_;
  std::unordered_set<std::uint64_t> young_, old_;
};

}  // namespace stratumload
