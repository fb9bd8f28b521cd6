#include "cached_accounts.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "text.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::account_lookup;

// How coarsely deadlines of waiting miners are kept.
constexpr std::chrono::milliseconds watch_interval{20};

account_lookup answer(const std::shared_ptr<const stratumproxy::account>& found, account_lookup::status otherwise) {
  return {found ? account_lookup::status::found : otherwise, found};
}

}  // namespace

cached_accounts::cached_accounts(store& tables, account_cache_options options, clock_source now)
    : tables_(tables), options_(options), now_(std::move(now)), guesses_(options.unknown_burst), guesses_at_(now_()) {
  for (std::size_t i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
  threads_.emplace_back([this] { watch(); });
}

cached_accounts::~cached_accounts() {
  std::unordered_map<std::string, look_up> abandoned;
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    abandoned.swap(pending_);
    queue_.clear();
  }
  queued_.notify_all();
  watched_.notify_all();
  for (auto& [name, pending] : abandoned)
    for (auto& waiting : pending.waiters) waiting.done(answer(nullptr, account_lookup::status::unavailable));
  for (auto& thread : threads_) thread.join();
}

void cached_accounts::find(std::string_view name, callback done) {
  const auto unknown = answer(nullptr, account_lookup::status::unknown);
  if (name.empty() || !is_storable(name, longest_name)) return done(unknown);
  const std::string key(name);
  account_lookup now_known{account_lookup::status::unavailable, nullptr};
  bool is_answered = true;
  {
    const std::lock_guard guard(mutex_);
    const auto now = now_();
    const auto known = by_name_.find(key);
    const auto absent = unknown_.find(key);
    account_ptr fallback;
    if (known != by_name_.end()) {
      known_.splice(known_.begin(), known_, known->second);
      fallback = known->second->account;
      now_known = answer(fallback, account_lookup::status::unknown);
    }
    if (stopping_) {
      now_known = answer(nullptr, account_lookup::status::unavailable);
    } else if (fallback && now - known->second->checked < options_.fresh) {
      // believed
    } else if (absent != unknown_.end() && now - absent->second < options_.fresh) {
      now_known = unknown;
    } else {
      auto pending = pending_.find(key);
      if (pending == pending_.end() && queue_.size() < options_.queue) {
        pending = pending_.try_emplace(key).first;
        queue_.push_back(key);
        queued_.notify_one();
      }
      if (pending != pending_.end()) {
        pending->second.known |= fallback != nullptr;
        // While the database is away nobody waits for it in vain; the look-up still tells when it is back.
        if (!fallback || store_answers_) {
          const auto wait = fallback ? options_.patience : options_.give_up;
          pending->second.waiters.push_back({std::move(done), std::move(fallback), now + wait});
          watched_.notify_one();
          is_answered = false;
        }
      }
    }
  }
  if (is_answered) done(std::move(now_known));
}

void cached_accounts::forget(std::string_view name) {
  const std::lock_guard guard(mutex_);
  const std::string key(name);
  unknown_.erase(key);
  if (const auto known = by_name_.find(key); known != by_name_.end()) known->second->checked = now_() - options_.fresh;
  auto pending = pending_.find(key);
  if (pending == pending_.end() && !stopping_ && queue_.size() < options_.queue) {
    pending = pending_.try_emplace(key).first;
    queue_.push_back(key);
    queued_.notify_one();
  }
  if (pending == pending_.end()) return;
  pending->second.known = true;
  pending->second.outdated = true;
}

void cached_accounts::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const auto name = std::move(queue_.front());
    queue_.pop_front();
    auto& pending = pending_.at(name);
    pending.outdated = false;
    account_ptr found;
    bool answered = false;
    if (pending.known || may_guess(now_())) {
      lock.unlock();
      try {
        found = tables_.find_account(name);
        answered = true;
      } catch (const std::exception&) {
        // told by who asks: unavailable, or the account as it was
      }
      lock.lock();
      store_answers_ = answered;
      if (stopping_) return;
      if (answered && pending_.at(name).outdated) {
        queue_.push_back(name);
        continue;
      }
    }
    answers out;
    finish(name, answered, found, out);
    lock.unlock();
    for (auto& [done, result] : out) done(std::move(result));
    out.clear();
    lock.lock();
  }
}

void cached_accounts::finish(const std::string& name, bool answered, const account_ptr& found, answers& out) {
  const auto now = now_();
  auto node = pending_.extract(name);
  if (answered && found) {
    remember(name, found, now);
  } else if (answered) {
    drop_known(name);
    remember_unknown(name, now);
    if (!node.mapped().known) guesses_ -= 1;
  }
  for (auto& waiting : node.mapped().waiters)
    out.emplace_back(std::move(waiting.done), answered ? answer(found, account_lookup::status::unknown)
                                                       : answer(waiting.fallback, account_lookup::status::unavailable));
}

void cached_accounts::watch() {
  std::unique_lock lock(mutex_);
  const auto somebody_waits = [&] {
    return std::any_of(pending_.begin(), pending_.end(), [](const auto& item) { return !item.second.waiters.empty(); });
  };
  while (!stopping_) {
    if (!somebody_waits()) {
      watched_.wait(lock, [&] { return stopping_ || somebody_waits(); });
      continue;
    }
    answers out;
    const auto now = now_();
    for (auto& [name, pending] : pending_) {
      auto& waiters = pending.waiters;
      const auto late = std::stable_partition(waiters.begin(), waiters.end(), [&](const auto& w) { return now < w.deadline; });
      for (auto waiting = late; waiting != waiters.end(); ++waiting)
        out.emplace_back(std::move(waiting->done), answer(waiting->fallback, account_lookup::status::unavailable));
      waiters.erase(late, waiters.end());
    }
    lock.unlock();
    for (auto& [done, result] : out) done(std::move(result));
    out.clear();
    lock.lock();
    if (!stopping_) watched_.wait_for(lock, watch_interval, [&] { return stopping_; });
  }
}

void cached_accounts::remember(const std::string& name, const account_ptr& found, stratumproxy::time_point now) {
  unknown_.erase(name);
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    known->second->account = found;
    known->second->checked = now;
    return;
  }
  known_.push_front({name, found, now});
  by_name_[name] = known_.begin();
  if (known_.size() > options_.entries) drop_known(std::string(known_.back().name));
}

void cached_accounts::remember_unknown(const std::string& name, stratumproxy::time_point now) {
  unknown_[name] = now;
  unknown_in_order_.emplace_back(now, name);
  while (unknown_in_order_.size() > options_.unknown_entries ||
         (!unknown_in_order_.empty() && now - unknown_in_order_.front().first >= options_.fresh)) {
    const auto& [since, oldest] = unknown_in_order_.front();
    if (const auto found = unknown_.find(oldest); found != unknown_.end() && found->second == since) unknown_.erase(found);
    unknown_in_order_.pop_front();
  }
}

void cached_accounts::drop_known(const std::string& name) {
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return;
  known_.erase(known->second);
  by_name_.erase(known);
}

bool cached_accounts::may_guess(stratumproxy::time_point now) {
  const double seconds = std::chrono::duration<double>(now - guesses_at_).count();
  guesses_ = std::min(options_.unknown_burst, guesses_ + seconds * options_.unknown_per_second);
  guesses_at_ = now;
  return guesses_ >= 1;
}

}  // namespace stratumproxyd
