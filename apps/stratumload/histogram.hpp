#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "clock.hpp"

namespace stratumload {

/// Durations with less than 1 % error from 1 ns on, in fixed memory: 128 steps for each power of two.
class histogram {
 public:
  void add(nanoseconds value) {
    const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.count()));
    ++counts_[index_of(count)];
    ++total_;
    max_ = std::max(max_, value);
  }

  [[nodiscard]] std::uint64_t count() const { return total_; }
  [[nodiscard]] nanoseconds max() const { return max_; }

  /// The smallest duration that at least the share `part` (0 to 1) of all do not exceed; 0 when there are none.
  [[nodiscard]] nanoseconds percentile(double part) const {
    if (total_ == 0) return nanoseconds{0};
    const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(part * static_cast<double>(total_) + 0.5));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted) return std::min(max_, nanoseconds{static_cast<std::int64_t>(upper_end(i))});
    }
    return max_;
  }

  void clear() { *this = histogram{}; }

 private:
  static constexpr unsigned step_bits = 7;
  static constexpr std::uint64_t steps = 1u << step_bits;

  static std::size_t index_of(std::uint64_t value) {
    if (value < steps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - step_bits - 1;
    const std::size_t index = (static_cast<std::size_t>(shift) + 1) * steps + ((value >> shift) - steps);
    return std::min(index, size - 1);
  }

  static std::uint64_t upper_end(std::size_t index) {
    if (index < steps) return index;
    const auto shift = index / steps - 1;
    return ((index % steps + steps + 1) << shift) - 1;
  }

  static constexpr std::size_t size = 40 * steps;  // up to two minutes and more

  std::array<std::uint64_t, size> counts_{};
  std::uint64_t total_ = 0;
  nanoseconds max_{0};
};

}  // namespace stratumload
