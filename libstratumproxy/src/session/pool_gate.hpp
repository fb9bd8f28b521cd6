#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "session/ids.hpp"
#include "session/random.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/options.hpp"

namespace stratumproxy::session {

/// The back-off of one pool endpoint on one shard. Links ask for a turn; the gate says who may connect and when.
///
///          failed()                       succeeded()
///   open ------------> closed(retry_at) ---------------> open, but the delay goes on growing until settled()
///                        |        ^                       those who waited are spread over `spread`
///          one prober at |        | failed(): the delay doubles, with jitter
///          a time        +--------+
///
/// While it is open, connections are paced: a pool that restarts is not run over by all of a farm at once.
class pool_gate {
 public:
  pool_gate(const upstream_options& config, const random_source& random) : config_(config), random_(random) {}

  void want(link_id link, time_point now);
  void forget(link_id link);
  void succeeded(link_id link, time_point now);
  void failed(link_id link, time_point now);
  /// A link has lived for long: the pool is sound again.
  void settled() noexcept { failures_ = 0; }

  /// Whether links that ask now connect at once, or after their turn; or it is time to try it again, and nobody does.
  [[nodiscard]] bool is_open(time_point now) const noexcept {
    return !is_closed_ || (waiting_.empty() && !prober_ && now >= retry_at_);
  }
  /// A link whose turn it is; call until there is none.
  [[nodiscard]] std::optional<link_id> next(time_point now);
  /// When next() may have something; time_point::max() for never.
  [[nodiscard]] time_point due(time_point now) const;

 private:
  struct turn {
    link_id link;
    time_point at;
  };
  [[nodiscard]] duration pace() const { return duration(std::chrono::seconds(1)) / config_.connects_per_second; }

  const upstream_options& config_;
  const random_source& random_;
  std::vector<turn> waiting_;  // in the order of asking
  std::optional<link_id> prober_;
  bool is_closed_ = false;
  unsigned failures_ = 0;  // in a row, without a link that lived
  time_point retry_at_{};
  time_point paced_until_{};
};

}  // namespace stratumproxy::session
