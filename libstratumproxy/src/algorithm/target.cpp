#include "algorithm/target.hpp"

#include <cmath>

namespace stratumproxy::algorithm {
namespace {

int digit_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

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
