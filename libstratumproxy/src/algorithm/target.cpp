#include "algorithm/target.hpp"

#include <cmath>

#include "algorithm/hex.hpp"

namespace stratumproxy::algorithm {

double difficulty_from_target(std::string_view hex64, double divider) noexcept {
  if (hex64.starts_with("0x") || hex64.starts_with("0X")) hex64.remove_prefix(2);
  if (hex64.size() != 64) return 0;
  double target = 0;
  for (const char c : hex64) {
    const int value = digit_value(c);
    if (value < 0) return 0;
    target = target * 16 + value;
  }
  if (!(target > 0) || !std::isfinite(divider) || divider <= 0) return 0;
  return std::ldexp(65535.0, 208) / target * divider;
}

}  // namespace stratumproxy::algorithm
