// How a miner becomes a worker: subscribe, authorize, and the return of one that was here before.
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "algorithm/target.hpp"
#include "session/login.hpp"
#include "session/manager_impl.hpp"

namespace stratumproxy::session {
namespace {

constexpr unsigned max_sent_away = 2;
constexpr unsigned max_moves = 50;  // of one connection
constexpr auto sent_away_window = std::chrono::minutes(10);
constexpr auto recall_patience = std::chrono::seconds(1);

[[nodiscard]] unsigned miner_bytes_for(const split_options& split, const std::string& agent) {
  for (const auto& [prefix, bytes] : split.by_agent) {
    if (agent.starts_with(prefix)) return bytes;
  }
  return split.miner_bytes;
}

// It comes from outside: another proxy may be set up otherwise, or be another program.
[[nodiscard]] bool is_usable(const session_record& found) noexcept {
  return found.miner_bytes >= 1 && found.miner_bytes <= 8 && std::isfinite(found.difficulty) && found.difficulty > 0;
}

[[nodiscard]] std::string sent_away_key(const downstream_session& worker, const account& owner, const std::string& rig) {
  return worker.address() + '\n' + worker.agent() + '\n' + owner.name + '\n' + rig;
}

}  // namespace

// ---- subscribe -------------------------------------------------------------------------------------------------------

void session_manager::impl::worker_subscribes(downstream_session& worker, const protocol::subscribe& asked, time_point now) {
  if (worker.agent().starts_with("stratumproxy/") && worker.agent().find(shard_.instance) != std::string::npos) {
    protocol::encode_error(shard_.out, "null", 20, "this proxy is its own pool");
    shard_.flush(*worker.channel());
    return worker_closes(worker, close_reason::wrong_protocol, "a loop: this proxy is its own pool", now);
  }
  auto named = session_id::parse(asked.session);
  if (!named && worker.handed_over) named = worker.login().expected_session;
  else if (!named) {
    named = hints_->returning(worker.address(), worker.agent(), worker.owner ? worker.owner->name : std::string(), now);
  }

  if (named && !worker.handed_over && named->shard(settings_.shards) != settings_.shard) {
    shard_.events.count(happening::session_handed_over);
    const auto channel = *worker.channel();
    handover what{.peer = worker.peer(), .address = worker.address(), .age = now - worker.accepted_at,
                  .version_rolling = worker.version_rolling, .version_mask = worker.wanted_mask,
                  .extranonce_subscribed = worker.extranonce_subscribed,
                  .suggested_difficulty = worker.wishes().suggested, .suggested_target = worker.login().suggested_target,
                  .login = worker.owner ? worker.owner->name + '.' + worker.rig : std::string(), .session = named->text(), .unread = worker.unread()};
    const auto shard = named->shard(settings_.shards);
    channels_.erase(channel);
    worker.disconnected(now);
    destroy(worker, now);
    return shard_.host.hand_over(channel, shard, std::move(what));
  }
  const auto known = named ? sessions_.find(*named) : sessions_.end();
  auto* before = known != sessions_.end() ? find(known->second) : nullptr;
  if (named && !before && settings_.sessions) {
    const auto id = next_lookup_++;
    recalls_[id] = {worker.id(), now + recall_patience};
    return shard_.host.find_session(lookup_id{id}, named->text());
  }
  // Who logged in first has chosen the account: another one's session is of no use for it.
  if (worker.owner && before && before->owner && before->owner->name != worker.owner->name) before = nullptr;
  subscribe(worker, before, std::nullopt, now);
}

void session_manager::impl::subscribe(downstream_session& worker, downstream_session* before, std::optional<session_record> recalled,
                                      time_point now) {
  give_identity(worker, before, recalled);
  if (recalled) worker.login().recalled = std::make_unique<session_record>(*std::move(recalled));
  if (worker.owner && before) {
    resume_session(worker, now);
  } else if (worker.owner && recall_session(worker, *worker.owner)) {
    if (auto* const link = find(worker.link)) {
      attach(worker, *link, now);  // its rig may be known only now
      take_login(*link, worker, now);
    }
    worker_wishes(worker, now);
  }
  worker.subscribe_answer();
}

// ---- sessions of other proxies -----------------------------------------------------------------------------------------

void session_manager::impl::session_found(worker_id asked, std::optional<session_record> found, time_point now) {
  auto* const worker = find(asked);
  if (!worker || !worker->is_connected()) return;
  if (found && !is_usable(*found)) found.reset();
  if (found && worker->owner && found->account != worker->owner->name) found.reset();
  const bool was_mining = worker->is_mining();
  subscribe(*worker, nullptr, std::move(found), now);
  after_input(*worker, was_mining, now);
  to_resume_.push_back(asked);
}

// A store that does not answer costs a worker its difficulty, and no more than this of its time.
void session_manager::impl::give_up_recalls(time_point now) {
  std::vector<worker_id> late;
  std::erase_if(recalls_, [&](const auto& entry) {
    if (entry.second.until > now) return false;
    late.push_back(entry.second.worker);
    return true;
  });
  for (const auto id : late) session_found(id, std::nullopt, now);
}

// It authorized as the account that it had at the other proxy.
bool session_manager::impl::recall_session(downstream_session& worker, const account& owner) {
  const auto recalled = worker.take_recalled();
  if (!recalled || recalled->account != owner.name) return false;
  if (worker.rig.empty()) worker.rig = recalled->rig;
  worker.recall(recalled->difficulty);
  shard_.events.count(happening::session_recalled);
  return true;
}

// ---- authorize before subscribe ----------------------------------------------------------------------------------------

// It authorized before it subscribed: instead of the link that was opened for it, which has given it nothing yet, it gets its former one.
void session_manager::impl::resume_session(downstream_session& worker, time_point now) {
  drop_next(worker, now);
  auto* const unused = find(std::exchange(worker.link, std::nullopt));
  const bool is_restored = restore(worker, *worker.owner, now);
  if (auto* const link = find(worker.link); is_restored && link) {
    if (unused) leave(worker, *unused, now);
    attach(worker, *link, now);
    take_login(*link, worker, now);
    worker_wishes(worker, now);
    steer(worker, now);
    log_worker(log_level::info, "worker_restored", worker, worker.agent());
  } else if (unused) {
    attach(worker, *unused, now);
  } else {
    find_link(worker, now);
  }
}

void session_manager::impl::give_identity(downstream_session& worker, downstream_session* before,
                                          const std::optional<session_record>& recalled) {
  worker.session = session_id::make(shard_.random, settings_.shard, settings_.shards);
  sessions_[worker.session] = worker.id();

  worker.miner_bytes = before && before->miner_bytes ? before->miner_bytes
                       : recalled                      ? recalled->miner_bytes
                                                       : miner_bytes_for(shard_.config.split, worker.agent());
  if (before && before != &worker) worker.restores = before->id();
  if (before && !before->is_connected() && !before->claimed_by) {
    worker.mark = before->mark;
    marks_.share(worker.mark);
    before->claimed_by = worker.id();
  } else if (recalled && marks_.could_be_one(recalled->mark)) {
    worker.mark = recalled->mark;
    marks_.share(worker.mark);
  } else {
    // Nobody comes back, or the old connection still looks alive: then it keeps its mark until this one has authorized.
    worker.mark = marks_.take();
  }
  worker.told_extranonce1 = worker.mark;
  worker.told_extranonce2_size = worker.miner_bytes;
  const auto* const link = find(before ? before->link : worker.link);
  if (link && link->extranonce2_size() != 0 && link->extranonce2_size() < worker.mark.size() / 2 + worker.miner_bytes) {
    worker.told_extranonce1 = link->extranonce1();
    worker.told_extranonce2_size = link->extranonce2_size();
  }
}

bool session_manager::impl::may_roll(downstream_session& worker, time_point now) {
  return !hints_->returning_without_rolling(worker.address(), now);
}

void session_manager::impl::worker_wishes(downstream_session& worker, time_point now) {
  auto* const link = find(worker.link);
  if (!link) return;
  if (worker.version_rolling) {
    link->request_version_rolling(now);
    if (link->is_live() && link->version_mask() != 0) worker.give_mask(*link, now);
  }
  if (const auto target = worker.take_suggested_target(); !target.empty() && worker.wishes().suggested == 0) {
    worker.wish().suggested = algorithm::difficulty_from_target(target, link->route().pool.divider);
  }
  if (link->rules().has_vardiff) {
    if (worker.retune(*link, now)) worker.give_job(*link, job_cause::eased, now);
  } else if (const double recalled = worker.take_recalled_difficulty(); !link->is_shared()) {
    const auto wishes = worker.wishes();
    const auto wish = std::max({wishes.suggested, wishes.minimum, wishes.fixed});
    link->suggest_difficulty(wish > 0 ? wish : recalled, now);
  }
}

// ---- authorize -------------------------------------------------------------------------------------------------------

void session_manager::impl::worker_authorizes(downstream_session& worker, std::string_view account, std::string_view rig,
                                              time_point) {
  look_up(worker.id(), std::string(account), clean_rig(rig));
}

void session_manager::impl::look_up(worker_id worker, const std::string& account, const std::string& rig) {
  const auto id = next_lookup_++;
  lookups_[id] = {worker, account, rig};
  shard_.host.find_account(lookup_id{id}, account);
}

void session_manager::impl::account_found(const lookup& asked, const account_lookup& found, time_point now) {
  auto* const worker = find(asked.worker);
  if (!worker || !worker->is_connected()) return;
  const bool was_promised = worker->is_vouched_for && !worker->is_authorized();
  if (found.state == account_lookup::status::unavailable) {
    worker->authorize_answer(false, 20, "accounts cannot be looked up now, try later", now);
  } else if (found.state == account_lookup::status::unknown || !found.found || found.found->routes.empty()) {
    log_worker(log_level::info, "login_failed", *worker, "unknown account");
    worker->authorize_answer(false, 24, "unknown account", now);
  } else if (const auto* const why = bans_ ? bans_({}, found.found->name) : nullptr) {
    log_worker(log_level::info, "login_failed", *worker, "banned: " + *why);
    worker->authorize_answer(false, 24, "banned: " + *why, now);
  } else {
    admit(*worker, found.found, asked.rig, now);
  }
  if (!worker->is_connected()) return;
  if (was_promised && !worker->is_authorized()) {
    return worker_closes(*worker, close_reason::login_failed, "its account cannot be had again after the move to this shard", now);
  }
  to_resume_.push_back(worker->id());
}

const std::string* session_manager::impl::refused_everywhere(const account& owner, const std::string& rig, time_point now) const {
  const std::string* first = nullptr;
  for (const auto& route : owner.routes) {
    const auto credential = upstream_session::credential_of(route);
    const auto* words = refusals_.fresh(credential, now);
    if (!words) {
      words = refusals_.fresh(credential + '\n' + pool_login(route.pool.login_template, route.user, owner.name, rig), now);
    }
    if (!words) return nullptr;
    if (!first) first = words;
  }
  return first;
}

void session_manager::impl::leave_account(downstream_session& worker, time_point now) {
  shard_.events.count(happening::session_moved);
  part(worker, now);
  worker.reset_counts();
  worker.owner = nullptr;
}

void session_manager::impl::admit(downstream_session& worker, const known_account& found, const std::string& rig, time_point now) {
  const auto owner = newest_of(found, now);
  if (!worker.is_connected()) return;  // the news were that its own account is none any more
  if (const auto* const words = refused_everywhere(*owner, rig, now)) {
    log_worker(log_level::info, "login_failed", worker, "the pool refused the login before");
    return worker.authorize_answer(false, 24, "pool refused the login: " + *words, now);
  }
  if (sent_away_too_often(worker, *owner, rig, now)) {
    return worker.authorize_answer(
        false, 20, "the pool's extranonce2 is too short for this miner: it must support mining.extranonce.subscribe", now);
  }
  worker.authorize_answer(true, 0, {}, now);
  worker.forget_login();
  no_stranger_any_more(worker);
  if (!worker.owner) worker.rig = rig;
  if (worker.owner) forget_claim(worker);
  const bool is_restored = !worker.owner && restore(worker, *owner, now);
  const bool is_recalled = !worker.owner && recall_session(worker, *owner);

  const bool is_other = worker.owner && worker.owner->name != owner->name;
  if (is_other) {
    leave_account(worker, now);
    worker.rig.clear();
    if (++worker.moves > max_moves) {
      return worker_closes(worker, close_reason::error_budget, "too many moves between accounts", now);
    }
  }
  if (!worker.owner) join(worker, owner);
  if (worker.rig.empty()) worker.rig = rig;
  worker.note_rig(rig);
  if (auto* const link = find(worker.link)) {
    attach(worker, *link, now);
    if (is_restored) {
      take_login(*link, worker, now);
      worker.give_job(*link, job_cause::moved, now);
    }
    steer(worker, now);
  } else {
    find_link(worker, now);
  }
  worker_wishes(worker, now);
  log_worker(log_level::info, is_restored ? "worker_restored" : is_recalled ? "worker_recalled" : is_other ? "worker_moved" : "worker_authorized", worker,
             worker.agent());
}

// It has gone on as what it was before: the session that its subscribe named is free for others.
void session_manager::impl::forget_claim(downstream_session& worker) {
  auto* const before = worker.restores ? find(*std::exchange(worker.restores, std::nullopt)) : nullptr;
  if (before && before->claimed_by == worker.id()) before->claimed_by.reset();
}

// The session that the worker's subscribe named becomes this one. True when it did.
bool session_manager::impl::restore(downstream_session& worker, const account& owner, time_point now) {
  if (!worker.restores) return false;
  auto* const before = find(*std::exchange(worker.restores, std::nullopt));
  if (!before || !before->owner || before == &worker) return false;
  const auto known = sessions_.find(before->session);
  if (known == sessions_.end() || known->second != before->id()) return false;

  const bool is_claimed = before->claimed_by == worker.id();
  if (before->owner->name != owner.name) {
    // Another account: it takes nothing along but the mark; whoever is still there under the old one stays.
    if (is_claimed) destroy(*before, now);
    return false;
  }
  if (before->claimed_by && !is_claimed) {
    if (auto* const other = find(*before->claimed_by)) other->restores.reset();
  }
  sessions_.erase(known);
  shard_.events.count(happening::session_restored);
  if (!worker.owner) join(worker, before->owner);
  worker.take_over(*before);
  // With another mark, because the old connection still looked alive, the lanes are others, too.
  const auto has_lane = [&](upstream_session& link) {
    link.take_over(before->id(), worker.id());
    if (!link.has(worker.id()) || enter(worker, link)) return true;
    leave(worker, link, now);
    return false;
  };
  for (const auto& other : worker.others()) {
    if (auto* const link = find(other.link)) (void)has_lane(*link);
  }
  if (auto* const next = find(worker.next_link); next && !has_lane(*next)) worker.next_link.reset();
  if (auto* const link = find(worker.link); link && !has_lane(*link)) worker.link.reset();
  if (before->is_connected()) {
    shard_.events.count(happening::session_superseded);
    worker_closes(*before, close_reason::superseded, "its session returned on another connection", now);
  } else {
    destroy(*before, now);
  }
  return true;
}

bool session_manager::impl::sent_away_too_often(const downstream_session& worker, const account& owner,
                                                const std::string& rig, time_point now) {
  const auto key = sent_away_key(worker, owner, rig);
  const auto found = sent_away_.find(key);
  if (found == sent_away_.end() || worker.extranonce_subscribed) return false;
  if (now - found->second.since > sent_away_window) {
    sent_away_.erase(found);
    return false;
  }
  // It knows the extranonce of its own account's link now, so it will not be sent away again.
  auto* const before = worker.restores ? find(*worker.restores) : nullptr;
  if (worker.told_extranonce1 != worker.mark && before && before->owner && before->owner->name == owner.name) return false;
  return found->second.times >= max_sent_away;
}

void session_manager::impl::worker_closes(downstream_session& worker, close_reason reason, std::string_view detail,
                                          time_point now) {
  if (!worker.is_connected()) return;
  const auto grace = shard_.config.session.grace;
  if (reason == close_reason::extranonce && worker.owner) {
    auto& record = sent_away_[sent_away_key(worker, *worker.owner, worker.rig)];
    if (record.times == 0 || now - record.since > sent_away_window) record = {0, now};
    ++record.times;
    hints_->expect(worker.address(), worker.agent(), worker.owner->name, worker.session, now + grace);
  }
  if (reason == close_reason::version_mask && worker.owner) {
    // Once: whoever rolls on after that is told so at each share.
    auto& record = sent_away_[sent_away_key(worker, *worker.owner, worker.rig) + "\nmask"];
    if (record.times != 0 && now - record.since <= sent_away_window) return;
    record = {1, now};
    hints_->expect_no_rolling(worker.address(), now + grace);
    hints_->expect(worker.address(), worker.agent(), worker.owner->name, worker.session, now + grace);
  }
  shard_.host.close(*worker.channel(), reason);
  drop_connection(worker, reason, detail, now);
}

}  // namespace stratumproxy::session
