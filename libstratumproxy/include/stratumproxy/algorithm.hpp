#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stratumproxy/dialect.hpp"

namespace stratumproxy::algorithm {

/// A hash algorithm as pools count it: expected hashes of a share = 2^32 * difficulty / divider.
struct info {
  std::string name;                  ///< canonical, lower case
  std::vector<std::string> aliases;  ///< other spellings, lower case
  double divider = 1;
  dialect speaks = dialect::bitcoin;
  unsigned coinb1_index = 2;         ///< position of coinb1 in mining.notify
  std::string source;                ///< where the divider comes from
};

/// The algorithms that come with the library, from the sources named in each row.
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
