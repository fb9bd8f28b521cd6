#pragma once

#include <cstdint>
#include <string_view>

namespace stratumproxy {

/// One thing that happened on one connection: it was opened, said or was told a line, or ended. Views end with the call.
///
/// Secrets are masked already. Every password of a login, from the miner and to the pool, is "***", and so is the account's pool
/// password wherever else it stands; a session id, which would allow a take-over, is an alias that stays the same. A line that is
/// no JSON object is told as "unusable: N bytes", because nobody can say where in it a password stands.
struct tapped_event {
  enum class kind : std::uint8_t { opened, received, sent, ended };
  enum class side : std::uint8_t { miner, pool };

  kind what = kind::opened;
  side peer = side::miner;
  std::uint64_t conversation = 0;  ///< the connection: its own number for the life of the proxy, also when it changes shards
  std::string_view address;        ///< the miner's host:port, or the pool's as its row has it
  std::string_view text;           ///< received, sent: the line, without its end. ended: the close_reason's name
  bool by_peer = false;            ///< ended: by the peer or the network, not by the proxy

  // A connection to a pool when it opens:
  std::uint64_t link = 0;          ///< the same over all connections of one link of the shard
  std::uint64_t worker = 0;        ///< conversation of the miner that it is for; 0: nobody at the moment
  std::string_view session;        ///< of that miner: first eight digits, as in the log
  std::string_view account, algorithm;
};

/// Hears every line that passes the proxy, for recordings and debugging. Costs nothing when there is none.
///
/// Called on the shards' threads, concurrently; must not block or call back. Events of one connection, and of one shard, come in
/// their order, from within the work that they belong to: whoever wants times reads a clock in the call. Bytes before
/// the first line end, such as a TLS greeting or a line that is too long, are not told.
/// Borrowed by the proxy that it is given to, which it outlives.
class line_tap {
 public:
  virtual ~line_tap() = default;
  virtual void on_event(const tapped_event& event) noexcept = 0;
};

}  // namespace stratumproxy
