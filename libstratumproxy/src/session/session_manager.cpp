// The outside of the shard's state machine: connections, time, and the end of sessions.
#include "stratumproxy/session/session_manager.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "session/login.hpp"
#include "session/manager_impl.hpp"

namespace stratumproxy::session {
namespace {

constexpr auto sweep_interval = std::chrono::milliseconds(100);
constexpr auto accounts_interval = std::chrono::seconds(1);
constexpr std::size_t sweep_slice_size = 1'000;
constexpr auto farewell_pause = std::chrono::milliseconds(5);  // workers without a pool go one by one, as they would come back all at once
constexpr auto drain_patience = std::chrono::seconds(8);  // of the daemon's ten

// Whether a worker that left for this reason is expected back.
[[nodiscard]] bool is_unexpected(close_reason reason) noexcept {
  switch (reason) {
    case close_reason::peer_left:
    case close_reason::reset:
    case close_reason::timed_out:
    case close_reason::slow_reader:
    case close_reason::idle:
    case close_reason::line_too_long:
    case close_reason::parse_error:
    case close_reason::extranonce:
    case close_reason::version_mask: return true;
    case close_reason::connect_failed:
    case close_reason::resolve_failed:
    case close_reason::wrong_protocol:
    case close_reason::error_budget:
    case close_reason::login_failed:
    case close_reason::login_deadline:
    case close_reason::invalid_shares:
    case close_reason::superseded:
    case close_reason::no_pool:
    case close_reason::refused:
    case close_reason::protocol_error:
    case close_reason::pool_silent:
    case close_reason::reconnect_asked:
    case close_reason::not_needed:
    case close_reason::limit:
    case close_reason::shutdown:
    case close_reason::account_removed:
    case close_reason::by_operator:
    case close_reason::banned:
    case close_reason::tls_failed: return false;
  }
  return false;
}

void give_back(std::unordered_map<std::string, std::size_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

}  // namespace

std::shared_ptr<return_hints> make_return_hints() { return std::make_shared<return_hints>(); }

session_manager::impl::impl(manager_settings settings, session_host& host)
    : settings_(std::move(settings)),
      tap_(settings_.tap ? std::make_unique<tapping_host>(host, *settings_.tap, settings_.shard, settings_.shards) : nullptr),
      shard_{.config = *settings_.config, .host = tap_ ? *tap_ : host, .random = settings_.random, .log_to = settings_.log,
             .sink = settings_.sink, .tap = tap_.get(), .instance = settings_.instance,
             // Not near the end of 64 bits, and never 0.
             .next_job_id = (random_64(settings_.random) >> 2) | 1, .decoder = {}, .events = {},
             .algorithms = settings_.config->algorithms ? settings_.config->algorithms : std::make_shared<const algorithm::registry>(),
             .framer = protocol::line_framer(settings_.config->limits.line_bytes), .out = {}, .prefix = {}, .lines = {}, .agents = {}},
      hints_(settings_.hints ? settings_.hints : make_return_hints()),
      marks_(shard_.config.split.mark_bytes),
      refusals_(shard_.config.upstream) {}

downstream_session* session_manager::impl::find(worker_id id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

upstream_session* session_manager::impl::find(std::optional<link_id> id) {
  if (!id) return nullptr;
  const auto found = links_.find(*id);
  return found == links_.end() ? nullptr : found->second.get();
}

void session_manager::impl::log_worker(log_level level, std::string_view event, const downstream_session& worker,
                                       std::string_view detail) const {
  const auto link = worker.link ? links_.find(*worker.link) : links_.end();
  const auto session = worker.short_session();
  shard_.log({.level = level, .event = event, .session = session,
              .worker = worker.peer(), .account = worker.owner ? std::string_view(worker.owner->name) : std::string_view{},
              .pool = link != links_.end() ? std::string_view(link->second->pool_name()) : std::string_view{}, .detail = detail});
}

// ---- connections -------------------------------------------------------------------------------------------------------

downstream_session& session_manager::impl::new_worker(std::string peer, std::string address, time_point now) {
  const worker_id id{next_worker_++};
  const auto channel = new_channel();
  ++strangers_[address];
  auto worker = std::make_unique<downstream_session>(id, channel, std::move(peer), std::move(address), shard_, *this, now);
  auto& reference = *worker;
  workers_[id] = std::move(worker);
  channels_[channel] = {&reference, nullptr};
  return reference;
}

void session_manager::impl::no_stranger_any_more(downstream_session& worker) {
  if (std::exchange(worker.counts_as_stranger, false)) give_back(strangers_, worker.address());
}

void session_manager::impl::update_reading(downstream_session& worker) {
  if (!worker.is_connected()) return;
  const bool pause = worker.must_wait() || is_draining_;
  if (std::exchange(worker.is_paused, pause) != pause) shard_.host.set_reading(*worker.channel(), !pause);
}

void session_manager::impl::drop_connection(downstream_session& worker, close_reason reason, std::string_view detail,
                                            time_point now) {
  ++shard_.events.miners_closed[static_cast<std::size_t>(reason)];
  const bool is_stranger = reason == close_reason::wrong_protocol || reason == close_reason::tls_failed;
  const bool is_of_interest = worker.is_authorized() || is_stranger;
  log_worker(is_of_interest ? log_level::info : log_level::debug, "worker_left", worker, words_for(reason, detail));
  channels_.erase(*worker.channel());
  no_stranger_any_more(worker);
  forget_claim(worker);
  const bool expected_back = worker.is_mining() && worker.link && is_unexpected(reason) && !is_draining_;
  worker.disconnected(now);
  if (expected_back) return keep(worker);
  destroy(worker, now);
}

void session_manager::impl::keep(downstream_session& worker) {
  shard_.events.count(happening::session_kept);
  const auto enforce = [&](std::unordered_map<std::string, std::size_t>& counts, const std::string& key, std::size_t limit,
                           auto same) {
    if (++counts[key] <= limit) return;
    for (const auto id : kept_) {
      auto* const oldest = find(id);
      if (!oldest || oldest->is_connected() || !same(*oldest)) continue;
      destroy(*oldest, oldest->left_at);
      return;
    }
  };
  ++kept_count_;
  worker.is_kept = true;
  kept_.push_back(worker.id());
  const auto& config = shard_.config.session;
  const auto share_of = [&](std::size_t limit) { return std::max<std::size_t>(1, limit / settings_.shards); };
  enforce(kept_by_account_, worker.owner->name, share_of(config.max_kept_per_account),
          [&](const downstream_session& other) { return other.owner->name == worker.owner->name; });
  enforce(kept_by_address_, worker.address(), share_of(config.max_kept_per_address),
          [&](const downstream_session& other) { return other.address() == worker.address(); });
}

void session_manager::impl::unkeep(downstream_session& worker) {
  if (!std::exchange(worker.is_kept, false)) return;
  --kept_count_;
  give_back(kept_by_account_, worker.owner->name);
  give_back(kept_by_address_, worker.address());
  while (!kept_.empty()) {
    const auto* const oldest = find(kept_.front());
    if (oldest && oldest->is_kept) break;
    kept_.pop_front();
  }
}

void session_manager::impl::destroy(downstream_session& worker, time_point now) {
  const auto owned = workers_.find(worker.id());
  if (owned == workers_.end()) return;
  no_stranger_any_more(worker);
  unkeep(worker);
  if (!worker.mark.empty()) marks_.release(worker.mark);
  const auto session = sessions_.find(worker.session);
  if (session != sessions_.end() && session->second == worker.id()) sessions_.erase(session);
  // Workers of a proxy that stops go to another one.
  if (worker.saved != 0 && !is_draining_) settings_.sessions->remove(worker.session.text());
  dead_workers_.push_back(std::move(owned->second));
  workers_.erase(owned);
  if (!worker.owner) return;
  const auto* const link = find(worker.link);
  const bool was_alone = link && !link->is_shared();
  const auto its_link = worker.link;
  part(worker, now);
  // Nobody is left who could send a late share: only verdicts are waited for.
  auto* const left = was_alone ? find(its_link) : nullptr;
  if (left && left->workers().empty() && left->unanswered() == 0 && left->at->scout != left->id()) destroy(*left, now);
}

// What another proxy should know of the worker once this one is gone.
void session_manager::impl::save(downstream_session& worker, time_point now) {
  if (!settings_.sessions || !worker.owner || !worker.is_subscribed() || worker.told_difficulty <= 0) return;
  const auto mix = [](std::size_t sum, std::size_t more) { return (sum ^ more) * 0x9e3779b97f4a7c15; };
  const std::hash<std::string> of;
  const auto sum = mix(mix(mix(of(worker.owner->name), of(worker.rig)), std::hash<double>{}(worker.told_difficulty)), worker.miner_bytes);
  // In four bytes each: a worker has 8 of them left before it takes 16 more.
  const auto what = static_cast<std::uint32_t>(sum >> 32) | 1;
  const auto second = static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
  if (worker.saved == what && std::chrono::seconds(second - worker.saved_second) < session_store::refresh) return;
  worker.saved = what;
  worker.saved_second = second;
  settings_.sessions->save({.id = worker.session.text(), .account = worker.owner->name, .rig = worker.rig,
                            .difficulty = worker.told_difficulty, .mark = worker.mark, .miner_bytes = worker.miner_bytes});
}

// What could not be done while a message was handled: messages that had to wait, and the end of what died.
void session_manager::impl::settle(time_point now) {
  while (!to_resume_.empty()) {
    const auto id = to_resume_.back();
    to_resume_.pop_back();
    auto* const worker = find(id);
    if (!worker || !worker->is_connected()) continue;
    const bool was_mining = worker->is_mining();
    if (!worker->must_wait() && !is_draining_) worker->resume(now);
    after_input(*worker, was_mining, now);
    const bool is_owed = worker->in_flight() != 0 || (worker->is_ending && worker->must_wait());
    if ((is_draining_ || worker->is_ending) && worker->is_connected() && !is_owed) {
      worker_closes(*worker, is_draining_ ? close_reason::shutdown : close_reason::peer_left, {}, now);
    }
  }
  dead_workers_.clear();
  dead_links_.clear();
}

// A worker that has become complete by a subscribe after its authorize gets its job behind the reply.
void session_manager::impl::after_input(downstream_session& worker, bool was_mining, time_point now) {
  if (!worker.is_connected()) return;
  if (!was_mining && worker.is_mining() && !worker.is_served) {
    // Until it had subscribed it had no mark to get a lane with.
    auto* const link = find(worker.link);
    if (link && !enter(worker, *link)) {
      leave(worker, *link, now);
      worker.link.reset();
      find_link(worker, now);
    } else if (link && link->current_job()) {
      worker.give_job(*link, job_cause::moved, now);
    }
  }
  update_reading(worker);
}

// ---- time --------------------------------------------------------------------------------------------------------------

void session_manager::impl::sweep_worker(downstream_session& worker, time_point now) {
  const auto& limits = shard_.config.limits;
  const auto& config = shard_.config.session;
  save(worker, now);
  if (!worker.is_connected()) {
    if (now - worker.left_at >= config.grace) {
      log_worker(log_level::info, "session_ended", worker, "did not come back in time");
      destroy(worker, now);
    }
    return;
  }
  if (!worker.is_mining()) {
    const auto age = now - worker.accepted_at;
    if ((!worker.heard_message() && age >= limits.first_message) || age >= limits.authorize) {
      worker_closes(worker, close_reason::login_deadline, worker.heard_message() ? "no login in time" : "no message in time", now);
    }
    return;
  }
  steer(worker, now);
  auto* const link = find(worker.link);
  if (!link) return;
  if (link->is_live()) link->totals->worker_seconds += std::chrono::duration<double>(last_round_).count();
  if (worker.idle_since <= now - config.hold && now >= next_farewell_) {
    next_farewell_ = std::max(next_farewell_, now - sweep_interval) + farewell_pause;
    const bool refused = link->state() == metrics::link_state::refused;
    worker.show(refused ? "closing: the pool refuses the login" : "closing: the pool cannot be reached");
    return worker_closes(worker, refused ? close_reason::refused : close_reason::no_pool, link->pool_name(), now);
  }
  if (link->is_live() && worker.tune(now)) worker.give_job(*link, job_cause::eased, now);
  if (now - worker.last_sent >= config.refresh) worker.refresh(*link, now);
}

void session_manager::impl::sweep_link(upstream_session& link, time_point now) {
  if (link.closes_at && now >= *link.closes_at && link.unanswered() == 0) return destroy(link, now);
  link.tick(now);
  // Who stops does not wait for a verdict as long as who goes on: the share is told unknown, and counted so.
  if (is_draining_ && now - draining_since_ >= drain_patience) return destroy(link, now);
  if (link.is_live() && now - link.live_since() >= upstream_session::stable_after) endpoint_of(link).gate.settled();
  if (link.state() == metrics::link_state::refused && !link.channel() && !refusals_.fresh(link.refusal_key, now) &&
      refusals_.may_try(link.refusal_key, link.id(), now)) {
    link.try_again();
    endpoint_of(link).gate.want(link.id(), now);
  }
}

// No share should wait while ten thousand workers are looked at: they take turns. By their ids, because a look may end any of them.
template <class Id, class Table, class Look>
void session_manager::impl::sweep_slice(std::vector<Id>& queue, const Table& all, Look look) {
  if (queue.empty()) {
    for (const auto& [id, one] : all) queue.push_back(id);
  }
  // Who stops has ten seconds for all.
  for (std::size_t left = is_draining_ ? queue.size() : sweep_slice_size; left > 0 && !queue.empty(); --left) {
    const auto id = queue.back();
    queue.pop_back();
    if (auto* const one = find(id)) look(*one);
  }
}

void session_manager::impl::sweep(time_point now) {
  swept_ = now;
  for (const auto channel : std::exchange(unwelcome_, {})) shard_.host.close(channel, close_reason::limit);
  if (swept_workers_.empty()) last_round_ = now - std::exchange(round_began_, now);
  sweep_slice(swept_workers_, workers_, [&](downstream_session& worker) { sweep_worker(worker, now); });
  sweep_bans(now);
  if (now - accounts_swept_ >= accounts_interval && !is_draining_) {
    accounts_swept_ = now;
    std::erase_if(accounts_, [](const auto& entry) { return entry.second.is_over(); });
    for (auto& [account_name, here] : accounts_) sweep_account(here, now);
  }
  sweep_slice(swept_links_, links_, [&](upstream_session& link) { sweep_link(link, now); });
  give_up_recalls(now);
  refusals_.forget_old(now);
  if (settings_.shard == 0) hints_->forget_old(now);
  std::erase_if(sent_away_, [&](const auto& entry) { return now - entry.second.since > std::chrono::minutes(10); });
}

// ---- the public face -----------------------------------------------------------------------------------------------------

session_manager::session_manager(manager_settings settings, session_host& host)
    : impl_(std::make_unique<impl>(std::move(settings), host)) {}
session_manager::~session_manager() = default;

channel_id session_manager::accept(std::string peer, std::string address, time_point now) {
  auto& me = *impl_;
  const auto found = me.strangers_.find(address);
  const auto limit = std::max<std::size_t>(1, me.shard_.config.limits.unauthorized_per_address / me.settings_.shards);
  if (found != me.strangers_.end() && found->second >= limit) {
    const auto channel = me.new_channel();
    me.unwelcome_.push_back(channel);
    ++me.shard_.events.miners_closed[static_cast<std::size_t>(close_reason::limit)];
    return channel;
  }
  me.shard_.events.count(happening::connection_accepted);
  const auto& worker = me.new_worker(std::move(peer), std::move(address), now);
  if (me.tap_) me.tap_->miner_opened(*worker.channel(), worker.peer());
  return *worker.channel();
}

channel_id session_manager::adopt(handover what, time_point now) {
  auto& me = *impl_;
  auto& worker = me.new_worker(what.peer, std::move(what.address), now);
  if (me.tap_) me.tap_->miner_adopted(*worker.channel(), what);
  worker.handed_over = true;
  worker.accepted_at = now - what.age;
  worker.login().expected_session = session_id::parse(what.session);
  worker.version_rolling = what.version_rolling;
  worker.wanted_mask = worker.told_mask = what.version_mask;
  worker.extranonce_subscribed = what.extranonce_subscribed;
  if (what.suggested_difficulty > 0) worker.wish().suggested = what.suggested_difficulty;
  worker.login().suggested_target = what.suggested_target;
  worker.preload(what.unread);
  if (!what.login.empty()) worker.authorize_silently(what.login, now);
  me.to_resume_.push_back(worker.id());  // replies may leave once the host knows the channel
  return *worker.channel();
}

void session_manager::receive(channel_id channel, std::span<char> bytes, time_point now) {
  auto& me = *impl_;
  const auto found = me.channels_.find(channel);
  if (found == me.channels_.end()) return;
  if (auto* const worker = found->second.worker) {
    if (me.is_draining_) return;
    const bool was_mining = worker->is_mining();
    worker->receive(bytes, now);
    me.after_input(*worker, was_mining, now);
  } else {
    auto& link = *found->second.link;
    link.framer.feed(bytes);
    while (link.channel() == channel) {
      const auto line = link.framer.next();
      if (!line) {
        me.link_failed(link, close_reason::line_too_long, "line too long", now);
        break;
      }
      if (line->empty()) break;
      if (me.tap_) me.tap_->received(channel, *line);
      link.receive_line(*line, now);
    }
    if (link.channel() == channel) link.framer.keep();
  }
  me.settle(now);
}

void session_manager::connected(channel_id channel, time_point now) {
  auto& me = *impl_;
  const auto found = me.channels_.find(channel);
  if (me.tap_) me.tap_->link_connected(channel);
  if (found != me.channels_.end() && found->second.link) found->second.link->connected(now);
  me.settle(now);
}

void session_manager::input_ended(channel_id channel, time_point now) {
  auto& me = *impl_;
  const auto found = me.channels_.find(channel);
  if (found == me.channels_.end() || !found->second.worker) return;
  found->second.worker->is_ending = true;
  me.to_resume_.push_back(found->second.worker->id());
  me.settle(now);
}

void session_manager::closed(channel_id channel, close_reason reason, time_point now, std::string_view detail) {
  auto& me = *impl_;
  const auto found = me.channels_.find(channel);
  if (found == me.channels_.end()) return;
  if (me.tap_) me.tap_->ended(channel, reason);
  const auto owner = found->second;
  if (owner.worker) {
    me.drop_connection(*owner.worker, reason, detail, now);
  } else {
    me.channels_.erase(found);
    me.link_lost(*owner.link, reason, detail, now);
  }
  me.settle(now);
}

void session_manager::congested(channel_id channel, bool is_congested, time_point now) {
  auto& me = *impl_;
  const auto found = me.channels_.find(channel);
  if (found == me.channels_.end() || !found->second.worker) return;
  auto& worker = *found->second.worker;
  worker.congested(is_congested);
  me.update_reading(worker);
  if (!is_congested) me.to_resume_.push_back(worker.id());
  auto* const link = me.find(worker.link);
  if (!is_congested && link) {
    if (const auto clean = worker.take_missed_job()) {
      const auto* const work = link->current_job();
      const bool must_say_clean = *clean && work && !work->clean;
      worker.give_job(*link, must_say_clean ? job_cause::moved : job_cause::pushed, now);
    }
  }
  me.settle(now);
}

void session_manager::account_found(lookup_id lookup, account_lookup found, time_point now) {
  auto& me = *impl_;
  const auto asked = me.lookups_.find(static_cast<std::uint64_t>(lookup));
  if (asked == me.lookups_.end()) return;
  const auto what = std::move(asked->second);
  me.lookups_.erase(asked);
  if (what.is_outdated) me.look_up(what.worker, what.account, what.rig);
  else me.account_found(what, found, now);
  me.settle(now);
}

void session_manager::session_found(lookup_id lookup, const std::optional<session_record>& found, time_point now) {
  auto& me = *impl_;
  const auto asked = me.recalls_.find(static_cast<std::uint64_t>(lookup));
  if (asked == me.recalls_.end()) return;
  const auto worker = asked->second.worker;
  me.recalls_.erase(asked);
  me.session_found(worker, found, now);
  me.settle(now);
}

void session_manager::account_changed(const std::string& name, std::shared_ptr<const account> now_is, time_point now) {
  for (auto& [id, asked] : impl_->lookups_) asked.is_outdated = asked.is_outdated || is_same_name(asked.account, name);
  impl_->account_changed(name, now_is, now);
  impl_->settle(now);
}

void session_manager::share_checked(check_id check, const result<algorithm::proof>& outcome, time_point now) {
  auto& me = *impl_;
  const auto asked = me.checks_.find(check);
  if (asked == me.checks_.end()) return;
  const auto of = asked->second;
  me.checks_.erase(asked);
  if (auto* const link = me.find(of)) link->share_checked(check, outcome, now);
  me.settle(now);
}

bool session_manager::disconnect(std::string_view worker, std::string_view words, time_point now) {
  const bool is_there = impl_->disconnect(worker, words, now);
  impl_->settle(now);
  return is_there;
}

move_outcome session_manager::move_worker(std::string_view worker, std::shared_ptr<const account> to, time_point now) {
  const auto outcome = impl_->move_worker(worker, to, now);
  impl_->settle(now);
  return outcome;
}

void session_manager::set_options(const options& now_are) { impl_->set_options(now_are); }
const options& session_manager::config() const noexcept { return impl_->shard_.config; }

void session_manager::bans_changed(ban_lookup bans, time_point) { impl_->bans_changed(std::move(bans)); }

void session_manager::tick(time_point now) {
  auto& me = *impl_;
  if (now - me.swept_ >= sweep_interval) me.sweep(now);
  for (auto& [pool_name, pool] : me.endpoints_) me.connect_waiting(pool, now);
  me.settle(now);
}

time_point session_manager::next_deadline() const {
  auto earliest = impl_->swept_ + sweep_interval;
  for (const auto& [pool_name, pool] : impl_->endpoints_) earliest = std::min(earliest, pool.gate.due(impl_->swept_));
  return earliest;
}

void session_manager::drain(time_point now) {
  auto& me = *impl_;
  me.is_draining_ = true;
  me.draining_since_ = now;
  for (auto& [id, worker] : me.workers_) {
    me.update_reading(*worker);
    me.to_resume_.push_back(id);
  }
  for (auto& [id, link] : me.links_) link->reject_parked("job not found: the proxy stops", now);
  me.settle(now);
}

bool session_manager::drained() const {
  const auto is_connected = [](const auto& entry) { return entry.second->is_connected(); };
  const auto waits = [](const auto& entry) { return entry.second->unanswered() != 0; };
  return std::none_of(impl_->workers_.begin(), impl_->workers_.end(), is_connected) &&
         std::none_of(impl_->links_.begin(), impl_->links_.end(), waits);
}

metrics::snapshot session_manager::snapshot(time_point now, metrics::scope what) const {
  partial_snapshot whole{.what = what};
  while (!impl_->add_piece(whole, now)) {}
  return std::move(whole.taken);
}
bool session_manager::add_piece(partial_snapshot& to, time_point now) const { return impl_->add_piece(to, now); }

}  // namespace stratumproxy::session
