#include "cached_accounts.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <set>
#include <utility>

#include "text.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::account_lookup;

// How coarsely deadlines of waiting miners are kept.
constexpr std::chrono::milliseconds watch_interval{20};
// How many accounts are compared with one statement.
constexpr std::size_t batch = 512;

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

void cached_accounts::refresh(const account_changes& changes) {
  const auto names = begin_refresh(changes);
  for (std::size_t i = 0; i < names.size(); i += batch)
    for (const auto& name : changed_of(std::span(names).subspan(i, std::min(batch, names.size() - i)))) look_again(name);
}

// A look-up under way may have read what was there before the change.
std::vector<std::string> cached_accounts::begin_refresh(const account_changes& changes) {
  const std::lock_guard guard(mutex_);
  std::vector<std::string> names;
  if (changes.any) {
    unknown_.clear();
    unknown_in_order_.clear();
    for (auto& [name, pending] : pending_) pending.outdated = true;
    for (const auto& entry : known_) names.push_back(entry.name);
    return names;
  }
  for (const auto& name : std::set(changes.names.begin(), changes.names.end())) {
    unknown_.erase(name);
    if (const auto pending = pending_.find(name); pending != pending_.end()) pending->second.outdated = true;
    if (by_name_.contains(name)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> cached_accounts::changed_of(std::span<const std::string> names) {
  const auto revisions = tables_.revisions(names);
  const std::lock_guard guard(mutex_);
  std::vector<std::string> changed;
  for (const auto& name : names) {
    const auto known = by_name_.find(name);
    const auto now_is = revisions.find(name);
    if (known != by_name_.end() && (now_is == revisions.end() || now_is->second != known->second->account->revision))
      changed.push_back(name);
  }
  return changed;
}

void cached_accounts::look_again(const std::string& name) {
  lock_type lock(mutex_);
  settled_.wait(lock, [&] { return !pending_.contains(name); });
  pending_[name].known = true;
  std::optional<account_ptr> found;
  do found = ask(lock, name);
  while (found && pending_.at(name).outdated);
  settle(lock, name, found);
  if (!found) throw store_unavailable("an account could not be read");
}

void cached_accounts::work() {
  lock_type lock(mutex_);
  for (;;) {
    queued_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const auto name = std::move(queue_.front());
    queue_.pop_front();
    std::optional<account_ptr> found;
    if (pending_.at(name).known || may_guess(now_())) {
      found = ask(lock, name);
      if (stopping_) return;
      if (found && pending_.at(name).outdated) {
        queue_.push_back(name);
        continue;
      }
    }
    settle(lock, name, found);
  }
}

// Without the lock meanwhile. Nothing when there was no answer; who asked is told unavailable, or the account as it was.
std::optional<cached_accounts::account_ptr> cached_accounts::ask(lock_type& lock, const std::string& name) {
  pending_.at(name).outdated = false;
  std::optional<account_ptr> found;
  lock.unlock();
  try {
    found = tables_.find_account(name);
  } catch (const std::exception&) {
  }
  lock.lock();
  store_answers_ = found.has_value();
  return found;
}

// Without the lock while others are told.
void cached_accounts::settle(lock_type& lock, const std::string& name, const std::optional<account_ptr>& found) {
  const auto now = now_();
  auto node = pending_.extract(name);
  settled_.notify_all();
  if (found && *found && (*found)->name == name) {
    remember(name, *found, now);
  } else if (found && *found) {
    remember_other_spelling(name, *found, now);
  } else if (found) {
    if (options_.on_change && by_name_.contains(name)) changes_.emplace_back(name, nullptr);
    drop_known(name);
    remember_unknown(name, now);
    if (!node.mapped().known) guesses_ -= 1;
  }
  answers out;
  for (auto& waiting : node.mapped().waiters)
    out.emplace_back(std::move(waiting.done), found ? answer(*found, account_lookup::status::unknown)
                                                    : answer(waiting.fallback, account_lookup::status::unavailable));
  lock.unlock();
  for (auto& [done, result] : out) done(std::move(result));
  out.clear();
  lock.lock();
  tell_changes(lock);
}

void cached_accounts::tell_changes(lock_type& lock) {
  if (telling_) return;  // whoever does it tells these too
  telling_ = true;
  while (!changes_.empty()) {
    const auto [name, now_is] = std::move(changes_.front());
    changes_.pop_front();
    lock.unlock();
    options_.on_change(name, now_is);
    lock.lock();
  }
  telling_ = false;
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
    // A revision that fell is another account of that name: those who mine on the old one are let go.
    const auto before = std::exchange(known->second->account, found)->revision;
    if (options_.on_change && found->revision != before)
      changes_.emplace_back(name, found->revision > before ? found : nullptr);
    known->second->checked = now;
    return;
  }
  known_.push_front({name, found, now});
  by_name_[name] = known_.begin();
  if (known_.size() > options_.entries) drop_known(std::string(known_.back().name));
}

// It is kept under its own name, as changes call it; another spelling is asked for anew each time. A look-up of the own name may have been
// faster, and know more.
void cached_accounts::remember_other_spelling(const std::string& asked, const account_ptr& found, stratumproxy::time_point now) {
  if (options_.on_change && by_name_.contains(asked)) changes_.emplace_back(asked, nullptr);
  drop_known(asked);
  const auto known = by_name_.find(found->name);
  if (known == by_name_.end() || known->second->account->revision < found->revision) remember(found->name, found, now);
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
