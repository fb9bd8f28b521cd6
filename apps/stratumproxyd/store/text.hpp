#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stratumproxyd {

/// Longest user and password of a pool, and login template, in bytes. PostgreSQL indexes both together in at most 2,700.
inline constexpr std::size_t longest_credential = 256;
inline constexpr std::size_t longest_name = 64;   ///< of an account or algorithm
inline constexpr std::size_t longest_pool = 300;  ///< host:port
inline constexpr std::size_t longest_source = 2'048;  ///< where a row comes from

/// Valid UTF-8 without NUL and not longer than the limit: what both databases keep exactly as it is.
[[nodiscard]] bool is_storable(std::string_view text, std::size_t limit) noexcept;
/// Throws std::invalid_argument, with `what` the text is, when it is not.
void require_storable(std::string_view text, std::size_t limit, const char* what);

/// ASCII only, so that the locale changes nothing.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace stratumproxyd
