#include "stratumproxy/metrics.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

namespace stratumproxy::metrics {
namespace {

template <class T, std::size_t N>
void add(std::array<T, N>& to, const std::array<T, N>& from) noexcept {
  std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<>{});
}

auto key(const pool_row& row) noexcept { return std::tuple<std::string_view>(row.pool); }
auto key(const route_row& row) noexcept { return std::tuple<std::string_view, std::size_t>(row.account, row.route); }
auto key(const total_row& row) noexcept {
  return std::tuple<std::string_view, std::string_view, std::string_view>(row.account, row.pool, row.algorithm);
}
auto key(const event_row& row) noexcept { return std::tuple(row.name, row.label, row.value); }

void add(pool_row& to, const pool_row& from) noexcept {
  add(to.links, from.links);
  add(to.shared_links, from.shared_links);
  to.connects += from.connects;
  to.drops += from.drops;
  to.refused_logins += from.refused_logins;
  to.protocol_errors += from.protocol_errors;
  add(to.rejected_here, from.rejected_here);
  to.held_back += from.held_back;
  to.unchecked += from.unchecked;
  add(to.switches, from.switches);
}
void add(route_row& to, const route_row& from) noexcept {
  if (to.is_usable) to.cause = from.cause;
  to.is_usable = to.is_usable && from.is_usable;
  to.workers += from.workers;
  to.work += from.work;
}
void add(total_row& to, const total_row& from) noexcept {
  to.shares += from.shares;
  to.worker_seconds += from.worker_seconds;
}
void add(event_row& to, const event_row& from) noexcept { to.count += from.count; }

template <class Row>
void merge_rows(std::vector<Row>& into, std::vector<Row>&& from, snapshot::pause between) {
  // The keys are views into the rows, which therefore must not move.
  into.reserve(into.size() + from.size());
  std::map<decltype(key(std::declval<const Row&>())), std::size_t> places;
  for (std::size_t i = 0; i < into.size(); ++i, between()) places.emplace(key(into[i]), i);
  for (Row& row : from) {
    between();
    if (const auto found = places.find(key(row)); found != places.end()) {
      add(into[found->second], row);
    } else {
      into.push_back(std::move(row));
      places.emplace(key(into.back()), into.size() - 1);
    }
  }
}

template <class Row>
void append_rows(std::vector<Row>& to, std::vector<Row>&& from, snapshot::pause between) {
  for (Row& row : from) {
    to.push_back(std::move(row));
    between();
  }
}

}  // namespace

std::string_view name(reject_reason reason) noexcept {
  switch (reason) {
    case reject_reason::stale: return "stale";
    case reject_reason::duplicate: return "duplicate";
    case reject_reason::low_difficulty: return "low_difficulty";
    case reject_reason::bad_time: return "bad_time";
    case reject_reason::bad_version: return "bad_version";
    case reject_reason::bad_extranonce: return "bad_extranonce";
    case reject_reason::malformed: return "malformed";
    case reject_reason::unauthorized: return "unauthorized";
    case reject_reason::no_pool: return "no_pool";
    case reject_reason::malformed_reply: return "malformed_reply";
    case reject_reason::other: return "other";
  }
  return "other";
}

std::string_view name(link_state state) noexcept {
  switch (state) {
    case link_state::waiting: return "waiting";
    case link_state::connecting: return "connecting";
    case link_state::handshaking: return "handshaking";
    case link_state::live: return "live";
    case link_state::silent: return "silent";
    case link_state::parked: return "parked";
    case link_state::failing: return "failing";
    case link_state::refused: return "refused";
  }
  return "waiting";
}

std::string_view name(switch_cause cause) noexcept {
  switch (cause) {
    case switch_cause::unreachable: return "unreachable";
    case switch_cause::lost: return "lost";
    case switch_cause::silent: return "silent";
    case switch_cause::refused: return "refused";
    case switch_cause::reject_storm: return "reject_storm";
    case switch_cause::returned: return "returned";
    case switch_cause::account_changed: return "account_changed";
    case switch_cause::slice: return "slice";
  }
  return "returned";
}

std::uint64_t share_counts::rejected_total() const noexcept {
  return std::accumulate(rejected.begin(), rejected.end(), std::uint64_t{0});
}

share_counts& share_counts::operator+=(const share_counts& other) noexcept {
  sent += other.sent;
  accepted += other.accepted;
  unknown += other.unknown;
  late += other.late;
  pool_accepted += other.pool_accepted;
  add(rejected, other.rejected);
  sent_one += other.sent_one;
  accepted_one += other.accepted_one;
  pool_accepted_one += other.pool_accepted_one;
  return *this;
}

void latency_histogram::observe(double seconds) noexcept {
  seconds = std::max(seconds, 0.0);
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), seconds);
  ++counts[static_cast<std::size_t>(bound - bounds.begin())];
  sum += seconds;
}

latency_histogram& latency_histogram::operator+=(const latency_histogram& other) noexcept {
  add(counts, other.counts);
  sum += other.sum;
  return *this;
}

void snapshot::merge(snapshot&& other, pause between) {
  append_rows(workers, std::move(other.workers), between);
  merge_rows(pools, std::move(other.pools), between);
  append_rows(links, std::move(other.links), between);
  merge_rows(routes, std::move(other.routes), between);
  merge_rows(totals, std::move(other.totals), between);
  merge_rows(events, std::move(other.events), between);
  round_trip += other.round_trip;
  connections += other.connections;
  kept_sessions += other.kept_sessions;
}

}  // namespace stratumproxy::metrics
