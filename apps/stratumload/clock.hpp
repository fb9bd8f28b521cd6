#pragma once

#include <chrono>
#include <cstdint>

namespace stratumload {

/// Monotonic, and the same in both processes of a bench.
using monotonic = std::chrono::steady_clock;
using time_point = monotonic::time_point;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

[[nodiscard]] inline time_point now() { return monotonic::now(); }

[[nodiscard]] inline nanoseconds seconds_of(double value) {
  return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(value));
}

[[nodiscard]] inline double in_seconds(nanoseconds value) { return std::chrono::duration<double>(value).count(); }

}  // namespace stratumload
