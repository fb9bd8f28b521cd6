#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stratumproxy/clock.hpp"

namespace stratumproxy::net {

/// How often the proxy closed the connections of an address for what they did. Any thread; only such closes and whoever asks take the lock.
class offences {
 public:
  static constexpr std::chrono::seconds window{60};
  static constexpr std::size_t most = 10'000;  ///< addresses; beyond, only those that are known are counted

  void note(const std::string& address, time_point now) {
    const std::lock_guard lock(mutex_);
    if (counts_.size() >= most && now - forgot_at_ >= std::chrono::seconds(1)) forget_old(now);
    auto found = counts_.find(address);
    if (found == counts_.end()) {
      if (counts_.size() >= most) return;
      found = counts_.emplace(address, count{0, now}).first;
    }
    if (now - found->second.since >= window) found->second = {0, now};
    ++found->second.closes;
  }

  /// Those with at least so many within the window that is open for them; their count begins anew.
  [[nodiscard]] std::vector<std::string> take(unsigned closes, time_point now) {
    const std::lock_guard lock(mutex_);
    forget_old(now);
    std::vector<std::string> found;
    for (auto entry = counts_.begin(); entry != counts_.end();) {
      if (entry->second.closes < closes) {
        ++entry;
        continue;
      }
      found.push_back(entry->first);
      entry = counts_.erase(entry);
    }
    return found;
  }

 private:
  struct count {
    unsigned closes = 0;
    time_point since{};
  };

  void forget_old(time_point now) {
    forgot_at_ = now;
    std::erase_if(counts_, [&](const auto& entry) { return now - entry.second.since >= window; });
  }

  std::mutex mutex_;
  std::unordered_map<std::string, count> counts_;
  time_point forgot_at_{};
};

}  // namespace stratumproxy::net
