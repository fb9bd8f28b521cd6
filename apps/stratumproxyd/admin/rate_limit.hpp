#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "admin/access_policy.hpp"

namespace stratumproxyd {

/// One bucket of tokens for each client address; for each /64 network of IPv6, which one client has to itself. Thread: any.
class rate_limit {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// `most`: addresses that are remembered. The one that was silent longest is forgotten first, and so gets a full bucket.
  explicit rate_limit(rate allowed, std::size_t most = 10'000) : allowed_(allowed), most_(most) {}

  /// What is in the buckets stays.
  void set(rate allowed);

  /// Takes one from the bucket; nothing when it had one, else the time until it has.
  [[nodiscard]] std::optional<std::chrono::seconds> take(const std::string& address, time_point now);
  [[nodiscard]] bool is_empty(const std::string& address, time_point now);
  [[nodiscard]] std::size_t size() const;

 private:
  struct bucket {
    std::string key;
    double tokens = 0;
    time_point at;
  };

  bucket& fill(const std::string& address, time_point now);

  mutable std::mutex mutex_;
  rate allowed_;
  const std::size_t most_;
  std::list<bucket> buckets_;  // the one used last in front
  std::unordered_map<std::string, std::list<bucket>::iterator> by_key_;
};

}  // namespace stratumproxyd
