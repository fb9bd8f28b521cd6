#pragma once

#include <cstdint>

namespace stratumproxyd {

/// What the kernel tells about this process; a figure it does not tell is 0.
struct process_stats {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  ///< since the epoch
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
  std::uint64_t threads = 0;
};

[[nodiscard]] process_stats read_process_stats();

}  // namespace stratumproxyd
