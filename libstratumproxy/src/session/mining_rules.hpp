#pragma once

#include <memory>

#include "stratumproxy/account.hpp"
#include "stratumproxy/algorithm.hpp"

namespace stratumproxy::session {

/// What the rows of an account and its pool come to, on a link.
struct mining_rules {
  link_mode mode = link_mode::dedicated;
  verify_level verify = verify_level::basic;
  bool has_vardiff = false;  ///< each worker has a difficulty of its own, at most the link's
  bool rig_logins = false;
  std::shared_ptr<const algorithm::info> how;  ///< set when and only when `verify` is full
};

/// `known` is where hash functions are found. What the rows want but cannot have gives way: see pool_info.
[[nodiscard]] mining_rules rules_for(const account& owner, const account_route& route,
                                     const std::shared_ptr<const algorithm::registry>& known);

}  // namespace stratumproxy::session
