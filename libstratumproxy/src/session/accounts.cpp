// Who mines for which account on this shard, and what follows when an account becomes another.
#include <algorithm>
#include <cmath>
#include <utility>

#include "session/manager_impl.hpp"

namespace stratumproxy::session {
namespace {

[[nodiscard]] std::size_t routes_of(const account& owner) { return std::min(owner.routes.size(), account::max_routes); }

[[nodiscard]] link_mode mode_of(const account& owner, const account_route& route) { return owner.mode.value_or(route.pool.mode); }

// Whether links of the one serve the other as they are.
[[nodiscard]] bool is_same_route(const account& before, const account_route& was, const account& after, const account_route& is) {
  return was.pool == is.pool && was.user == is.user && was.password == is.password && mode_of(before, was) == mode_of(after, is);
}

}  // namespace

std::shared_ptr<route_state> session_manager::impl::new_route(const pool_info& pool) {
  return std::make_shared<route_state>(shard_.config.failover, shard_.random, endpoint_of(pool).gate);
}

session_manager::impl::known_account session_manager::impl::newest_of(const known_account& found, time_point now) {
  account_changed(found->name, found, now);
  const auto known = accounts_.find(found->name);
  return known == accounts_.end() ? found : known->second.owner;
}

// ---- its workers -------------------------------------------------------------------------------------------------------

void session_manager::impl::join(downstream_session& worker, const known_account& owner) {
  auto& here = accounts_[owner->name];
  if (here.routes.empty()) {
    here.owner = owner;
    for (std::size_t i = 0; i < routes_of(*owner); ++i) here.routes.push_back(new_route(owner->routes[i].pool));
    set_weights(here);
  }
  worker.owner = here.owner;
  worker.home = home_for(here, worker.id(), swept_);
  here.workers.push_back(worker.id());
}

void session_manager::impl::part(downstream_session& worker, time_point now) {
  drop_next(worker, now);
  // Who goes from account to account does not leave a trail of links behind.
  for (const auto& other : worker.others()) {
    auto* const link = find(other.link);
    if (!link) continue;
    leave(worker, *link, now);
    if (!link->is_shared() && link->workers().empty() && link->at->scout != link->id()) destroy(*link, now);
  }
  worker.forget_others([&](const other_link& other) { return find(other.link) == nullptr; });
  if (auto* const link = find(worker.link)) {
    worker.leave_link();
    leave(worker, *link, now);
  }
  auto& here = state_of(worker);
  std::erase(here.workers, worker.id());
  if (!here.workers.empty()) return;
  for (const auto& route : here.routes) drop_scout(*route, now);
}

void session_manager::impl::drop_scout(route_state& route, time_point now) {
  auto* const scout = find(std::exchange(route.scout, std::nullopt));
  if (scout && scout->workers().empty()) retire(*scout, now);
}

// ---- its changes -------------------------------------------------------------------------------------------------------

void session_manager::impl::set_weights(account_state& here) {
  std::vector<unsigned> weights;
  for (std::size_t i = 0; i < here.routes.size(); ++i) weights.push_back(here.owner->routes[i].weight);
  here.first = 0;
  here.split.reset();
  const auto weighted = [](unsigned weight) { return weight > 0; };
  const auto count = std::count_if(weights.begin(), weights.end(), weighted);
  if (count == 0) return;
  here.first = static_cast<std::size_t>(std::find_if(weights.begin(), weights.end(), weighted) - weights.begin());
  if (count > 1) here.split.emplace(shard_.config.slices, std::move(weights));
}

// The ones that are there as they were stay. Those that are not any more.
std::vector<std::shared_ptr<route_state>> session_manager::impl::take_routes(account_state& here, const known_account& now_is) {
  const auto before = std::exchange(here.owner, now_is);
  auto routes = std::exchange(here.routes, {});
  for (std::size_t i = 0; i < routes_of(*now_is); ++i) {
    std::shared_ptr<route_state> kept;
    for (std::size_t j = 0; j < routes.size() && !kept; ++j) {
      if (routes[j] && is_same_route(*before, before->routes[j], *now_is, now_is->routes[i])) kept = std::exchange(routes[j], nullptr);
    }
    here.routes.push_back(kept ? std::move(kept) : new_route(now_is->routes[i].pool));
  }
  std::erase(routes, nullptr);
  return routes;
}

// First those who stay, then the others in the room that is left.
void session_manager::impl::give_homes(account_state& here, time_point now) {
  const auto stays = [&](const downstream_session& worker) {
    const auto* const link = find(worker.link);
    return link && here.has_slices(*link->at) ? here.position(*link->at) : std::nullopt;
  };
  here.roster.clear();
  for (const auto id : here.workers) {
    auto& worker = *find(id);
    const auto at = stays(worker);
    if (!at) continue;
    worker.home = static_cast<std::uint32_t>(*at);
    here.roster.push_back({.id = id, .rate = std::ldexp(worker.hashrate(now), -32), .route = *at, .since = worker.came_at});
  }
  for (const auto id : here.workers) {
    auto& worker = *find(id);
    if (!stays(worker)) worker.home = home_for(here, id, now);
  }
}

void session_manager::impl::leave_gone_routes(const account_state& here, downstream_session& worker, time_point now) {
  const auto is_gone = [&](const upstream_session& link) { return !here.position(*link.at); };
  if (const auto* const next = find(worker.next_link); next && is_gone(*next)) drop_next(worker, now);
  for (const auto& other : worker.others()) {
    auto* const link = find(other.link);
    if (link && !here.has_slices(*link->at)) leave(worker, *link, now);
  }
  auto* const link = find(worker.link);
  if (!link || !is_gone(*link) || worker.is_connected()) return;
  // Where it mines when it comes back is asked then.
  worker.leave_link();
  worker.reset_counts();
  leave(worker, *link, now);
}

// Its workers lose no connection: those whose route is there as it was mine on, all others go to where they should be now. What
// they find for jobs of before still goes to the pool that gave them.
void session_manager::impl::account_changed(const std::string& name, const known_account& now_is, time_point now) {
  const auto found = accounts_.find(name);
  if (found == accounts_.end()) return;
  if (!now_is || now_is->routes.empty()) return let_go(name, "closing: the account was removed", now);
  auto& here = found->second;
  const auto& before = *here.owner;
  const bool is_news = now_is->revision > before.revision ||
                       (now_is->revision == before.revision && (now_is->routes != before.routes || now_is->mode != before.mode));
  if (!is_news) return;
  // Its miners cannot follow.
  const auto algorithm_of = [](const account& owner) -> const std::string& { return owner.routes.front().pool.algorithm; };
  if (algorithm_of(*now_is) != algorithm_of(before)) return let_go(name, "closing: the account mines another algorithm now", now);
  shard_.log({.level = log_level::info, .event = "account_changed", .account = name});

  const auto gone = take_routes(here, now_is);
  set_weights(here);
  const auto workers = here.workers;
  for (const auto id : workers) find(id)->owner = now_is;
  give_homes(here, now);  // all learn where theirs is before anybody moves
  for (const auto id : workers) {
    auto* const worker = find(id);
    if (!worker) continue;
    leave_gone_routes(here, *worker, now);
    steer(*worker, now, metrics::switch_cause::account_changed);
  }
  for (const auto& route : gone) drop_scout(*route, now);
  if (here.routes.size() == 1) drop_scout(*here.routes[0], now);  // nobody who would come back to it is elsewhere
}

void session_manager::impl::let_go(const std::string& name, std::string_view why, time_point now) {
  const auto workers = accounts_.find(name)->second.workers;
  for (const auto id : workers) {
    auto* const worker = find(id);
    if (!worker) continue;
    if (!worker->is_connected()) {
      destroy(*worker, now);
      continue;
    }
    worker->show(why);
    worker_closes(*worker, close_reason::account_removed, {}, now);
  }
  // Another one may get this name, and have a lower revision.
  accounts_.erase(name);
}

}  // namespace stratumproxy::session
