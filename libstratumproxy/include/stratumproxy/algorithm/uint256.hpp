#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stratumproxy::algorithm {

/// A hash or a target as a number of 256 bits: proof of work is judged with integers, never with floating point.
struct uint256 {
  std::array<std::uint64_t, 4> words{};  ///< least significant first

  [[nodiscard]] static constexpr uint256 max() noexcept { return {{~0ULL, ~0ULL, ~0ULL, ~0ULL}}; }
  /// The 32 bytes of a hash, least significant first, as Bitcoin and its kin read them.
  [[nodiscard]] static uint256 from_little_endian(std::span<const std::uint8_t, 32> bytes) noexcept;

  friend constexpr bool operator==(const uint256&, const uint256&) noexcept = default;
  friend constexpr std::strong_ordering operator<=>(const uint256& a, const uint256& b) noexcept {
    for (std::size_t i = 3; i > 0; --i) {
      if (a.words[i] != b.words[i]) return a.words[i] <=> b.words[i];
    }
    return a.words[0] <=> b.words[0];
  }
};

/// The highest hash of a share of this difficulty: 0xffff * 2^208 * divider / difficulty, rounded down from the exact value;
/// 2^256 - 1 when it is larger or the difficulty is not above 0. The divider (algorithm::info) is positive and finite.
[[nodiscard]] uint256 target_of(double difficulty, double divider) noexcept;

/// The target of a block by the compact nbits of its header; 0, which no hash meets, when negative or too large, as in Bitcoin.
[[nodiscard]] uint256 target_of_nbits(std::uint32_t nbits) noexcept;

/// The difficulty that a hash would just meet: 0xffff * 2^208 * divider / hash, correctly rounded; infinite for 0.
/// For the best of many hashes compare the hashes (the lowest wins) and convert only that one.
[[nodiscard]] double difficulty_of(const uint256& hash, double divider) noexcept;

/// Share targets are widened by 2^-slack_bits. Programs disagree whether difficulty 1 is 0xffff * 2^208 or 2^224 - 1, which is
/// 1.5e-5 apart; near the boundary the miner has the benefit of the doubt, and the pool judges.
inline constexpr unsigned slack_bits = 15;

/// Whether the hash is good for a share of this target, with the slack. Targets of blocks have none: compare those with <=.
[[nodiscard]] bool meets_share_target(const uint256& hash, const uint256& target) noexcept;

}  // namespace stratumproxy::algorithm
