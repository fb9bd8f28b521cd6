#pragma once

#include <cstdint>

namespace stratumproxy {

/// What came of moving a worker to another account.
enum class move_outcome : std::uint8_t {
  moved,            ///< also when it was there already
  unknown_worker,   ///< no connected miner has this host:port
  not_mining,       ///< it has not subscribed and authorized yet, or the proxy stops
  other_algorithm,  ///< it cannot mine what the account mines
  refused,          ///< the account is banned, or each of its pools refused the login a short while ago
  unavailable,      ///< the proxy does not run, or a shard did not answer in time
};

}  // namespace stratumproxy
