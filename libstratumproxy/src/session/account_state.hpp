#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "session/hashrate_split.hpp"
#include "session/ids.hpp"
#include "session/route_state.hpp"
#include "stratumproxy/account.hpp"

namespace stratumproxy::session {

/// An account with workers on this shard, or with links that they left.
struct account_state {
  std::shared_ptr<const account> owner;
  std::vector<std::shared_ptr<route_state>> routes;  // in the account's order
  std::vector<worker_id> workers;                    // dropped ones that may return, too
  std::size_t first = 0;                             // the home of all, where there is no split
  std::optional<hashrate_split> split;               // where several routes have weights
  std::vector<hashrate_split::worker> roster;        // of the last plan, and who came since

  [[nodiscard]] bool is_over() const noexcept {
    return workers.empty() && std::all_of(routes.begin(), routes.end(), [](const auto& route) { return route->links.empty(); });
  }
  /// Nothing where the account has this route no more.
  [[nodiscard]] std::optional<std::size_t> position(const route_state& of) const noexcept {
    const auto found = std::find_if(routes.begin(), routes.end(), [&](const auto& route) { return route.get() == &of; });
    return found == routes.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - routes.begin()));
  }
  /// Whether it is one that the account's hashrate is divided over.
  [[nodiscard]] bool has_slices(const route_state& of) const noexcept {
    const auto at = split ? position(of) : std::nullopt;
    return at && owner->routes[*at].weight > 0;
  }
};

}  // namespace stratumproxy::session
