#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "algorithm/hex.hpp"
#include "stratumproxy/algorithm/uint256.hpp"

/// Bytes and numbers as the vectors of the tests write them.
namespace hex_bytes {

inline std::vector<std::uint8_t> bytes(std::string_view hex) {
  std::vector<std::uint8_t> to(hex.size() / 2);
  if (!stratumproxy::algorithm::decode_hex(hex, to)) throw std::invalid_argument("no hex: " + std::string(hex));
  return to;
}

inline std::string text(std::span<const std::uint8_t> bytes) {
  std::string to;
  for (const auto byte : bytes) {
    to += "0123456789abcdef"[byte >> 4];
    to += "0123456789abcdef"[byte & 15];
  }
  return to;
}

/// Most significant digit first, as explorers show hashes.
inline std::string text(const stratumproxy::algorithm::uint256& value) {
  std::array<std::uint8_t, 32> big_endian;
  for (std::size_t i = 0; i < 32; ++i) big_endian[31 - i] = static_cast<std::uint8_t>(value.words[i / 8] >> (8 * (i % 8)));
  return text(big_endian);
}

inline stratumproxy::algorithm::uint256 number(std::string_view hex64) {
  auto little_endian = bytes(hex64);
  std::reverse(little_endian.begin(), little_endian.end());
  return stratumproxy::algorithm::uint256::from_little_endian(std::span(little_endian).first<32>());
}

/// Turns each bit in turn, calls `then` with the bit's number, and turns it back.
template <class Then>
void each_bit(std::span<std::uint8_t> bytes, Then&& then) {
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto one = static_cast<std::uint8_t>(1 << bit % 8);
    bytes[bit / 8] ^= one;
    then(bit);
    bytes[bit / 8] ^= one;
  }
}

template <class Then>
void each_bit(std::uint32_t& number, Then&& then) {
  for (std::size_t bit = 0; bit < 32; ++bit) {
    number ^= 1U << bit;
    then(bit);
    number ^= 1U << bit;
  }
}

}  // namespace hex_bytes
