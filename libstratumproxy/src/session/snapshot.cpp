// What is shown of the shard. It is taken in pieces: no share should wait until ten thousand rows are copied.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "session/manager_impl.hpp"

namespace stratumproxy::session {
namespace {

constexpr std::size_t least_rows = 64;    // of a piece: some 0.1 ms
constexpr std::size_t most_pieces = 512;  // of a table: a shard without a free moment has to be done in time, too
constexpr std::size_t row_cost = 64;      // empty buckets that take as long

using table = partial_snapshot::table;

void go_on(partial_snapshot& to, table next) {
  to.next = next;
  to.bucket = 0;
}

void pay(std::size_t& left, std::size_t cost) { left -= std::min(left, cost); }

// The order of a hash table holds until it grows. After that nobody knows what was seen of it: `clear` is called, and it begins anew.
template <class Table, class Add, class Clear>
void add_buckets(partial_snapshot& to, const Table& all, table next, std::size_t& left, Add add, Clear clear) {
  if (to.bucket == 0) to.buckets = all.bucket_count();
  if (to.buckets != all.bucket_count()) {
    clear();
    return go_on(to, to.next);
  }
  for (; to.bucket < to.buckets && left > 0; ++to.bucket) {
    pay(left, 1);
    for (auto at = all.begin(to.bucket); at != all.end(to.bucket); ++at) {
      add(*at);
      pay(left, row_cost);
    }
  }
  if (to.bucket == to.buckets) go_on(to, next);
}

// An ordered one has its keys: from the first that is not among the rows.
template <class Iterator, class Add>
void add_range(partial_snapshot& to, Iterator from, Iterator end, table next, std::size_t& left, Add add) {
  for (; from != end && left > 0; ++from) {
    add(*from);
    pay(left, row_cost);
  }
  if (from == end) go_on(to, next);
}

}  // namespace

bool session_manager::impl::add_piece(partial_snapshot& to, time_point now) const {
  const auto longest = std::max({workers_.size(), endpoints_.size(), links_.size(), accounts_.size(), totals_.size()});
  for (std::size_t left = row_cost * std::max(least_rows, longest / most_pieces); left > 0 && to.next != table::none;)
    add_rows(to, left, now);
  return to.next == table::none;
}

// Workers come first: the totals are to have whatever is in their rows.
void session_manager::impl::add_rows(partial_snapshot& to, std::size_t& left, time_point now) const {
  auto& all = to.taken;
  const bool has_workers = to.what != metrics::scope::totals;
  switch (to.next) {
    case table::workers: {
      if (!has_workers) return go_on(to, table::pools);
      if (to.bucket == 0) {
        all.workers.reserve(workers_.size());
        to.newcomer = next_worker_;
      }
      // Not who came since: a worker that returns, as another one, would be in two rows.
      const auto add = [&](const auto& entry) {
        const auto& [id, worker] = entry;
        if (static_cast<std::uint64_t>(id) < to.newcomer && worker->owner) add_worker(to, *worker, now);
      };
      const auto clear = [&] {
        all.workers.clear();
        to.miners_at.clear();
      };
      return add_buckets(to, workers_, table::pools, left, add, clear);
    }
    case table::pools: {
      const auto from = all.pools.empty() ? endpoints_.begin() : endpoints_.upper_bound(all.pools.back().pool);
      return add_range(to, from, endpoints_.end(), table::links, left, [&](const auto& entry) { add_pool(all, entry.first, entry.second); });
    }
    case table::links: {
      const auto clear = [&] {
        all.links.clear();
        for (auto& row : all.pools) row.links = row.shared_links = {};
      };
      return add_buckets(to, links_, table::accounts, left, [&](const auto& entry) { add_link(to, *entry.second); }, clear);
    }
    case table::accounts: {
      if (!has_workers) return go_on(to, table::totals);
      const auto add = [&](const auto& entry) { add_routes(to, entry.second); };
      return add_buckets(to, accounts_, table::totals, left, add, [&] { all.routes.clear(); });
    }
    case table::totals: {
      const auto key_of = [](const metrics::total_row& row) { return std::tuple(row.account, row.pool, row.algorithm); };
      const auto from = all.totals.empty() ? totals_.begin() : totals_.upper_bound(key_of(all.totals.back()));
      return add_range(to, from, totals_.end(), table::rest, left, [&](const auto& entry) {
        const auto& [account_name, pool, algorithm] = entry.first;
        all.totals.push_back({.account = account_name, .pool = pool, .algorithm = algorithm, .shares = *entry.second,
                              .worker_seconds = entry.second->worker_seconds});
      });
    }
    case table::rest:
      add_rest(all);
      return go_on(to, table::none);
    case table::none: return;
  }
}

// A row for each pool that it comes back to.
void session_manager::impl::add_worker(partial_snapshot& to, const downstream_session& worker, time_point now) const {
  const auto seconds = [](duration time) { return std::chrono::duration<double>(time).count(); };
  const auto last_share = worker.last_share();
  const auto add = [&](const upstream_session* link, const worker_work* work, bool is_current) {
    const auto& pool = link ? link->route().pool : worker.owner->routes.front().pool;
    const bool has_best = work && work->best_hash != algorithm::uint256::max();
    to.taken.workers.push_back({.address = worker.peer(), .account = worker.owner->name, .rig = worker.rig, .agent = worker.agent(),
                                .algorithm = pool.algorithm, .pool = link ? link->pool_name() : pool.name(),
                                .session = worker.short_session(), .up = worker.is_connected(), .is_current = is_current,
                                .difficulty = worker.told_difficulty, .hashrate = work ? work->window.hashrate(now) : 0,
                                .version_mask = worker.told_mask,
                                .mark = worker.told_extranonce1 == worker.mark ? worker.mark : std::string(),
                                .miner_bytes = worker.told_extranonce2_size,
                                .connected_seconds = seconds((worker.is_connected() ? now : worker.left_at) - worker.accepted_at),
                                .last_share_seconds = last_share ? std::optional(seconds(now - *last_share)) : std::nullopt,
                                .kept_seconds = worker.is_connected() ? 0 : seconds(now - worker.left_at),
                                .expires_seconds = worker.is_connected() ? 0 : seconds(std::max(worker.left_at + shard_.config.session.grace - now, duration{0})),
                                .best_share = has_best ? algorithm::difficulty_of(work->best_hash, pool.divider) : 0,
                                .shares = work ? work->shares : metrics::share_counts{}});
  };
  const auto link = worker.link ? links_.find(*worker.link) : links_.end();
  add(link != links_.end() ? link->second.get() : nullptr, worker.work(), true);
  if (link != links_.end() && worker.is_connected() && worker.owner->routes.size() > 1) ++to.miners_at[link->second->at];
  for (const auto& other : worker.others()) {
    const auto away = other.work ? links_.find(other.link) : links_.end();
    if (away != links_.end()) add(away->second.get(), other.work.get(), false);
  }
}

void session_manager::impl::add_pool(metrics::snapshot& all, const std::string& pool_name, const endpoint& pool) const {
  all.pools.push_back({.pool = pool_name, .algorithm = pool.algorithm, .divider = pool.divider, .links = {},
                       .shared_links = {}, .connects = pool.connects, .drops = pool.drops,
                       .refused_logins = pool.refused_logins, .protocol_errors = pool.protocol_errors,
                       .rejected_here = pool.rejected_here, .held_back = pool.held_back, .unchecked = pool.unchecked,
                       .switches = pool.switches});
}

void session_manager::impl::add_link(partial_snapshot& to, const upstream_session& link) const {
  // The rows are in the order of the endpoints. A link whose pool has none came with it, since.
  auto& pools = to.taken.pools;
  const auto row = std::lower_bound(pools.begin(), pools.end(), link.pool_name(),
                                    [](const metrics::pool_row& r, const std::string& pool) { return r.pool < pool; });
  if (row == pools.end() || row->pool != link.pool_name()) return;
  ++(link.is_shared() ? row->shared_links : row->links)[static_cast<std::size_t>(link.state())];
  const bool is_shown = to.what == metrics::scope::all_links || (link.is_shared() && to.what == metrics::scope::everything);
  if (!is_shown) return;
  const auto here = accounts_.find(link.owner()->name);
  to.taken.links.push_back({.link = static_cast<std::uint64_t>(link.id()) * settings_.shards + settings_.shard,
                            .pool = link.pool_name(), .account = link.owner()->name,
                            .route = here != accounts_.end() ? here->second.position(*link.at) : std::nullopt,
                            .is_shared = link.is_shared(), .state = link.state(), .workers = link.workers().size(),
                            .limit = link.max_workers(), .difficulty = link.difficulty(), .round_trip = link.round_trip(),
                            .fault = link.fault});
}

void session_manager::impl::add_routes(partial_snapshot& to, const account_state& here) const {
  if (here.routes.size() == 1) return;
  for (std::size_t route = 0; route < here.routes.size(); ++route) {
    const auto& state = *here.routes[route];
    const auto& its_route = here.owner->routes[route];
    const auto miners = to.miners_at.find(here.routes[route]);
    to.taken.routes.push_back({.account = here.owner->name, .pool = its_route.pool.name(), .route = route,
                               .weight = its_route.weight, .is_usable = state.health.is_sound(), .cause = state.health.cause(),
                               .workers = miners != to.miners_at.end() ? miners->second : 0, .work = state.work});
  }
}

void session_manager::impl::add_rest(metrics::snapshot& all) const {
  all.connections = workers_.size() - kept_count_;
  all.kept_sessions = kept_count_;
  const auto& events = shard_.events;
  for (std::size_t i = 0; i < happenings; ++i) {
    all.events.push_back({.name = name(static_cast<happening>(i)), .label = {}, .value = {}, .count = events.happened[i]});
  }
  for (std::size_t i = 0; i < close_reasons; ++i) {
    const auto reason = name(static_cast<close_reason>(i));
    if (events.miners_closed[i] > 0)
      all.events.push_back({.name = "connections_closed", .label = "reason", .value = reason, .count = events.miners_closed[i]});
    if (events.pools_closed[i] > 0)
      all.events.push_back({.name = "links_closed", .label = "reason", .value = reason, .count = events.pools_closed[i]});
  }
  all.round_trip = round_trip_;
}

}  // namespace stratumproxy::session
