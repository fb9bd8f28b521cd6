#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <stratumproxy/account.hpp>
#include <stratumproxy/clock.hpp>

#include "store.hpp"

namespace stratumproxyd {

struct account_cache_options {
  stratumproxy::duration fresh = std::chrono::seconds(2);            ///< an entry this young is believed without asking
  stratumproxy::duration patience = std::chrono::milliseconds(250);  ///< how long a known account waits for the database
  stratumproxy::duration give_up = std::chrono::seconds(3);          ///< how long a name that is not known waits
  std::size_t workers = 2;                                           ///< threads that ask the database
  std::size_t queue = 4096;                                          ///< names that wait for them
  std::size_t entries = 100'000;                                     ///< accounts kept, the longest unused is dropped first
  std::size_t unknown_entries = 10'000;                              ///< names kept that turned out to be unknown
  double unknown_per_second = 50;  ///< look-ups of names that are not there, on average; more are not asked
  double unknown_burst = 100;
  /// Told, by the thread that found it out, when an account in the cache has another revision than before, or is there no more
  /// (null). Never two at a time, and in the order of the changes.
  std::function<void(const std::string& name, const std::shared_ptr<const stratumproxy::account>& now_is)> on_change;
};

/// Accounts for the shards out of a store that blocks. `find` takes a short mutex and never waits for the database: young
/// entries are answered at once, everything else by the worker threads. An account that was found once keeps working while
/// the database is away; the entry is believed until the database says otherwise. Look-ups of one name at a time are one, so
/// that no older answer takes the place of a newer one.
///
/// Guessing is slowed down: names that were not there are remembered for `fresh`, and when more than the allowed number of
/// look-ups found nothing, names that are not in the cache are answered `unavailable` without asking.
class cached_accounts final : public stratumproxy::account_source {
 public:
  using clock_source = std::function<stratumproxy::time_point()>;

  /// The store must outlive this.
  explicit cached_accounts(
      store& tables, account_cache_options options = {}, clock_source now = [] { return stratumproxy::steady_clock::now(); });
  /// Answers `unavailable` to whoever still waits. Lasts as long as the store's calls under way.
  ~cached_accounts() override;
  cached_accounts(const cached_accounts&) = delete;
  cached_accounts& operator=(const cached_accounts&) = delete;

  void find(std::string_view name, std::function<void(stratumproxy::account_lookup)> done) override;

  /// To be called when the account was just registered or changed here: the database is asked at once, whatever the limits on
  /// guessing say, and nothing that it said before is believed.
  void forget(std::string_view name);

  /// Compares the accounts in the cache that may have changed with the store, in this thread, and looks those up that did.
  /// Names that turned out to be unknown are asked for at their next find. Throws store_unavailable when not all could be
  /// read. One thread at a time, and none when this ends.
  void refresh(const account_changes& changes);

 private:
  using account_ptr = std::shared_ptr<const stratumproxy::account>;
  using lock_type = std::unique_lock<std::mutex>;
  using callback = std::function<void(stratumproxy::account_lookup)>;
  struct entry {
    std::string name;
    account_ptr account;
    stratumproxy::time_point checked;
  };
  struct waiter {
    callback done;
    account_ptr fallback;  // what to answer when the database does not
    stratumproxy::time_point deadline;
  };
  struct look_up {
    std::vector<waiter> waiters;
    bool known = false;     // a refresh: not counted as guessing
    bool outdated = false;  // forgotten while under way: its answer may be older than the change
  };
  using answers = std::vector<std::pair<callback, stratumproxy::account_lookup>>;

  void work();
  std::optional<account_ptr> ask(lock_type& lock, const std::string& name);
  void settle(lock_type& lock, const std::string& name, const std::optional<account_ptr>& found);
  void tell_changes(lock_type& lock);
  std::vector<std::string> begin_refresh(const account_changes& changes);
  std::vector<std::string> changed_of(std::span<const std::string> names);
  void look_again(const std::string& name);
  void watch();
  void remember(const std::string& name, const account_ptr& found, stratumproxy::time_point now);
  void remember_other_spelling(const std::string& asked, const account_ptr& found, stratumproxy::time_point now);
  void remember_unknown(const std::string& name, stratumproxy::time_point now);
  void drop_known(const std::string& name);
  bool may_guess(stratumproxy::time_point now);

  store& tables_;
  const account_cache_options options_;
  const clock_source now_;

  std::mutex mutex_;
  std::condition_variable queued_, watched_, settled_;
  bool stopping_ = false;
  bool store_answers_ = true;
  std::list<entry> known_;  // the longest unused last
  std::unordered_map<std::string, std::list<entry>::iterator> by_name_;
  std::unordered_map<std::string, stratumproxy::time_point> unknown_;
  std::deque<std::pair<stratumproxy::time_point, std::string>> unknown_in_order_;
  double guesses_;
  stratumproxy::time_point guesses_at_;
  std::unordered_map<std::string, look_up> pending_;  // queued or under way
  std::deque<std::string> queue_;
  std::deque<std::pair<std::string, account_ptr>> changes_;  // not told yet
  bool telling_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace stratumproxyd
