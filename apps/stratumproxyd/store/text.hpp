#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stratumproxyd {

/// Longest user and password of a pool, and login template, in bytes. PostgreSQL indexes both together in at most 2,700.
inline constexpr std::size_t longest_credential = 256;
inline constexpr std::size_t longest_name = 64;   ///< of an account or algorithm
inline constexpr std::size_t longest_pool = 300;  ///< host:port

/// Valid UTF-8 without NUL and not longer than the limit: what both databases keep exactly as it is.
[[nodiscard]] bool is_storable(std::string_view text, std::size_t limit) noexcept;

struct pool_address {
  std::string host;  ///< lower case, IPv6 without brackets
  std::uint16_t port = 0;
};
/// Takes "host:port" and "[v6]:port" apart; nothing when it is neither.
[[nodiscard]] std::optional<pool_address> parse_pool(std::string_view text);
/// ASCII only, so that the locale changes nothing.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace stratumproxyd
