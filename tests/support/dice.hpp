#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

namespace stratumproxy::test {

/// xoshiro256++: most of the time of the tests that use it goes into random numbers.
class dice {
 public:
  explicit dice(std::uint64_t seed) {
    std::mt19937_64 source(seed);
    for (auto& word : state_) word = source();
  }
  /// In (0, 1].
  double uniform() {
    const auto result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const auto shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return static_cast<double>((result >> 11) + 1) * 0x1p-53;
  }
  /// Until the next event of a Poisson process, in the unit of 1 / `rate`.
  double wait(double rate) { return -std::log(uniform()) / rate; }

 private:
  std::uint64_t state_[4];
};

}  // namespace stratumproxy::test
