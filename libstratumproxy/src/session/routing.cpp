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

metrics::share_counts* session_manager::impl::totals_of(const account& owner, const pool_info& pool) {
  auto& row = totals_[{owner.name, pool.name(), pool.algorithm}];
  if (!row) row = std::make_unique<metrics::share_counts>();
  return row.get();
}

bool session_manager::impl::enter(downstream_session& worker, upstream_session& link) {
  return link.enter(worker.id(), worker.told_extranonce1, worker.told_extranonce2_size);
}

// It has entered the link.
void session_manager::impl::attach(downstream_session& worker, upstream_session& link, time_point now) {
  link.closes_at.reset();
  worker.link = link.id();
  worker.linked_at = now;
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

// New workers fill the links, so that few are used.
void session_manager::impl::find_link(downstream_session& worker, time_point now) {
  const auto& owner = worker.owner;
  const auto& route = owner->routes.front();
  auto rules = rules_for(*owner, route, shard_.algorithms);
  if (rules.mode == link_mode::shared) {
    auto& shared = shared_links_[owner->name + '\n' + upstream_session::credential_of(route)];
    std::sort(shared.begin(), shared.end(), [&](link_id a, link_id b) { return find(a)->workers().size() > find(b)->workers().size(); });
    for (const auto id : shared) {
      auto& link = *find(id);
      const auto size = link.extranonce2_size();
      // Its own extranonce2 is too short for lanes: nobody else can mine where it does.
      if (size != 0 && size < worker.told_extranonce1.size() / 2 + worker.told_extranonce2_size) rules.mode = link_mode::dedicated;
      if (rules.mode == link_mode::dedicated) break;
      if (enter(worker, link)) {
        attach(worker, link, now);
        worker_wishes(worker, now);
        if (link.current_job()) worker.give_job(link, job_cause::moved, now);
        return;
      }
    }
  }
  auto& link = open_link(worker, rules, now);
  (void)enter(worker, link);  // it is the first
  attach(worker, link, now);
  worker_wishes(worker, now);
  auto& pool = endpoint_of(link);
  pool.gate.want(link.id(), now);
  connect_waiting(pool, now);
}

upstream_session& session_manager::impl::open_link(downstream_session& worker, const mining_rules& rules, time_point now) {
  const auto& owner = worker.owner;
  const auto& route = owner->routes.front();
  const link_id id{next_link_++};
  const bool is_shared = rules.mode == link_mode::shared;
  auto login = is_shared ? pool_login(route.pool.login_template, route.user, owner->name, {}) : login_for(worker, route);
  auto& pool = endpoint_of(route.pool);
  auto& link = *(links_[id] = std::make_unique<upstream_session>(id, owner, 0, rules, std::move(login), pool.last_job, shard_, *this, now));
  if (is_shared) shared_links_[owner->name + '\n' + link.credential()].push_back(id);
  link.agent_chain = chain_of(worker.agent());
  link.totals = totals_of(*owner, route.pool);
  return link;
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
    const auto [host, port] = link->take_destination();
    shard_.host.connect(channel, host, port);
  }
}

void session_manager::impl::leave(downstream_session& worker, upstream_session& link, time_point now) {
  link.leave(worker.id());
  if (link.workers().empty()) retire(link, now);
}

void session_manager::impl::retire(upstream_session& link, time_point now) {
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
  if (link.is_shared()) {
    const auto shared = shared_links_.find(link.owner()->name + '\n' + link.credential());
    if (std::erase(shared->second, link.id()); shared->second.empty()) shared_links_.erase(shared);
  }
  pool.unchecked += link.unchecked;
  dead_links_.push_back(std::move(owned->second));
  links_.erase(owned);
}

// ---- what links say --------------------------------------------------------------------------------------------------

downstream_session* session_manager::impl::worker_of(const upstream_session& link) {
  return link.is_shared() || link.workers().empty() ? nullptr : find(link.workers().front());
}

