#include "admin/rate_limit.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace stratumproxyd {
namespace {

std::string key_of(const std::string& address) {
  std::array<char, 16> bytes;
  if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  constexpr std::array<char, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};
  const bool is_ipv4 = std::equal(mapped.begin(), mapped.end(), bytes.begin());
  return {bytes.data(), is_ipv4 ? bytes.size() : bytes.size() / 2};
}

}  // namespace

void rate_limit::set(rate allowed) {
  const std::lock_guard lock(mutex_);
  allowed_ = allowed;
}

rate_limit::bucket& rate_limit::fill(const std::string& address, time_point now) {
  const auto key = key_of(address);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    auto& there = *found->second;
    buckets_.splice(buckets_.begin(), buckets_, found->second);
    const std::chrono::duration<double> passed = std::max(now - there.at, time_point::duration::zero());
    there.tokens = std::min<double>(allowed_.burst, there.tokens + passed.count() * allowed_.per_minute / 60);
    there.at = std::max(there.at, now);
    return there;
  }
  if (buckets_.size() >= most_) {
    by_key_.erase(buckets_.back().key);
    buckets_.pop_back();
  }
  buckets_.push_front({key, static_cast<double>(allowed_.burst), now});
  by_key_[key] = buckets_.begin();
  return buckets_.front();
}

std::optional<std::chrono::seconds> rate_limit::take(const std::string& address, time_point now) {
  const std::lock_guard lock(mutex_);
  auto& from = fill(address, now);
  if (from.tokens >= 1) {
    from.tokens -= 1;
    return std::nullopt;
  }
  const double wait = std::ceil((1 - from.tokens) * 60 / allowed_.per_minute);
  return std::chrono::seconds(std::max(1L, static_cast<long>(wait)));
}

bool rate_limit::is_empty(const std::string& address, time_point now) {
  const std::lock_guard lock(mutex_);
  return by_key_.contains(key_of(address)) && fill(address, now).tokens < 1;
}

std::size_t rate_limit::size() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

}  // namespace stratumproxyd
