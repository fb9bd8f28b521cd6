#pragma once

#include <cstddef>
#include <vector>

#include "session/ids.hpp"
#include "session/optional_id.hpp"
#include "session/pool_gate.hpp"
#include "session/random.hpp"
#include "session/route_health.hpp"
#include "stratumproxy/options.hpp"

namespace stratumproxy::session {

/// One route of an account on this shard, as long as the account has it: the links that were opened for it, and their health.
struct route_state {
  route_state(const failover_options& config, const random_source& random, const pool_gate& its_gate)
      : gate(its_gate), health(config, random) {}

  const pool_gate& gate;            // of its pool
  route_health health;
  std::vector<link_id> links;       // all of them
  std::size_t live = 0;             // of them
  optional_id<link_id> scout;       // the one that tries an unsound route while nobody mines on it
  double work = 0;                  // difficulty-1 shares that were accepted here
  double known_work = 0;            // of it, what the split has heard of
};

}  // namespace stratumproxy::session
