// What operators ask for: a worker is to go, or to mine for somebody else; somebody is not served any more.
#include <algorithm>
#include <string>
#include <utility>

#include "session/manager_impl.hpp"

namespace stratumproxy::session {
namespace {

constexpr std::size_t judged_at_a_time = 1'000;

}  // namespace

void session_manager::impl::let_go(downstream_session& worker, close_reason reason, std::string_view words, time_point now) {
  if (!worker.is_connected()) {
    log_worker(log_level::info, "session_ended", worker, words_for(reason, words));
    return destroy(worker, now);
  }
  if (!words.empty()) worker.show(std::string("closing: ").append(words));
  worker_closes(worker, reason, words, now);
}

bool session_manager::impl::disconnect(std::string_view peer, std::string_view words, time_point now) {
  std::vector<worker_id> found;
  for (const auto& [id, worker] : workers_) {
    if (worker->peer() == peer) found.push_back(id);
  }
  for (const auto id : found) {
    if (auto* const worker = find(id)) let_go(*worker, close_reason::by_operator, words, now);
  }
  return !found.empty();
}

move_outcome session_manager::impl::move_worker(std::string_view peer, const known_account& to, time_point now) {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const auto& entry) {
    return entry.second->is_connected() && entry.second->peer() == peer;
  });
  if (found == workers_.end()) return move_outcome::unknown_worker;
  auto& worker = *found->second;
  if (!worker.is_mining() || !worker.owner || is_draining_) return move_outcome::not_mining;
  const auto owner = newest_of(to, now);
  if (!worker.is_connected()) return move_outcome::unknown_worker;  // the news were that its own account is none any more
  if (worker.owner->name == owner->name) return move_outcome::moved;
  if (worker.owner->routes.front().pool.algorithm != owner->routes.front().pool.algorithm) return move_outcome::other_algorithm;
  if ((bans_ && bans_({}, owner->name)) || refused_everywhere(*owner, worker.rig, now)) return move_outcome::refused;

  worker.keep_login();
  leave_account(worker, now);
  join(worker, owner);
  find_link(worker, now);
  worker_wishes(worker, now);
  log_worker(log_level::info, "worker_moved", worker, "by an operator");
  return move_outcome::moved;
}

// ---- bans --------------------------------------------------------------------------------------------------------------

const std::string* session_manager::impl::ban_of(const downstream_session& worker) const {
  const auto* const why = bans_(worker.address(), {});
  return why || !worker.owner ? why : bans_({}, worker.owner->name);
}

// Who comes from now on is judged as it comes; who is here takes turns, as no share should wait for thousands of others.
void session_manager::impl::bans_changed(ban_lookup bans) {
  bans_ = std::move(bans);
  to_judge_.clear();
  if (!bans_) return;
  for (const auto& [id, worker] : workers_) to_judge_.push_back(id);
}

void session_manager::impl::sweep_bans(time_point now) {
  for (std::size_t left = judged_at_a_time; left > 0 && !to_judge_.empty(); --left) {
    auto* const worker = find(to_judge_.back());
    to_judge_.pop_back();
    if (const auto* const why = worker ? ban_of(*worker) : nullptr) let_go(*worker, close_reason::banned, "banned: " + *why, now);
  }
}

// ---- options -----------------------------------------------------------------------------------------------------------

// What refers to the options finds the new values; what follows was made of the old ones.
void session_manager::impl::set_options(const options& now_are) {
  const auto metrics = shard_.config.metrics;  // two windows of one metric could not be told apart
  shard_.config = now_are;
  shard_.config.metrics = metrics;
  shard_.framer = protocol::line_framer(shard_.config.limits.line_bytes);
  marks_.set_bytes(shard_.config.split.mark_bytes);
  for (const auto& [id, link] : links_) link->room_changed();
  // Who waits for as many verdicts as the old limit said has no reason to, perhaps, and nobody would look again.
  for (const auto& [id, worker] : workers_) {
    if (worker->is_paused) to_resume_.push_back(id);
  }
}

}  // namespace stratumproxy::session
