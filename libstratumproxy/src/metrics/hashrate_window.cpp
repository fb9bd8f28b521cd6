#include "metrics/hashrate_window.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stratumproxy::metrics {
namespace {

std::uint32_t whole_milliseconds(duration value) noexcept {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(value).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 1, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

hashrate_window::hashrate_window(duration window, duration interval) noexcept
    : interval_ms_(whole_milliseconds(interval)),
      ticks_(static_cast<std::uint8_t>(std::clamp<std::uint32_t>(whole_milliseconds(window) / interval_ms_, 1, most_ticks))) {}

void hashrate_window::start(time_point now) noexcept {
  if (started_) return;
  started_ = true;
  start_ = now;
}

void hashrate_window::add(double weight, time_point now) noexcept {
  if (!started_ || !std::isfinite(weight) || weight <= 0) return;
  const auto size = static_cast<std::int64_t>(weights_.size());
  // A verdict never comes before its job, but a restore may bring a `now` that is a little behind.
  const auto tick = std::max(tick_at(now), tick_);
  for (auto fresh = std::max(tick_ + 1, tick - size + 1); fresh <= tick; ++fresh) {
    weights_[static_cast<std::size_t>(fresh % size)] = 0;
  }
  tick_ = tick;
  weights_[static_cast<std::size_t>(tick % size)] += weight;
}

double hashrate_window::hashrate(time_point now) const noexcept {
  if (!started_) return 0;
  const auto size = static_cast<std::int64_t>(weights_.size());
  const auto whole = tick_at(now);
  const auto counted = std::min<std::int64_t>(whole, ticks_);
  if (counted == 0) return 0;
  double weights = 0;
  for (auto tick = whole - counted; tick < whole && tick <= tick_; ++tick) {
    if (tick > tick_ - size) weights += weights_[static_cast<std::size_t>(tick % size)];
  }
  return std::ldexp(weights, 32) / (static_cast<double>(counted) * interval_ms_ / 1000.0);
}

void hashrate_window::reset() noexcept {
  weights_.fill(0);
  tick_ = 0;
  started_ = false;
}

std::int64_t hashrate_window::tick_at(time_point now) const noexcept {
  return std::max(now - start_, duration::zero()) / std::chrono::milliseconds(interval_ms_);
}

}  // namespace stratumproxy::metrics
