// Between workers and links: which link a worker mines on, what of it the worker hears, and what becomes of shares.
#include <algorithm>
#include <utility>

#include "session/login.hpp"
#include "session/manager_impl.hpp"

namespace stratumproxy::session {
namespace {

using outcome = metrics::share_record::verdict;

constexpr std::size_t max_chain = 400;  // bytes of the agent

// "stratumproxy/0.1.0 (a b)": the instances that are before this one, so that a loop through several proxies is seen,
// as long as their names fit into the agent.
[[nodiscard]] std::string chain_of(const std::string& agent) {
  if (!agent.starts_with("stratumproxy/")) return {};
  const auto begin = agent.find('('), end = agent.find(')');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return {};
  std::string chain(" ");
  return chain.append(agent, begin + 1, std::min(end - begin - 1, max_chain));
}

}  // namespace

// ---- links and their pools -------------------------------------------------------------------------------------------

session_manager::impl::endpoint& session_manager::impl::endpoint_of(const pool_info& pool) {
  const auto name = pool.name();
  const auto found = endpoints_.find(name);
  auto& row = found != endpoints_.end()
                  ? found->second
                  : endpoints_.emplace(name, endpoint{.gate = pool_gate(shard_.config.upstream, shard_.random)}).first->second;
  row.algorithm = pool.algorithm;
  row.divider = pool.divider;
  return row;
}

session_manager::impl::endpoint& session_manager::impl::endpoint_of(const upstream_session& link) {
  return endpoints_.find(link.pool_name())->second;
}

total_counts* session_manager::impl::totals_of(const account& owner, const pool_info& pool) {
  auto& row = totals_[{owner.name, pool.name(), pool.algorithm}];
  if (!row) row = std::make_unique<total_counts>();
  return row.get();
}

bool session_manager::impl::enter(downstream_session& worker, upstream_session& link) {
  if (!link.enter(worker.id(), worker.told_extranonce1, worker.told_extranonce2_size)) return false;
  link.closes_at.reset();
  if (link.at->scout == link.id()) link.at->scout.reset();
  return true;
}

// It has entered the link.
void session_manager::impl::attach(downstream_session& worker, upstream_session& link, time_point now) {
  worker.link = link.id();
  if (link.is_live()) worker.idle_since = time_point::max();
  else worker.idle_since = std::min(worker.idle_since, now);
  worker.totals = link.totals;
  if (tap_ && worker.channel()) tap_->miner_attached(*worker.channel(), link.route().password);
  worker.divider = link.route().pool.divider;
  worker.take_rules(link, now);
  const bool has_login = link.is_shared() && link.rules().rig_logins && !worker.rig.empty();
  worker.pool_login = has_login ? link.add_login(login_for(worker, link.route()), now) : 0;
}

std::string session_manager::impl::login_for(const downstream_session& worker, const account_route& route) {
  return pool_login(route.pool.login_template, route.user, worker.owner->name, worker.rig);
}

// Miners behind one address are hard to tell apart: the session that one of them took over may have been another rig's.
void session_manager::impl::take_login(upstream_session& link, const downstream_session& worker, time_point now) {
  if (!link.is_shared()) link.change_login(login_for(worker, link.route()), now);
}

void session_manager::impl::find_link(downstream_session& worker, time_point now) {
  auto& here = state_of(worker);
  auto& link = link_on(worker, here, choose(here, worker, now), now);
  mine_on(worker, link, metrics::switch_cause::returned, now);
  connect_waiting(endpoint_of(link), now);
}

upstream_session& session_manager::impl::link_on(downstream_session& worker, account_state& here, std::size_t route, time_point now) {
  auto& state = *here.routes[route];
  for (const auto& other : worker.others()) {
    auto* const link = find(other.link);
    if (link && link->at.get() == &state && link->has(worker.id())) return *link;
  }
  auto rules = rules_for(*here.owner, here.owner->routes[route], shard_.algorithms);
  if (rules.mode == link_mode::shared) {
    // New workers fill the links, so that few are used.
    auto& shared = state.links;
    std::sort(shared.begin(), shared.end(), [&](link_id a, link_id b) { return find(a)->workers().size() > find(b)->workers().size(); });
    for (const auto id : shared) {
      auto& link = *find(id);
      if (!link.is_shared() || link.is_silent()) continue;
      const auto size = link.extranonce2_size();
      // Its own extranonce2 is too short for lanes: nobody else can mine where it does.
      if (size != 0 && size < worker.told_extranonce1.size() / 2 + worker.told_extranonce2_size) rules.mode = link_mode::dedicated;
      if (rules.mode == link_mode::dedicated) break;
      if (enter(worker, link)) return link;
    }
  }
  // Without a lane of its own it would repeat what was searched there before.
  auto* const scout = find(state.scout);
  const bool has_lane = scout && worker.is_subscribed() && scout->extranonce2_size() >= worker.told_extranonce1.size() / 2 + worker.told_extranonce2_size;
  if (has_lane && !scout->is_shared() && scout->workers().empty() && enter(worker, *scout)) return *scout;
  auto& link = open_link(worker, here, route, rules, now);
  (void)enter(worker, link);  // it is the first
  return link;
}

upstream_session& session_manager::impl::open_link(const downstream_session& worker, account_state& here, std::size_t route,
                                                   const mining_rules& rules, time_point now) {
  const auto& owner = here.owner;
  const auto& its_route = owner->routes[route];
  const link_id id{next_link_++};
  const bool is_shared = rules.mode == link_mode::shared;
  auto login = is_shared ? pool_login(its_route.pool.login_template, its_route.user, owner->name, {}) : login_for(worker, its_route);
  auto& pool = endpoint_of(its_route.pool);
  auto& link = *(links_[id] = std::make_unique<upstream_session>(id, owner, route, here.routes[route], rules, std::move(login),
                                                                 pool.last_job, shard_, *this));
  link.at->links.push_back(id);
  link.agent_chain = chain_of(worker.agent());
  link.totals = totals_of(*owner, its_route.pool);
  if (worker.version_rolling || (is_shared && rolls_versions(here))) link.request_version_rolling(now);
  pool.gate.want(id, now);
  return link;
}

// Who comes to a link of others should not be told that nothing may be rolled, and a moment later that it may.
bool session_manager::impl::rolls_versions(const account_state& here) const {
  return std::any_of(here.workers.begin(), here.workers.end(), [&](worker_id id) { return workers_.find(id)->second->version_rolling; });
}

void session_manager::impl::mine_on(downstream_session& worker, upstream_session& link, metrics::switch_cause why, time_point now) {
  auto* const from = find(worker.link);
  if (worker.next_link == link.id()) worker.next_link.reset();
  drop_next(worker, now);
  const auto& here = state_of(worker);
  const bool is_other = from && from->at != link.at;
  const bool comes_back = is_other && here.has_slices(*from->at) && here.has_slices(*link.at);
  worker.forget_others([&](const other_link& other) { return find(other.link) == nullptr; });
  worker.go_to(link.id(), from && from->pool_name() == link.pool_name(), comes_back);
  worker.came_at = now;
  attach(worker, link, now);
  if (is_other) ++endpoint_of(*from).switches[static_cast<std::size_t>(why)];
  if (from && !comes_back) leave(worker, *from, now);
  take_login(link, worker, now);
  worker_wishes(worker, now);
  if (link.current_job()) worker.give_job(link, job_cause::moved, now);
}

void session_manager::impl::connect_waiting(endpoint& pool, time_point now) {
  while (const auto next = pool.gate.next(now)) {
    auto* const link = find(*next);
    if (!link) {
      pool.gate.forget(*next);
      continue;
    }
    if (!refusals_.may_try(link->refusal_key, link->id(), now)) {
      // Another link tries this login; the sweep asks again for this one.
      pool.gate.forget(*next);
      link->wait_for_refusal();
      const auto* const words = refusals_.fresh(link->refusal_key, now);
      const auto text = words ? std::string("the pool refused the login: ").append(*words) : "the pool refused the login";
      steer_all(*link, now);
      tell_workers(*link, [&](downstream_session& worker) { worker.show(text); });
      continue;
    }
    ++pool.connects;
    const auto channel = new_channel();
    channels_[channel] = {nullptr, link};
    link->connecting(channel, now);
    if (tap_) {
      const auto* const worker = worker_of(*link);
      const auto session = worker && worker->is_subscribed() ? worker->session.text() : std::string();
      tap_->link_connects(channel, {.link = static_cast<std::uint64_t>(link->id()) * settings_.shards + settings_.shard,
                                    .worker = worker ? worker->channel().value_or(channel_id{}) : channel_id{},
                                    .session = session,
                                    .owner = *link->owner(), .route = link->route()});
    }
    shard_.host.connect(channel, link->take_destination());
  }
}

void session_manager::impl::leave(downstream_session& worker, upstream_session& link, time_point now) {
  link.leave(worker.id());
  if (auto* const other = worker.find_other(link.id())) other->work.reset();
  if (link.workers().empty()) retire(link, now);
}

void session_manager::impl::retire(upstream_session& link, time_point now) {
  const auto account = accounts_.find(link.owner()->name);
  const bool has_others = account != accounts_.end() && !account->second.workers.empty() && account->second.routes.size() > 1;
  if (has_others && account->second.position(*link.at) && !link.at->health.is_sound() && !link.at->scout) {
    link.at->scout = link.id();
  }
  if (link.at->scout == link.id()) return;
  if (!link.is_live()) return destroy(link, now);
  const auto& config = shard_.config.upstream;
  link.closes_at = now + (link.is_shared() ? config.empty_link : config.share_wait);
}

void session_manager::impl::destroy(upstream_session& link, time_point now) {
  const auto owned = links_.find(link.id());
  if (owned == links_.end()) return;
  auto& pool = endpoint_of(link);
  pool.gate.forget(link.id());
  refusals_.give_up(link.refusal_key, link.id());
  if (const auto channel = link.channel()) {
    ++shard_.events.pools_closed[static_cast<std::size_t>(close_reason::not_needed)];
    channels_.erase(*channel);
    shard_.host.close(*channel, close_reason::not_needed);
  }
  link.lost(now);
  link.reject_parked("job not found", now);
  link.reject_checking("job not found", now);
  std::erase(link.at->links, link.id());
  if (link.at->scout == link.id()) link.at->scout.reset();
  dead_links_.push_back(std::move(owned->second));
  links_.erase(owned);
}

// ---- what links say --------------------------------------------------------------------------------------------------

downstream_session* session_manager::impl::worker_of(const upstream_session& link) {
  return link.is_shared() || link.workers().empty() ? nullptr : find(link.workers().front());
}

void session_manager::impl::link_live(upstream_session& link, time_point now) {
  auto& pool = endpoint_of(link);
  pool.gate.succeeded(link.id(), now);
  refusals_.accepted(link.credential());
  refusals_.accepted(link.full_credential());
  if (std::exchange(pool.said_down, false)) log_link(log_level::info, "pool_back", link, {});
  log_link(log_level::debug, "link_live", link, {});
  link.is_renewed = true;
  link.is_outage_told = false;
  link.fault.clear();
  tell_workers(link, [](downstream_session& worker) { worker.idle_since = time_point::max(); });
  give_current_job(link, now);
}

// Whoever finds no lane on the link any more mines on another one.
void session_manager::impl::link_layout(upstream_session& link, time_point now) {
  tell_members(link, [&](downstream_session& worker) {
    if (enter(worker, link)) return;
    if (worker.next_link == link.id()) worker.next_link.reset();
    if (worker.link != link.id()) return leave(worker, link, now);
    worker.link.reset();
    find_link(worker, now);
  });
  if (link.workers().empty()) retire(link, now);
}

void session_manager::impl::give_current_job(upstream_session& link, time_point now) {
  if (!link.current_job()) return;
  link.is_renewed = false;
  shard_.lines.clear();
  tell_members(link, [&](downstream_session& worker) {
    if (worker.link == link.id()) return worker.give_job(link, job_cause::moved, now);
    if (worker.next_link == link.id()) mine_on(worker, link, worker.next_cause, now);
  });
}

void session_manager::impl::link_job(upstream_session& link, bool repeated, time_point now) {
  if (link.is_renewed) return give_current_job(link, now);
  shard_.lines.clear();
  tell_workers(link, [&](downstream_session& worker) {
    if (repeated) return worker.give_job_again(link, link.current_job()->clean, now);
    worker.give_job(link, job_cause::pushed, now);
  });
}

// A worker that has a difficulty of its own hears of it with its next job.
void session_manager::impl::link_difficulty(upstream_session& link, time_point now) {
  tell_workers(link, [&](downstream_session& worker) {
    if (link.rules().has_vardiff) return (void)worker.retune(link, now);
    worker.give_difficulty(link, now);
  });
}

void session_manager::impl::link_mask(upstream_session& link, time_point now) {
  tell_workers(link, [&](downstream_session& worker) { worker.give_mask(link, now); });
}

void session_manager::impl::link_message(upstream_session& link, std::string_view text) {
  log_link(log_level::info, "pool_message", link, text);
  tell_workers(link, [&](downstream_session& worker) { worker.show(text); });
}

void session_manager::impl::link_failed(upstream_session& link, close_reason reason, std::string_view detail,
                                        time_point now) {
  const auto channel = link.channel();
  if (!channel) return;
  channels_.erase(*channel);
  shard_.host.close(*channel, reason);
  link_lost(link, reason, detail, now);
}

void session_manager::impl::link_lost(upstream_session& link, close_reason reason, std::string_view detail, time_point now) {
  auto& pool = endpoint_of(link);
  ++shard_.events.pools_closed[static_cast<std::size_t>(reason)];
  if (reason == close_reason::protocol_error || reason == close_reason::line_too_long) ++pool.protocol_errors;
  const bool was_live = link.is_live();
  const bool was_stable = was_live && now - link.live_since() >= upstream_session::stable_after;
  if (was_live) ++pool.drops;
  link.lost(now);
  link.fault = words_for(reason, detail);
  refusals_.give_up(link.refusal_key, link.id());
  const bool is_wanted = !link.workers().empty() || link.at->scout == link.id();
  // Verdicts that never came on a link that nobody mines on any more are of a silence that is known.
  const bool is_known = reason == close_reason::pool_silent && !is_wanted;
  const bool is_silent = reason == close_reason::pool_silent && !is_known;
  const bool is_bad = !was_stable && reason != close_reason::reconnect_asked && !is_known;
  if (is_bad) pool.gate.failed(link.id(), now);
  if (is_silent) route_failed(link, metrics::switch_cause::silent, now);
  else if (is_bad) route_failed(link, metrics::switch_cause::unreachable, now);
  if ((is_bad || is_silent) && !std::exchange(pool.said_down, true)) {
    log_link(log_level::warning, "pool_down", link, words_for(reason, detail));
  }
  log_link(was_live ? log_level::info : log_level::debug, "link_lost", link, words_for(reason, detail));
  if (!is_wanted || is_draining_) return destroy(link, now);
  pool.gate.forget(link.id());  // it may have been the one to probe, and was sent elsewhere
  pool.gate.want(link.id(), now);
  connect_waiting(pool, now);
  tell_workers(link, [&](downstream_session& worker) { worker.idle_since = std::min(worker.idle_since, now); });
  steer_all(link, now);
  if ((is_bad || is_silent) && !std::exchange(link.is_outage_told, true)) {
    const auto text = "the pool " + link.pool_name() + " cannot be reached (" + std::string(name(reason)) + "), trying again";
    tell_workers(link, [&](downstream_session& worker) { worker.show(text); });
  }
}

void session_manager::impl::link_refused(upstream_session& link, std::string_view text, time_point now) {
  auto& pool = endpoint_of(link);
  ++pool.refused_logins;
  ++shard_.events.pools_closed[static_cast<std::size_t>(close_reason::refused)];
  pool.gate.succeeded(link.id(), now);  // it can be reached
  // Where another rig of the same account is live, the pool does not refuse the account but this rig.
  const bool only_this = std::any_of(links_.begin(), links_.end(), [&](const auto& entry) {
    return entry.second->is_live() && entry.second->credential() == link.credential();
  });
  link.refusal_key = only_this ? link.full_credential() : link.credential();
  const bool is_news = !refusals_.fresh(link.refusal_key, now);
  refusals_.refused(link.refusal_key, std::string(text), now);
  if (is_news) log_link(log_level::warning, "login_refused", link, text);
  const auto channel = *link.channel();
  channels_.erase(channel);
  shard_.host.close(channel, close_reason::refused);
  link.lost(now);
  link.fault = words_for(close_reason::refused, text);
  if (!only_this) route_failed(link, metrics::switch_cause::refused, now);
  const bool is_wanted = !link.workers().empty() || link.at->scout == link.id();
  if (!is_wanted) return destroy(link, now);
  steer_all(link, now);
  tell_workers(link, [&](downstream_session& worker) { worker.show("the pool refused the login: " + std::string(text)); });
}

void session_manager::impl::link_silent(upstream_session& link, time_point now) {
  route_failed(link, metrics::switch_cause::silent, now);
  steer_all(link, now);
}

// ---- shares ----------------------------------------------------------------------------------------------------------

upstream_session* session_manager::impl::link_of_job(downstream_session& worker, std::uint64_t job) {
  const auto has_it = [&](std::optional<link_id> id) {
    auto* const link = find(id);
    return link && link->jobs().find(job) ? link : nullptr;
  };
  auto* found = has_it(worker.link);
  for (auto other = worker.others().rbegin(); !found && other != worker.others().rend(); ++other) found = has_it(other->link);
  return found;
}

void session_manager::impl::link_verdict(upstream_session& link, const judged_share& share, const verdict& how,
                                         time_point now) {
  const double divider = link.route().pool.divider;
  const double one = share.difficulty / divider;
  auto& totals = *link.totals;
  switch (how.outcome) {
    case outcome::accepted:
      link.at->work += one;
      ++totals.accepted;
      totals.accepted_one += one;
      if (how.is_local) {
        ++endpoint_of(link).held_back;
      } else {
        ++totals.pool_accepted;
        totals.pool_accepted_one += share.pool_difficulty / divider;
      }
      break;
    case outcome::rejected:
      ++totals.rejected[static_cast<std::size_t>(how.reason)];
      if (how.is_local) ++endpoint_of(link).rejected_here[static_cast<std::size_t>(how.reason)];
      break;
    case outcome::unknown: ++totals.unknown; break;
  }
  // A miner that repeats itself tells nothing about the pool. Its workers go at their next turn.
  const bool is_telling = !how.is_local && how.outcome != outcome::unknown && how.reason != metrics::reject_reason::duplicate;
  if (is_telling && link.at->health.is_storm_after(how.outcome == outcome::accepted)) {
    route_failed(link, metrics::switch_cause::reject_storm, now);
  }
  const auto round_trip = now - share.received;
  if (how.outcome != outcome::unknown && !how.is_local) round_trip_.observe(std::chrono::duration<double>(round_trip).count());

  auto* const worker = find(share.worker);
  auto* const heir = worker ? worker : worker_of(link);
  if (shard_.sink) report(link.owner()->name, link.route().pool, link.pool_name(), heir, how, share.difficulty, round_trip);
  if (!heir) return;
  if (!worker && how.outcome == outcome::accepted) heir->add_work(link.id(), one, now);  // found before it came back
  if (!worker) return;
  const bool waited = worker->must_wait();
  worker->share_verdict(share, how, link.id(), divider, now);
  if (worker->take_retuned() && worker->link == link.id()) worker->give_job(link, job_cause::eased, now);
  if (waited || is_draining_ || worker->is_ending) to_resume_.push_back(worker->id());
}

void session_manager::impl::link_proof(upstream_session& link, const judged_share& share, const algorithm::proof& proof) {
  auto* const worker = find(share.worker);
  if (worker && worker->link == link.id()) worker->share_proven(proof.hash);
  if (proof.is_block) log_link(log_level::info, "block_found", link, worker ? std::string_view(worker->peer()) : std::string_view{});
}

std::optional<check_id> session_manager::impl::link_check(upstream_session& link, proof_request what) {
  const check_id id{next_check_};
  if (!shard_.host.check_share(id, std::move(what))) return std::nullopt;
  ++next_check_;
  checks_.emplace(id, link.id());
  return id;
}

void session_manager::impl::link_unchecked(upstream_session& link) { ++endpoint_of(link).unchecked; }

void session_manager::impl::link_late_verdict(upstream_session& link) {
  ++link.totals->late;
  if (auto* const worker = worker_of(link)) worker->add_late();
}

void session_manager::impl::share_ended(downstream_session& worker, const verdict& how, double difficulty,
                                        duration round_trip) {
  const auto* const link = find(worker.link);
  if (link && how.outcome == outcome::rejected) ++endpoint_of(*link).rejected_here[static_cast<std::size_t>(how.reason)];
  if (!shard_.sink || !worker.owner) return;
  const auto& pool = link ? link->route().pool : worker.owner->routes.front().pool;
  report(worker.owner->name, pool, pool.name(), &worker, how, difficulty, round_trip);
}

void session_manager::impl::report(const std::string& account, const pool_info& pool, const std::string& pool_name,
                                   const downstream_session* worker, const verdict& how, double difficulty,
                                   duration round_trip) {
  shard_.sink->on_share({.outcome = how.outcome, .reason = how.reason, .account = account,
                         .rig = worker ? std::string_view(worker->rig) : std::string_view{},
                         .worker = worker ? std::string_view(worker->peer()) : std::string_view{},
                         .algorithm = pool.algorithm, .pool = pool_name, .difficulty = difficulty,
                         .divider = pool.divider, .round_trip = round_trip});
}

void session_manager::impl::log_link(log_level level, std::string_view event, const upstream_session& link,
                                     std::string_view detail) const {
  const auto worker = link.is_shared() || link.workers().empty() ? workers_.end() : workers_.find(link.workers().front());
  const bool is_used = worker != workers_.end();
  const auto session = is_used ? worker->second->short_session() : std::string();
  shard_.log({.level = level, .event = event,
              .session = session,
              .worker = is_used ? std::string_view(worker->second->peer()) : std::string_view{},
              .account = link.owner()->name, .pool = link.pool_name(), .detail = detail});
}

}  // namespace stratumproxy::session
