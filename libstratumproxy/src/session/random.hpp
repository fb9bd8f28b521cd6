#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

#include "stratumproxy/clock.hpp"

namespace stratumproxy::session {

using random_source = std::function<void(std::span<std::uint8_t>)>;

[[nodiscard]] inline std::uint64_t random_64(const random_source& random) {
  std::uint64_t value = 0;
  std::uint8_t bytes[sizeof(value)];
  random(bytes);
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

/// Uniform in [0, limit).
[[nodiscard]] inline duration random_below(const random_source& random, duration limit) {
  if (limit.count() <= 0) return duration{0};
  return duration{static_cast<duration::rep>(random_64(random) % static_cast<std::uint64_t>(limit.count()))};
}

}  // namespace stratumproxy::session
