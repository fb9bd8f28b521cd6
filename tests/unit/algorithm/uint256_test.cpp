#include "stratumproxy/algorithm/uint256.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <string_view>

#include "hex_bytes.hpp"

using namespace stratumproxy::algorithm;
using hex_bytes::number;
using hex_bytes::text;

namespace {

uint256 next(uint256 value) {
  for (auto& word : value.words) {
    if (++word != 0) break;
  }
  return value;
}

constexpr std::string_view diff1 = "00000000ffff0000000000000000000000000000000000000000000000000000";

}  // namespace

TEST_CASE("256-bit numbers compare by their most significant differing word") {
  CHECK(uint256{{0, 0, 0, 1}} > uint256{{~0ULL, ~0ULL, ~0ULL, 0}});
  CHECK(uint256{{1, 0, 0, 0}} > uint256{});
  CHECK(uint256{{5, 7, 0, 0}} < uint256{{4, 8, 0, 0}});
  CHECK(uint256{{5, 7, 9, 11}} == uint256{{5, 7, 9, 11}});
  CHECK(uint256::max() > uint256{{0, ~0ULL, ~0ULL, ~0ULL}});
}

TEST_CASE("a hash is read with its least significant byte first") {
  std::array<std::uint8_t, 32> bytes{};
  bytes[0] = 1;
  bytes[31] = 0x80;
  CHECK(uint256::from_little_endian(bytes) == uint256{{1, 0, 0, 0x8000000000000000ULL}});
}

