#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <stratumproxy/metrics.hpp>

#include "store/store.hpp"

namespace stratumproxyd {

/// The hashrates of workers, by account and rig, over the last hours: one point a minute, in memory, for so many of them. Those
/// that were gone longest make room for others.
///
/// Thread: any; start() makes one that looks.
class worker_history {
 public:
  static constexpr std::chrono::seconds period{60};
  static constexpr std::size_t points = 180;
  static constexpr std::size_t most_workers = 2'000;

  /// May throw std::exception: that minute is then left out.
  using snapshot_source = std::function<stratumproxy::metrics::snapshot(stratumproxy::metrics::scope)>;
  using clock = std::function<moment()>;

  worker_history() = default;
  ~worker_history() { stop(); }
  worker_history(const worker_history&) = delete;
  worker_history& operator=(const worker_history&) = delete;

  /// Looks every minute on a thread of its own, until stop(). `source` is borrowed.
  void start(snapshot_source source, clock now);
  void stop();

  /// What `taken` says counts for the minute of `now`. Times do not go back.
  void add(const stratumproxy::metrics::snapshot& taken, moment now);

  /// Hashes per second in each minute from `from` on, `count` of them; 0 where nothing is known.
  [[nodiscard]] std::vector<double> hashrates(std::string_view account, std::string_view rig, moment from, std::size_t count) const;

 private:
  struct line {
    std::int64_t last = 0;       // its newest minute
    std::vector<float> values;   // the one of minute m is at m % points
  };
  using key = std::pair<std::string, std::string>;  // account, rig
  void forget_before(std::int64_t minute);
  bool make_room(std::int64_t minute);

  mutable std::mutex mutex_;  // guards what follows
  std::map<key, line> lines_;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace stratumproxyd
