#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <span>

namespace stratumproxy::algorithm {

using digest256 = std::array<std::uint8_t, 32>;

/// SHA-256 of bytes that come in pieces. Lives on the stack and allocates nothing.
class sha256 {
 public:
  sha256() noexcept;
  sha256& add(std::span<const std::uint8_t> bytes) noexcept;
  /// Of all that was added; nothing may be added after.
  [[nodiscard]] digest256 finish() noexcept;

 private:
  SHA256_CTX context_;
};

[[nodiscard]] inline digest256 sha256_of(std::span<const std::uint8_t> bytes) noexcept { return sha256().add(bytes).finish(); }

/// Of a digest: one block, and so without what pieces of any length need.
[[nodiscard]] digest256 sha256_of(const digest256& digest) noexcept;

/// SHA-256 of the SHA-256 of two digests in a row: a node of a merkle tree.
[[nodiscard]] digest256 sha256d_of_pair(const digest256& left, const digest256& right) noexcept;

}  // namespace stratumproxy::algorithm
