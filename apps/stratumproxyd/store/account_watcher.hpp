#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "cached_accounts.hpp"
#include "store.hpp"

namespace stratumproxyd {

/// Keeps the cache up to date with what a feed tells, on a thread of its own. What could not be read because the database was
/// away is compared a second later.
class account_watcher {
 public:
  /// The accounts are borrowed, and so is what the feed stands on.
  account_watcher(std::unique_ptr<change_feed> feed, cached_accounts& accounts);
  ~account_watcher();  ///< lasts as long as one wait, or the store's call under way
  account_watcher(const account_watcher&) = delete;
  account_watcher& operator=(const account_watcher&) = delete;

 private:
  void run();

  const std::unique_ptr<change_feed> feed_;
  cached_accounts& accounts_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace stratumproxyd
