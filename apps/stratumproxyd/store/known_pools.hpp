#pragma once

#include <span>
#include <string_view>

namespace stratumproxyd {

/// A public page that states the addresses of pools.
struct public_page {
  std::string_view url;   ///< of the very version that was read
  std::string_view date;  ///< yyyy-mm-dd: the day on which that version was committed
};

/// A public pool that a new database knows from the start.
struct known_pool {
  std::string_view pool;       ///< "host:port"
  std::string_view algorithm;  ///< one of the library's, by name
  public_page source;          ///< states the address; pools move, so the date is stored with the row
};

[[nodiscard]] std::span<const known_pool> known_pools();

}  // namespace stratumproxyd
