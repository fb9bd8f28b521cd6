#pragma once

#include <atomic>
#include <chrono>

#include "stratumproxy/clock.hpp"

namespace stratumproxy::net {

/// Lets one line a minute through, from all shards together.
class log_pace {
 public:
  static constexpr std::chrono::minutes interval{1};

  [[nodiscard]] bool allows(time_point now) noexcept {
    time_point next = next_.load(std::memory_order_relaxed);
    return now >= next && next_.compare_exchange_strong(next, now + interval, std::memory_order_relaxed);
  }

 private:
  std::atomic<time_point> next_{time_point::min()};
};

}  // namespace stratumproxy::net
