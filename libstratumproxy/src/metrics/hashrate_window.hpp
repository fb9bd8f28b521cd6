#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "stratumproxy/clock.hpp"

namespace stratumproxy::metrics {

/// The hashrate of one worker, from its accepted shares over the last whole ticks. Ticks are `interval` long and counted
/// from the worker's first job; the value changes only when one ends. One lives in each worker, so it is small and owns
/// nothing; copying or moving it takes the history along, as a restore needs.
class hashrate_window {
 public:
  static constexpr unsigned most_ticks = 8;

  /// A window that is no multiple of the interval is cut to whole ticks, at least 1 and at most 8. An interval is taken in
  /// whole milliseconds, at least 1.
  hashrate_window(duration window, duration interval) noexcept;

  /// The worker's first job. Later calls change nothing.
  void start(time_point now) noexcept;
  [[nodiscard]] bool started() const noexcept { return started_; }

  /// An accepted share; weight = difficulty / divider. Before start() it is not counted.
  void add(double weight, time_point now) noexcept;

  /// Hashes per second: 2^32 * weights of the last whole ticks / their time. 0 before the first whole tick.
  [[nodiscard]] double hashrate(time_point now) const noexcept;

  /// Forgets everything, as for another account or pool.
  void reset() noexcept;

 private:
  // weights_ is a ring: tick t is at t % size. It holds the ticks tick_ - most_ticks .. tick_; later ones had no share.
  [[nodiscard]] std::int64_t tick_at(time_point now) const noexcept;

  std::array<double, most_ticks + 1> weights_{};
  time_point start_{};
  std::int64_t tick_ = 0;
  std::uint32_t interval_ms_;
  std::uint8_t ticks_;
  bool started_ = false;
};

}  // namespace stratumproxy::metrics
