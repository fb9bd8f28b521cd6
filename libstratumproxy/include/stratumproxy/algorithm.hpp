#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "stratumproxy/dialect.hpp"

namespace stratumproxy::algorithm {

/// Proof of work: from the 80 bytes of a header to the 32 bytes that are compared with a target, least significant first.
/// False when it could not be computed (no memory); the share is then not judged here. Several threads call it at once, on
/// shards and on worker threads: it keeps its scratch memory to itself, and it must not throw. What it captured lives as long
/// as any copy of the info that holds it.
using hash_function = std::function<bool(std::span<const std::uint8_t> header, std::span<std::uint8_t, 32> hash)>;

/// Where a hash is computed. Above 20 microseconds it is slow: on a worker pool, never on the thread of a shard.
enum class hash_cost : std::uint8_t { fast, slow };

/// How the coinbase becomes the first leaf of the merkle tree. The branches are always joined by sha256d.
enum class coinbase_hash : std::uint8_t { sha256d, sha256 };

/// A hash algorithm as pools count it: expected hashes of a share = 2^32 * difficulty / divider.
struct info {
  std::string name;                  ///< canonical, lower case
  std::vector<std::string> aliases;  ///< other spellings, lower case
  double divider = 1;
  dialect speaks = dialect::bitcoin;
  unsigned coinb1_index = 2;         ///< position of coinb1 in mining.notify
  std::string source;                ///< where the divider comes from
  hash_function hash;                ///< empty where none is known: shares are then not judged here
  hash_cost cost = hash_cost::slow;  ///< of `hash`
  coinbase_hash coinbase = coinbase_hash::sha256d;
};

/// The algorithms that come with the library, from the sources named in each row. Some have a hash function.
[[nodiscard]] std::span<const info> builtin();

/// Finds algorithms by name or alias, without case. Not synchronised: fill it, then share it.
class registry {
 public:
  registry();  ///< with the built-in algorithms

  /// The name is lower-cased. Fails with out_of_range when the divider is not positive and finite, with bad_params when a
  /// name or alias is empty, too long (64) or belongs to another algorithm.
  [[nodiscard]] std::error_code add(info value);
  [[nodiscard]] const info* find(std::string_view name_or_alias) const;
  [[nodiscard]] std::span<const info> all() const noexcept { return known_; }

 private:
  std::vector<info> known_;
};

/// Expected hashes of shares that sum up to `difficulty`, for an algorithm with this divider.
[[nodiscard]] double expected_hashes(double difficulty, double divider) noexcept;

}  // namespace stratumproxy::algorithm
