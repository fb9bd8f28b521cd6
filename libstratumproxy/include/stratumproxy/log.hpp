#pragma once

#include <cstdint>
#include <string_view>

namespace stratumproxy {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// One life-cycle event. Empty fields do not apply. Every text that came from a peer is already cut to a bounded
/// length and free of control characters; no field ever holds a password.
struct log_event {
  log_level level = log_level::info;
  std::string_view event;    ///< fixed, snake_case: "worker_authorized", "pool_lost"
  std::string_view session;  ///< first eight digits of the session id: enough to follow it, too few to take it over
  std::string_view worker;   ///< the miner's host:port
  std::string_view account;
  std::string_view pool;     ///< host:port
  std::string_view detail;   ///< the rest, for people
};

/// Where the library's log goes. Called from the shards' threads, concurrently; the views end with the call.
class log_sink {
 public:
  virtual ~log_sink() = default;
  virtual void write(const log_event& event) noexcept = 0;
};

}  // namespace stratumproxy
