#pragma once

#include <chrono>

namespace stratumproxy {

/// Every duration and deadline of the proxy is measured on the monotonic clock, so that a jump of the wall clock
/// changes nothing. The core never reads a clock: the time is handed in as `now`.
using steady_clock = std::chrono::steady_clock;
using time_point = steady_clock::time_point;
using duration = steady_clock::duration;

}  // namespace stratumproxy
