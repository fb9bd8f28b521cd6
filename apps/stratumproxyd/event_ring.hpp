#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include <stratumproxy/clock.hpp>
#include <stratumproxy/log.hpp>

#include "line_quota.hpp"

namespace stratumproxyd {

/// The last events of the process, for those who look at its page. Bounded, in their number and in the size of each; a source
/// that says the same all the time has the allowance of line_quota, so that it does not push out all others.
/// Thread: any.
class event_ring {
 public:
  static constexpr std::size_t capacity = 512;

  struct entry {
    std::uint64_t seq = 0;
    std::int64_t time = 0;  ///< milliseconds since 1970
    stratumproxy::log_level level = stratumproxy::log_level::info;
    std::string members;    ///< as event_as_json() gives them
  };

  /// Numbers begin after microseconds since 1970, so that those of a later process are higher.
  event_ring();
  explicit event_ring(std::uint64_t before_first) : last_(before_first) {}

  void add(const stratumproxy::log_event& event);
  /// The two clocks apart, for tests: `now` is for the allowance, `time` is what is shown.
  void add(const stratumproxy::log_event& event, stratumproxy::time_point now, std::int64_t time);

  /// Those with a higher number, oldest first; all that are there, when no event has had so high a number yet.
  [[nodiscard]] std::vector<entry> after(std::uint64_t seq) const;

 private:
  void keep(const stratumproxy::log_event& event, std::int64_t time);

  mutable std::mutex mutex_;
  line_quota quota_;
  stratumproxy::time_point swept_{};
  std::uint64_t last_;
  std::deque<entry> entries_;
};

}  // namespace stratumproxyd
