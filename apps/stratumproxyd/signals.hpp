#pragma once

#include <csignal>

namespace stratumproxyd {

enum class wake_reason { terminate, reload, woken };

/// SIGTERM, SIGINT and SIGHUP as events of one thread. Made before any other thread, so that all of them inherit the
/// blocked signals. SIGPIPE is ignored: a client that left is no reason to end.
class signal_waiter {
 public:
  signal_waiter();
  ~signal_waiter();
  signal_waiter(const signal_waiter&) = delete;
  signal_waiter& operator=(const signal_waiter&) = delete;

  /// Blocks until one of the signals, or wake().
  [[nodiscard]] wake_reason wait();
  /// From any thread.
  void wake() noexcept;

 private:
  int signals_ = -1;
  int event_ = -1;
};

}  // namespace stratumproxyd
