#pragma once

#include <span>
#include <string_view>

namespace stratumproxyd {

/// A public pool that a new database knows from the start.
struct known_pool {
  std::string_view pool;       ///< "host:port"
  std::string_view algorithm;  ///< name or alias
  std::string_view source;     ///< where to look its address up; the rows have not been checked against it
};

/// When the list was put together; stored with each row, for pools move.
inline constexpr std::string_view known_pools_date = "2026-11";

[[nodiscard]] std::span<const known_pool> known_pools();

}  // namespace stratumproxyd
