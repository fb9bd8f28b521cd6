#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "stratumproxy/algorithm.hpp"
#include "stratumproxy/algorithm/uint256.hpp"
#include "stratumproxy/result.hpp"

/// Rebuilding a share of the Bitcoin dialect and judging its proof of work. Everything here is a value or a function without
/// state: a work may be shared by threads, and checked on any of them.
namespace stratumproxy::algorithm {

/// The parts of mining.notify that go into a header, as the pool wrote them: hex digits of either case.
struct work_text {
  std::string_view prevhash;  ///< 64 digits, each 4-byte word reversed
  std::string_view coinb1;    ///< as the pool sent it, with nothing spliced behind it
  std::string_view coinb2;
  std::span<const std::string_view> branches;  ///< 64 digits each
  std::uint32_t version = 0;
  std::uint32_t nbits = 0;
};

/// The same decoded, once for each job of a pool; all its shares are checked against it.
struct work {
  std::array<std::uint8_t, 32> prevhash{};  ///< in the order of the header
  std::vector<std::uint8_t> coinb1;
  std::vector<std::uint8_t> coinb2;
  std::vector<std::array<std::uint8_t, 32>> branches;
  std::uint32_t version = 0;
  std::uint32_t nbits = 0;
};

/// bad_params when something is no hex or has a wrong number of digits.
[[nodiscard]] result<work> decode_work(const work_text& text);

/// What a submit adds to the work.
struct share {
  static constexpr std::size_t max_extranonce = 48;  ///< 32 bytes from the pool, 16 for the miner

  std::array<std::uint8_t, max_extranonce> extranonce{};  ///< the pool's extranonce1, then its extranonce2 with all its parts
  std::size_t extranonce_size = 0;
  std::uint32_t ntime = 0;
  std::uint32_t nonce = 0;
  std::optional<std::uint32_t> version_bits;  ///< nothing where the miner does not roll the version
  std::uint32_t version_mask = 0;             ///< that of the job

  /// Adds the next part of the extranonce. False, and nothing added, when it is no hex of whole bytes or too long.
  [[nodiscard]] bool append_extranonce(std::string_view hex) noexcept;
};

using header = std::array<std::uint8_t, 80>;

/// The block header that a share stands for. Bits outside of the mask are left out: see check().
[[nodiscard]] header header_of(const work& job, const share& what, coinbase_hash coinbase) noexcept;

/// The outcome of a share's work, to be asked for each target that matters.
struct proof {
  uint256 hash;
  bool is_block = false;  ///< meets the target of its job's own nbits: goes to the pool whatever the difficulty

  [[nodiscard]] bool meets(const uint256& share_target) const noexcept { return meets_share_target(hash, share_target); }
  [[nodiscard]] double difficulty(double divider) const noexcept { return difficulty_of(hash, divider); }
};

/// Whether check() can judge shares of this algorithm: it has a hash function, and the header is Bitcoin's.
[[nodiscard]] bool can_check(const info& how) noexcept;

/// Rebuilds and hashes a share. Takes as long as the hash: where `how.cost` is slow, call it on a worker thread. Fails with
/// out_of_range when version bits lie outside of the mask, with std::errc::not_enough_memory when the hash function failed,
/// with std::errc::function_not_supported when can_check() is false. Allocates nothing unless the hash function does.
[[nodiscard]] result<proof> check(const info& how, const work& job, const share& what);

}  // namespace stratumproxy::algorithm
