#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stratumload {

enum class side : std::uint8_t { miner, pool };
[[nodiscard]] constexpr const char* name(side which) { return which == side::miner ? "miner" : "pool"; }

/// One line of a recording: what a peer of the proxy did, or what the proxy did towards it.
struct recorded_event {
  enum class act : std::uint8_t { open, line, end };
  act what = act::line;
  bool by_peer = true;            ///< done by the miner or pool, not by the proxy; a pool's connection is opened by the proxy
  std::size_t conversation = 0;   ///< its place in recording::conversations
  std::size_t file_line = 0;      ///< from 1
  std::int64_t microseconds = 0;
  std::string text;               ///< the line, or the reason of an end
};

/// One connection of a miner or to a pool.
struct recorded_conversation {
  side peer = side::miner;
  std::uint64_t number = 0;  ///< in the file
  std::string address;       ///< the miner's, or the pool's name
  // to a pool:
  std::uint64_t link = 0;
  std::optional<std::size_t> worker;  ///< the miner's conversation that it was opened for
  std::string account, algorithm;
};

struct recording {
  std::vector<recorded_conversation> conversations;
  std::vector<recorded_event> events;  ///< in the order in which the proxy saw them
  bool is_plain = false;               ///< one conversation between a miner and a pool, without a proxy
};

/// Reads what `stratumproxyd --record` wrote, or lines {"dir":"miner>pool","line":...} of one conversation without a proxy; such a
/// conversation is there twice, once as the miner's and once as the pool's. Throws std::runtime_error that names the line of the file.
[[nodiscard]] recording load_recording(const std::string& file);

}  // namespace stratumload
