#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <stratumproxy/session_store.hpp>

namespace stratumproxyd {

/// The table of sessions that proxies leave for each other. Every method blocks, may be called from several threads, and throws
/// store_unavailable as those of `store` do.
class session_table {
 public:
  /// A row that is not written again for so long cannot be claimed any more.
  static constexpr std::chrono::seconds life = 3 * stratumproxy::session_store::refresh;

  virtual ~session_table() = default;

  /// All of it, or nothing. Ids that were claimed stay as they are.
  virtual void write(std::span<const stratumproxy::session_record> changed, std::span<const std::string> removed) = 0;
  /// Those that are there and were not claimed before, by whichever proxy.
  virtual std::vector<stratumproxy::session_record> claim(std::span<const std::string> ids) = 0;
  /// Removes what cannot be claimed any more; how many rows that were.
  virtual std::size_t prune() = 0;
};

}  // namespace stratumproxyd
