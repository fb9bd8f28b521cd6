#include "stratumproxy/algorithm/uint256.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace stratumproxy::algorithm {
namespace {

__extension__ using uint128 = unsigned __int128;

constexpr std::uint64_t diff1_digits = 0xffff;  // difficulty 1 is the target 0xffff * 2^208
constexpr int diff1_shift = 208;

// value = mantissa * 2^exponent, exactly, with 53 bits of mantissa.
struct split_double {
  std::uint64_t mantissa;
  int exponent;

  explicit split_double(double value) noexcept {
    mantissa = static_cast<std::uint64_t>(std::ldexp(std::frexp(value, &exponent), 53));
    exponent -= 53;
  }
};

int bit_width(const uint256& value) noexcept {
  for (int i = 3; i >= 0; --i) {
    const auto word = value.words[static_cast<std::size_t>(i)];
    if (word != 0) return 64 * i + std::bit_width(word);
  }
  return 0;
}

uint256 shift_left(const uint256& value, unsigned by) noexcept {
  uint256 to;
  const std::size_t words = by / 64;
  const unsigned bits = by % 64;
  for (std::size_t i = 4; i-- > words;) {
    const std::size_t from = i - words;
    to.words[i] = value.words[from] << bits;
    if (bits != 0 && from > 0) to.words[i] |= value.words[from - 1] >> (64 - bits);
  }
  return to;
}

// The sum modulo 2^256; true when there was a carry out.
bool add(uint256& to, const uint256& what) noexcept {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const uint128 sum = uint128{to.words[i]} + what.words[i] + carry;
    to.words[i] = static_cast<std::uint64_t>(sum);
    carry = static_cast<std::uint64_t>(sum >> 64);
  }
  return carry != 0;
}

void subtract(uint256& from, const uint256& what) noexcept {
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const uint128 difference = uint128{from.words[i]} - what.words[i] - borrow;
    from.words[i] = static_cast<std::uint64_t>(difference);
    borrow = static_cast<std::uint64_t>(difference >> 64) & 1;
  }
}

}  // namespace

uint256 uint256::from_little_endian(std::span<const std::uint8_t, 32> bytes) noexcept {
  uint256 value;
  for (std::size_t i = 0; i < bytes.size(); ++i) value.words[i / 8] |= std::uint64_t{bytes[i]} << (8 * (i % 8));
  return value;
}

uint256 target_of(double difficulty, double divider) noexcept {
  if (!(difficulty > 0)) return uint256::max();
  if (std::isinf(difficulty)) return {};
  const split_double top(divider);
  const split_double bottom(difficulty);
  const uint128 scaled = uint128{diff1_digits} * top.mantissa;
  uint256 quotient{{static_cast<std::uint64_t>(scaled / bottom.mantissa)}};  // 15 to 17 bits: the mantissas have 53
  auto rest = static_cast<std::uint64_t>(scaled % bottom.mantissa);
  int shift = diff1_shift + top.exponent - bottom.exponent;
  if (shift < 0) return shift > -64 ? uint256{{quotient.words[0] >> -shift}} : uint256{};
  while (shift > 0) {
    const int step = std::min(shift, 64);
    if (bit_width(quotient) + step > 256) return uint256::max();
    const uint128 more = uint128{rest} << step;
    quotient = shift_left(quotient, static_cast<unsigned>(step));
    quotient.words[0] |= static_cast<std::uint64_t>(more / bottom.mantissa);
    rest = static_cast<std::uint64_t>(more % bottom.mantissa);
    shift -= step;
  }
  return quotient;
}

uint256 target_of_nbits(std::uint32_t nbits) noexcept {
  constexpr std::uint32_t sign = 0x800000;
  const unsigned size = nbits >> 24;  // of the number in bytes
  const uint256 digits{{nbits & (sign - 1)}};
  if ((nbits & sign) != 0) return {};
  if (size <= 3) return {{digits.words[0] >> (8 * (3 - size))}};
  if (bit_width(digits) + 8 * static_cast<int>(size - 3) > 256) return {};
  return shift_left(digits, 8 * (size - 3));
}

double difficulty_of(const uint256& hash, double divider) noexcept {
  if (hash == uint256{}) return std::numeric_limits<double>::infinity();
  const split_double top(divider);
  const uint128 scaled = uint128{diff1_digits} * top.mantissa;
  uint256 rest{{static_cast<std::uint64_t>(scaled), static_cast<std::uint64_t>(scaled >> 64)}};
  // Both get all 256 bits, so that the quotient is between 1/2 and 2.
  const int rest_shift = 256 - bit_width(rest);
  const int hash_shift = 256 - bit_width(hash);
  rest = shift_left(rest, static_cast<unsigned>(rest_shift));
  const uint256 by = shift_left(hash, static_cast<unsigned>(hash_shift));
  std::uint64_t quotient = 0;
  bool carry = false;  // bit 256 of the rest
  for (int bit = 0; bit < 64; ++bit) {
    quotient <<= 1;
    if (carry || rest >= by) {
      subtract(rest, by);
      quotient |= 1;
    }
    carry = add(rest, uint256(rest));
  }
  if (carry || rest != uint256{}) quotient |= 1;  // so that what is above half stays there when 64 bits are rounded to 53
  return std::ldexp(static_cast<double>(quotient), diff1_shift + top.exponent - rest_shift + hash_shift - 63);
}

bool meets_share_target(const uint256& hash, const uint256& target) noexcept {
  if (hash <= target) return true;
  uint256 slack;
  for (std::size_t i = 0; i < 4; ++i) {
    slack.words[i] = target.words[i] >> slack_bits;
    if (i < 3) slack.words[i] |= target.words[i + 1] << (64 - slack_bits);
  }
  uint256 widened = target;
  return add(widened, slack) || hash <= widened;
}

}  // namespace stratumproxy::algorithm