// By their ids: to be told something may end any of them.
template <class Tell>
void session_manager::impl::tell_workers(const upstream_session& link, Tell tell) {
  auto ids = std::exchange(being_told_, {});
  ids.assign(link.workers().begin(), link.workers().end());
  for (const auto id : ids) {
    if (auto* const worker = find(id); worker && worker->link == link.id()) tell(*worker);
  }
  being_told_ = std::move(ids);
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
  give_current_job(link, now);
}

// Whoever finds no lane on the link any more mines on another one.
void session_manager::impl::link_layout(upstream_session& link, time_point now) {
  tell_workers(link, [&](downstream_session& worker) {
    if (enter(worker, link)) return;
    worker.link.reset();
    find_link(worker, now);
  });
  if (link.workers().empty()) retire(link, now);
}

void session_manager::impl::give_current_job(upstream_session& link, time_point now) {
  if (!link.current_job()) return;
  link.is_renewed = false;
  shard_.lines.clear();
  tell_workers(link, [&](downstream_session& worker) { worker.give_job(link, job_cause::moved, now); });
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
  refusals_.give_up(link.refusal_key, link.id());
  const bool is_bad = !was_stable && reason != close_reason::reconnect_asked;
  if (is_bad) pool.gate.failed(link.id(), now);
  if (is_bad || reason == close_reason::pool_silent) {
    if (!std::exchange(pool.said_down, true)) {
      log_link(log_level::warning, "pool_down", link, words_for(reason, detail));
    }
    if (!std::exchange(link.is_outage_told, true)) {
      const auto text = "the pool " + link.pool_name() + " cannot be reached (" + std::string(name(reason)) + "), trying again";
      tell_workers(link, [&](downstream_session& worker) { worker.show(text); });
    }
  }
  log_link(was_live ? log_level::info : log_level::debug, "link_lost", link, words_for(reason, detail));
  if (link.workers().empty() || is_draining_) return destroy(link, now);
  pool.gate.forget(link.id());  // it may have been the one to probe, and was sent elsewhere
  pool.gate.want(link.id(), now);
  connect_waiting(pool, now);
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
  tell_workers(link, [&](downstream_session& worker) { worker.show("the pool refused the login: " + std::string(text)); });
  if (link.workers().empty()) destroy(link, now);
}

// ---- shares ----------------------------------------------------------------------------------------------------------

upstream_session* session_manager::impl::link_of_job(downstream_session& worker, std::uint64_t job) {
  auto* const link = find(worker.link);
  if (link && link->jobs().find(job)) return link;
  auto* const former = find(worker.former_link);
  return former && former->jobs().find(job) ? former : nullptr;
}

void session_manager::impl::link_verdict(upstream_session& link, const judged_share& share, const verdict& how,
                                         time_point now) {
  const double divider = link.route().pool.divider;
  const double one = share.difficulty / divider;
  auto& totals = *link.totals;
  switch (how.outcome) {
    case outcome::accepted:
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
  const auto round_trip = now - share.received;
  if (how.outcome != outcome::unknown && !how.is_local) round_trip_.observe(std::chrono::duration<double>(round_trip).count());

  auto* const worker = find(share.worker);
  auto* const heir = worker ? worker : worker_of(link);
  if (shard_.sink) report(link.owner()->name, link.route().pool, link.pool_name(), heir, how, share.difficulty, round_trip);
  if (!heir) return;
  if (!worker && how.outcome == outcome::accepted) heir->add_work(one, now);  // found before it came back
  if (!worker) return;
  const bool waited = worker->must_wait();
  worker->share_verdict(share, how, worker->link == link.id(), divider, now);
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

void session_manager::impl::link_late_verdict(upstream_session& link) {
  ++link.totals->late;
  if (auto* const worker = worker_of(link)) worker->add_late();
}

void session_manager::impl::share_ended(downstream_session& worker, const verdict& how, double difficulty,
                                        duration round_trip) {
  if (const auto* const link = find(worker.link); link && how.outcome == outcome::rejected) {
    ++endpoint_of(*link).rejected_here[static_cast<std::size_t>(how.reason)];
  }
  if (!shard_.sink || !worker.owner) return;
  const auto& pool = worker.owner->routes.front().pool;
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
