#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <stratumproxy/log.hpp>

#include "store/store.hpp"

namespace stratumproxyd {

/// Asks the database every second whether it is there, on a thread of its own, so that nobody who wants to know waits.
/// Thread: is_up() from any.
class store_monitor {
 public:
  /// The database has just been opened: it counts as up. Both are borrowed.
  store_monitor(store& database, stratumproxy::log_sink& log, std::chrono::milliseconds interval = std::chrono::seconds(1));
  ~store_monitor();
  store_monitor(const store_monitor&) = delete;
  store_monitor& operator=(const store_monitor&) = delete;

  /// It answered the last time, and that was lately: a database that hangs is not up.
  [[nodiscard]] bool is_up() const noexcept;

 private:
  void run();

  store& database_;
  stratumproxy::log_sink& log_;
  const std::chrono::milliseconds interval_;
  std::atomic<bool> answered_{true};
  std::atomic<std::chrono::steady_clock::time_point> answered_at_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stratumproxyd