// Worked out with Python's integers and fractions.
TEST_CASE("the target of a difficulty is exact, rounded down, and at most 2^256 - 1") {
  struct vector {
    double difficulty, divider;
    std::string_view target;
  };
  for (const auto& [difficulty, divider, target] : std::initializer_list<vector>{
      {1, 1, "00000000ffff0000000000000000000000000000000000000000000000000000"},
      {3, 1, "0000000055550000000000000000000000000000000000000000000000000000"},
      {16383.75, 1, "0000000000040000000000000000000000000000000000000000000000000000"},
      {0x1.0624dd2f1a9fcp-10, 1, "000003e7fc17fffffffa2405dc00000008c9f735fffffff2d10d2f00000013c6"},
      {0x1.12e0be826d695p-30, 1, "3b9a8e6535fffef481b5fe088151b0791619e09d7e3f36fccfbaa4c14955fdb7"},
      {0x1.0000000000000p-32, 1, "ffff000000000000000000000000000000000000000000000000000000000000"},
      {0x1.0000000000000p+64, 1, "000000000000000000000000ffff000000000000000000000000000000000000"},
      {16, 65536, "00000ffff0000000000000000000000000000000000000000000000000000000"},
      {0x1.999999999999ap-4, 65536, "0009fff5ffffffffd80028000000009fff5ffffffffd80028000000009fff5ff"},
      {0x1.7e43c8800759cp+996, 1, "0000000000000000000000000000000000000000000000000000000000000000"},
      {0x1.3e9e4e4c2f344p+199, 1, "00000000000000000000000000000000000000000000000000000000019b5eaf"},
      {20000, 0x1p32, "000346d916872b020c49ba5e353f7ced916872b020c49ba5e353f7ced916872b"},
      {0x1.6666666666666p-1, 3855, "000015830f0f24924986e96969cbc1501f98bd515a4f2522ba3ce19cd785310a"},
      {0x0.0000000000001p-1022, 1, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
      {0x1.fffe000000000p-33, 1, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
       }) {
    INFO(difficulty << " / " << divider);
    CHECK(text(target_of(difficulty, divider)) == target);
  }
}

TEST_CASE("a difficulty that is no number above 0 refuses nothing, an infinite one everything") {
  CHECK(target_of(0, 1) == uint256::max());
  CHECK(target_of(-1, 1) == uint256::max());
  CHECK(target_of(std::numeric_limits<double>::quiet_NaN(), 1) == uint256::max());
  CHECK(target_of(std::numeric_limits<double>::infinity(), 1) == uint256{});
}

TEST_CASE("the target of nbits is what Bitcoin makes of it") {
  CHECK(text(target_of_nbits(0x1d00ffff)) == diff1);
  CHECK(text(target_of_nbits(0x207fffff)) == "7fffff0000000000000000000000000000000000000000000000000000000000");
  CHECK(text(target_of_nbits(0x1b0404cb)) == "00000000000404cb000000000000000000000000000000000000000000000000");
  CHECK(target_of_nbits(0x03123456) == uint256{{0x123456, 0, 0, 0}});
  CHECK(target_of_nbits(0x01123456) == uint256{{0x12, 0, 0, 0}});
  CHECK(target_of_nbits(0x00123456) == uint256{});
  CHECK(target_of_nbits(0x04923456) == uint256{});  // negative
  CHECK(text(target_of_nbits(0x220000ff)) == "ff00000000000000000000000000000000000000000000000000000000000000");
  CHECK(target_of_nbits(0x22000100) == uint256{});  // over 2^256
  CHECK(target_of_nbits(0xff7fffff) == uint256{});
  CHECK(target_of_nbits(0xff000000) == uint256{});
}

// Worked out with Python, whose division of integers rounds correctly.
TEST_CASE("the difficulty of a hash is correctly rounded") {
  struct vector {
    std::string_view hash;
    double divider, difficulty;
  };
  for (const auto& [hash, divider, difficulty] : std::initializer_list<vector>{
      {"0000000000000000000000000000000000000000000000000000000000000001", 1, 0x1.fffe000000000p+223},
      {"00000000ffff0000000000000000000000000000000000000000000000000000", 1, 0x1.0000000000000p+0},
      {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 1, 0x1.fffe000000000p-33},
      {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 65536, 0x1.fffe000000000p-17},
      {"0000000000000000000000000000000000000000000000000000000000000003", 0x1p32, 0x1.5554000000000p+254},
      {"d23f0824128b2f330c5c7fd0a6a3a4506513270e269e0d37f2a74de452e6b438", 1, 0x1.37b4ba0a8a7b7p-32},
      {"0000000081e74ef5e8e25d940ed904759531985d5d9dc9f81818e811892f902b", 1, 0x1.f87d5bd6fa4b8p+0},
      {"000000000000000000011e206b0d549b6f03675a1600a35a099950d836f675cc", 65536, 0x1.ca15798475686p+63},
      {"0000000000000090d3ac94af0f21ddb66cad4a268d116ece1738f7d93d9c1724", 3855, 0x1.a9e1a1c14d06ap+36},
      {"0000001ff29d0da9953f48f1a09f76b5a170b33839263059f28c105d1fb17c23", 128, 0x1.006a4406eb3c3p+2},
      {"00000000000000066cd54b2d8113635efc2fbdd8b3fb65b691ed05cc466b522e", 1, 0x1.3ebe5aa1598adp+29},  // just above the middle of two doubles
       }) {
    INFO(hash << " / " << divider);
    CHECK(difficulty_of(number(hash), divider) == difficulty);
  }
  CHECK(std::isinf(difficulty_of(uint256{}, 1)));
}

TEST_CASE("a share target gives way by 2^-15, and not by one more") {
  const uint256 target = number("00000000ffedcba9876543210f0123456789abcdeffedcba98765432100f1e2d");
  const uint256 widened = number("00000000ffefcb851eb851eb95434147ae147ae1479abcb851eb851eb8733e4b");
  CHECK(meets_share_target(target, target));
  CHECK(meets_share_target(widened, target));
  CHECK_FALSE(meets_share_target(next(widened), target));
  CHECK(meets_share_target(uint256::max(), uint256::max()));
  CHECK_FALSE(meets_share_target(uint256{{1, 0, 0, 0}}, uint256{}));
}

TEST_CASE("a share of difficulty 1 as 2^224 - 1 has it passes") {
  CHECK(meets_share_target(number("00000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), target_of(1, 1)));
}

TEST_CASE("a higher difficulty never has a higher target") {
  std::mt19937_64 random(4);
  std::uniform_real_distribution<double> exponent(-40, 80);
  for (int i = 0; i < 20'000; ++i) {
    const double divider = i % 2 == 0 ? 1 : 65'536;
    const double low = std::exp2(exponent(random));
    const double high = i % 3 == 0 ? std::nextafter(low, 1e300) : low * (1 + exponent(random) / 1'000 + 0.05);
    INFO(low << " " << high);
    REQUIRE(high > low);
    REQUIRE(target_of(high, divider) <= target_of(low, divider));
  }
}

TEST_CASE("from a difficulty to its target and back is the same difficulty") {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> exponent(-31, 100);
  for (int i = 0; i < 20'000; ++i) {
    const double divider = std::array{1.0, 256.0, 3'855.0}[static_cast<std::size_t>(i % 3)];
    const double difficulty = std::exp2(exponent(random)) * divider;
    INFO(difficulty << " / " << divider);
    REQUIRE(difficulty_of(target_of(difficulty, divider), divider) == difficulty);
  }
}

TEST_CASE("a hash meets the target of a difficulty when its own difficulty is at least as high") {
  std::mt19937_64 random(6);
  for (int i = 0; i < 20'000; ++i) {
    uint256 hash;
    for (auto& word : hash.words) word = random();
    hash.words[3] >>= random() % 64;
    const double difficulty = difficulty_of(hash, 1);
    REQUIRE(hash <= target_of(std::nextafter(difficulty, 0), 1));
    REQUIRE_FALSE(hash <= target_of(std::nextafter(difficulty, 1e300), 1));
  }
}
