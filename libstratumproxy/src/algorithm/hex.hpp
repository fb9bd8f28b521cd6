#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stratumproxy::algorithm {

/// The value of a hex digit of either case; -1 when it is none.
[[nodiscard]] constexpr int digit_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// False unless the text is hex digits of exactly that many bytes; what was written then is of no use.
[[nodiscard]] constexpr bool decode_hex(std::string_view text, std::span<std::uint8_t> to) noexcept {
  if (text.size() != to.size() * 2) return false;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const int high = digit_value(text[2 * i]);
    const int low = digit_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    to[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace stratumproxy::algorithm
