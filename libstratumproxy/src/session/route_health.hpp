#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "session/random.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/options.hpp"

namespace stratumproxy::session {

/// Whether workers should come to a route, by what its links on this shard have met.
///
///             failed()
///   sound ------------> unsound, until a link has worked for `pause` without a break
///     ^                   |
///     +---- works() ------+      the pause is `stable`, and up to half as much more at random; it doubles each time that the
///                                route fails within `return_max` of being sound again
///
/// Workers leave it because of their own link, not because of this: one link of many may fail while the others are fine. Only
/// a reject storm concerns all.
class route_health {
 public:
  route_health(const failover_options& config, const random_source& random) : config_(config), random_(random) {}

  void failed(metrics::switch_cause cause, time_point now) {
    worked_since_ = time_point::max();
    failed_at_ = now;
    cause_ = cause;
    // While it is unsound further failures are the same one: links that were on their way fail one after the other.
    if (!is_sound_) return;
    is_sound_ = false;
    if (now - sound_since_ >= config_.return_max) failures_ = 0;
    const duration full = std::min<duration>(config_.return_max, duration(config_.stable) * (1U << std::min(failures_++, 20U)));
    pause_ = full + random_below(random_, full / 2);
  }

  /// A link of it has work, and had since then. It is no break when a link is lost and there again at once: pools close those that
  /// send no shares.
  void works(time_point since, time_point now) noexcept {
    worked_since_ = std::min(worked_since_, std::max(since, failed_at_));
    if (is_sound_ || now - worked_since_ < pause_) return;
    is_sound_ = true;
    sound_since_ = now;
    verdicts_ = 0;
    rejected_ = 0;
  }

  /// Counts a verdict of the pool; true when with it a reject storm begins.
  [[nodiscard]] bool is_storm_after(bool accepted) noexcept {
    if (!is_sound_) return false;  // late ones of the last storm
    const auto most = std::clamp(config_.storm_shares, 1U, 64U);
    verdicts_ = std::min(verdicts_ + 1, most);
    rejected_ = rejected_ << 1 | (accepted ? 0U : 1U);
    const auto recent = most == 64 ? rejected_ : rejected_ & ((std::uint64_t{1} << most) - 1);
    return verdicts_ == most && static_cast<unsigned>(std::popcount(recent)) * 100 >= most * config_.storm_percent;
  }

  [[nodiscard]] bool is_sound() const noexcept { return is_sound_; }
  /// Why it is not.
  [[nodiscard]] metrics::switch_cause cause() const noexcept { return cause_; }
  [[nodiscard]] bool is_stormy() const noexcept { return !is_sound_ && cause_ == metrics::switch_cause::reject_storm; }

 private:
  const failover_options& config_;
  const random_source& random_;
  bool is_sound_ = true;
  metrics::switch_cause cause_ = metrics::switch_cause::returned;
  unsigned failures_ = 0;  // one after the other
  duration pause_{0};
  time_point failed_at_{};
  time_point worked_since_ = time_point::max();
  time_point sound_since_{};
  std::uint64_t rejected_ = 0;  // the last verdicts, the newest as the lowest bit
  unsigned verdicts_ = 0;
};

}  // namespace stratumproxy::session
