// Which route of its account a worker mines on: its home, or another while that is of no use, and back again.
#include <algorithm>
#include <cmath>
#include <utility>

#include "session/manager_impl.hpp"

namespace stratumproxy::session {

using cause = metrics::switch_cause;

// ---- where a worker should mine ----------------------------------------------------------------------------------------

// Whether a worker may stay on the link that it has.
bool session_manager::impl::serves(const downstream_session& worker, const upstream_session& link, time_point now) const {
  if (link.at->health.is_stormy() || link.is_silent()) return false;
  if (link.is_live()) return true;
  const bool is_hopeful = link.at->health.is_sound() && link.state() != metrics::link_state::refused && link.at->gate.is_open(now);
  return is_hopeful && now - std::max(std::min(worker.idle_since, now), worker.came_at) < shard_.config.failover.patience;
}

// Whether it needs no new connection to go there.
bool session_manager::impl::has_link_for(const downstream_session& worker, const route_state& route) const {
  const auto works = [&](link_id id, auto is_for_it) {
    const auto link = links_.find(id);
    return link != links_.end() && link->second->at.get() == &route && link->second->has_work() && is_for_it(*link->second);
  };
  for (const auto& other : worker.others()) {
    if (works(other.link, [&](const upstream_session& link) { return link.has(worker.id()); })) return true;
  }
  if (route.scout && works(*route.scout, [](const upstream_session&) { return true; })) return true;
  // Shared links of a route are few, those of the workers' own are not for others.
  for (const auto id : route.links) {
    const auto& link = *links_.find(id)->second;
    if (!link.is_shared()) return false;
    if (link.has_work() && link.has_room()) return true;
  }
  return false;
}

// Whether one that is elsewhere may come.
bool session_manager::impl::may_go(const account_state& here, std::size_t route, const downstream_session& worker, time_point now) const {
  const auto& state = *here.routes[route];
  if (!state.health.is_sound() || !(state.gate.is_open(now) || has_link_for(worker, state))) return false;
  if (refusals_.empty()) return true;
  const auto& its_route = here.owner->routes[route];
  const auto credential = upstream_session::credential_of(its_route);
  return !refusals_.fresh(credential, now) && !refusals_.fresh(credential + '\n' + login_for(worker, its_route), now);
}

std::size_t session_manager::impl::choose(const account_state& here, const downstream_session& worker, time_point now) {
  if (here.routes.size() == 1) return 0;
  const auto* const link = find(worker.link);
  const auto at = link ? here.position(*link->at) : std::nullopt;
  const auto is_good = [&](std::size_t route) { return route == at ? serves(worker, *link, now) : may_go(here, route, worker, now); };
  if (is_good(worker.home)) return worker.home;
  for (const bool weighted : {true, false}) {
    for (std::size_t route = 0; route < here.routes.size(); ++route) {
      if ((here.owner->routes[route].weight > 0) == weighted && is_good(route)) return route;
    }
  }
  // Nothing is as it should be. Any connection is better than none.
  if (at && link->is_live()) return *at;
  for (std::size_t route = 0; route < here.routes.size(); ++route) {
    if (route != at && here.routes[route]->live > 0) return route;
  }
  return at.value_or(worker.home);
}

cause session_manager::impl::cause_to_leave(const account_state& here, const upstream_session& link, const route_state& to) const {
  if (!here.position(*link.at)) return cause::account_changed;
  const auto& health = link.at->health;
  if (!link.is_live()) return health.is_sound() ? cause::lost : health.cause();
  if (link.is_silent()) return cause::silent;
  if (health.is_stormy()) return cause::reject_storm;
  return here.has_slices(*link.at) && here.has_slices(to) ? cause::slice : cause::returned;
}

// ---- its way there -----------------------------------------------------------------------------------------------------

void session_manager::impl::steer(downstream_session& worker, time_point now, std::optional<cause> because) {
  if (is_draining_ || !worker.is_connected() || !worker.owner) return;
  auto* const link = find(worker.link);
  if (!link) return find_link(worker, now);
  auto& here = state_of(worker);
  const auto to = choose(here, worker, now);
  const auto& route = here.routes[to];
  if (route == link->at) return drop_next(worker, now);
  if (const auto* const next = find(worker.next_link); next && next->at == route) return;
  drop_next(worker, now);
  const auto why = because.value_or(cause_to_leave(here, *link, *route));
  if (why == cause::lost) route_failed(*link, why, now);
  auto& there = link_on(worker, here, to, now);
  // It works on until there is work for it elsewhere, but not for a pool that its account has no more.
  if (there.has_work() || !link->is_live() || !here.position(*link->at)) {
    mine_on(worker, there, why, now);
  } else {
    // Its first job there must not be one without version bits because whoever opened the link rolls none.
    if (worker.version_rolling) there.request_version_rolling(now);
    worker.next_link = there.id();
    worker.next_cause = why;
  }
  connect_waiting(endpoint_of(there), now);
}

// Also those that wait for it.
void session_manager::impl::steer_all(upstream_session& link, time_point now) {
  tell_members(link, [&](downstream_session& worker) {
    if (worker.link == link.id() || worker.next_link == link.id()) steer(worker, now);
  });
}

void session_manager::impl::drop_next(downstream_session& worker, time_point now) {
  if (auto* const next = find(std::exchange(worker.next_link, std::nullopt))) leave(worker, *next, now);
}

// ---- routes ------------------------------------------------------------------------------------------------------------

void session_manager::impl::route_failed(upstream_session& link, cause why, time_point now) {
  auto& health = link.at->health;
  const bool is_news = health.is_sound();
  health.failed(why, now);
  const auto account = accounts_.find(link.owner()->name);
  const bool has_others = account != accounts_.end() && account->second.routes.size() > 1;
  if (is_news && has_others) log_link(log_level::warning, "route_failed", link, name(why));
}

void session_manager::impl::sweep_route(account_state& here, std::size_t route, time_point now) {
  auto& state = *here.routes[route];
  if (state.health.is_sound()) return;
  for (std::size_t i = 0; state.live > 0 && i < state.links.size(); ++i) {
    const auto& link = *find(state.links[i]);
    if (!link.has_work()) continue;
    state.health.works(link.works_since(), now);
    if (state.health.is_sound()) log_link(log_level::info, "route_sound", link, {});
    break;
  }
  if (auto* const scout = find(state.scout)) {
    // Whoever comes back first takes it.
    scout->closes_at.reset();
    if (state.health.is_sound()) scout->closes_at = now + shard_.config.upstream.empty_link;
  } else if (state.links.empty() && here.routes.size() > 1) {
    auto& made = open_link(*find(here.workers.front()), here, route, rules_for(*here.owner, here.owner->routes[route], shard_.algorithms), now);
    state.scout = made.id();
    if (rolls_versions(here)) made.request_version_rolling(now);
    connect_waiting(endpoint_of(made), now);
  }
}

void session_manager::impl::sweep_account(account_state& here, time_point now) {
  if (here.workers.empty()) return;
  for (std::size_t route = 0; route < here.routes.size(); ++route) sweep_route(here, route, now);
  if (here.split) plan_slices(here, now);
}

// ---- weights -----------------------------------------------------------------------------------------------------------

std::vector<hashrate_split::worker> session_manager::impl::split_workers(const account_state& here, time_point now) const {
  std::vector<hashrate_split::worker> workers;
  workers.reserve(here.workers.size());
  for (const auto id : here.workers) {
    const auto& worker = *workers_.find(id)->second;
    // Whoever has a pool's own extranonce would have to be disconnected for each slice.
    const bool can_move = worker.told_extranonce1 == worker.mark || worker.extranonce_subscribed;
    if (!worker.is_connected() || !can_move) continue;
    workers.push_back({.id = id, .rate = std::ldexp(worker.hashrate(now), -32), .route = worker.home, .since = worker.came_at});
  }
  return workers;
}

std::uint32_t session_manager::impl::home_for(account_state& here, worker_id worker, time_point now) {
  if (!here.split) return static_cast<std::uint32_t>(here.first);
  const auto home = here.split->place(here.roster).value_or(here.first);
  here.roster.push_back({.id = worker, .rate = 0, .route = home, .since = now});
  return static_cast<std::uint32_t>(home);
}

void session_manager::impl::plan_slices(account_state& here, time_point now) {
  for (std::size_t route = 0; route < here.routes.size(); ++route) {
    auto& state = *here.routes[route];
    here.split->add_work(route, state.work - std::exchange(state.known_work, state.work));
    here.split->set_usable(route, state.health.is_sound() && (state.live > 0 || state.gate.is_open(now)));
  }
  std::vector<hashrate_split::move> moves;
  here.roster = split_workers(here, now);
  here.split->plan(here.roster, now, moves);
  // All know where to go before anybody moves.
  for (const auto& move : moves) {
    auto& worker = *find(move.id);
    worker.home = static_cast<std::uint32_t>(move.to);
    worker.came_at = now;
  }
  for (const auto& move : moves) {
    if (auto* const worker = find(move.id)) steer(*worker, now);
  }
}

}  // namespace stratumproxy::session
