#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "session/session_id.hpp"
#include "stratumproxy/clock.hpp"

namespace stratumproxy::session {

/// Miners that were sent away for a reason and are expected back, by address and agent. Most never repeat a session id, so
/// this is how they are known again. Thread-safe: a miner may come back on any shard.
class return_hints {
 public:
  /// A worker was closed to learn its pool's extranonce: the next subscribe of such a miner gets this session.
  void expect(const std::string& address, const std::string& agent, const std::string& account, const session_id& session,
              time_point until) {
    const std::lock_guard lock(mutex_);
    expects_ = true;
    auto& waiting = sessions_[key(address, agent)];
    if (waiting.size() < limit) waiting.push_back({account, session, until});
  }
  /// `account`: of a miner that has logged in already; "" when it may be any.
  [[nodiscard]] std::optional<session_id> returning(const std::string& address, const std::string& agent,
                                                    const std::string& account, time_point now) {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(key(address, agent));
    if (found == sessions_.end()) return std::nullopt;
    auto& waiting = found->second;
    std::erase_if(waiting, [&](const expected_return& e) { return e.until < now; });
    const auto match = std::find_if(waiting.begin(), waiting.end(),
                                    [&](const expected_return& e) { return account.empty() || e.account == account; });
    std::optional<session_id> session;
    if (match != waiting.end()) {
      session = match->session;
      waiting.erase(match);
    }
    if (waiting.empty()) sessions_.erase(found);
    return session;
  }

  /// A worker was closed because its link takes no version bits: the next configure from there is answered false. The agent is not
  /// known when configure comes first, so the address must do, once for each worker that was sent away.
  void expect_no_rolling(const std::string& address, time_point until) {
    const std::lock_guard lock(mutex_);
    expects_ = true;
    auto& waiting = no_rolling_[address];
    if (waiting.size() < limit) waiting.push_back(until);
  }
  [[nodiscard]] bool returning_without_rolling(const std::string& address, time_point now) {
    const std::lock_guard lock(mutex_);
    const auto found = no_rolling_.find(address);
    if (found == no_rolling_.end()) return false;
    auto& waiting = found->second;
    while (!waiting.empty() && waiting.front() < now) waiting.pop_front();
    const bool expected = !waiting.empty();
    if (expected) waiting.pop_front();
    if (waiting.empty()) no_rolling_.erase(found);
    return expected;
  }

  /// Cheap while nobody is expected: the sweep of a shard that only moves shares takes no lock.
  void forget_old(time_point now) {
    if (!expects_.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      std::erase_if(at->second, [&](const expected_return& e) { return e.until < now; });
      at = at->second.empty() ? sessions_.erase(at) : std::next(at);
    }
    for (auto at = no_rolling_.begin(); at != no_rolling_.end();) {
      std::erase_if(at->second, [&](time_point until) { return until < now; });
      at = at->second.empty() ? no_rolling_.erase(at) : std::next(at);
    }
    expects_ = !sessions_.empty() || !no_rolling_.empty();
  }

 private:
  static constexpr std::size_t limit = 1'000;  // one key; a farm behind one address
  struct expected_return {
    std::string account;
    session_id session;
    time_point until;
  };
  [[nodiscard]] static std::string key(const std::string& address, const std::string& agent) {
    return address + '\n' + agent;
  }
  std::mutex mutex_;
  std::atomic<bool> expects_{false};
  std::unordered_map<std::string, std::deque<expected_return>> sessions_;
  std::unordered_map<std::string, std::deque<time_point>> no_rolling_;
};

}  // namespace stratumproxy::session
