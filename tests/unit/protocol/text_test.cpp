#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "protocol/json_text.hpp"
#include "stratumproxy/protocol/codec.hpp"

using namespace stratumproxy::protocol;

namespace {

std::string number(double value) {
  std::string out;
  append_number(out, value);
  return out;
}

}  // namespace

TEST_CASE("integral numbers have no fraction, and no number has an exponent") {
  CHECK(number(1024) == "1024");
  CHECK(number(0) == "0");
  CHECK(number(-0.0) == "0");
  CHECK(number(0.5) == "0.5");
  CHECK(number(16383.75) == "16383.75");
  CHECK(number(0.0005430825985877853) == "0.0005430825985877853");
  CHECK(number(1e21) == "1000000000000000000000");
  CHECK(number(1e-7) == "0.0000001");
  CHECK(number(0x1p64) == "18446744073709551616");
  CHECK(number(0x1p-32).substr(0, 14) == "0.000000000232");
}

TEST_CASE("what is no finite number is written as 0") {
  CHECK(number(std::nan("")) == "0");
  CHECK(number(std::numeric_limits<double>::infinity()) == "0");
}

TEST_CASE("any number reads back as itself, without an exponent") {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20000; ++i) {
    double value = 0;
    const auto bits = random();
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    const auto text = number(value);
    CHECK(text.find_first_of("eE+") == std::string::npos);
    CHECK(std::strtod(text.c_str(), nullptr) == value);
  }
  for (const double value : {std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest(),
                             std::numeric_limits<double>::min(), std::numeric_limits<double>::denorm_min(),
                             -std::numeric_limits<double>::denorm_min(), 1.7976931348623155e308, 2.2250738585072011e-308}) {
    CHECK(std::strtod(number(value).c_str(), nullptr) == value);
  }
}

TEST_CASE("printable text is ASCII without control characters, cut to its limit") {
  CHECK(printable("cgminer/4.10.0 ~!", 100) == "cgminer/4.10.0 ~!");
  CHECK(printable("\x1b[2J\n\xc3\xa9\x7f", 100) == "?[2J????");
  CHECK(printable(std::string(200, 'a'), 128).size() == 128);
  CHECK(printable("abc", 0).empty());
}

TEST_CASE("hex numbers of up to eight digits are read, short ones as left-padded") {
  CHECK(parse_hex32("66a00000") == 0x66a00000u);
  CHECK(parse_hex32("FFFFffff") == 0xffffffffu);
  CHECK(parse_hex32("a9a049c") == 0x0a9a049cu);
  CHECK(parse_hex32("0") == 0u);
  for (const auto* text : {"", "123456789", "-000abcd", "+1", " 000abcd", "0x12", "12 ", "g", "1.0"}) {
    INFO(text);
    CHECK_FALSE(parse_hex32(text));
  }
}

TEST_CASE("job ids are read only as they were written") {
  CHECK(parse_job_id("0") == 0u);
  CHECK(parse_job_id("1f") == 0x1fu);
  CHECK(parse_job_id("ffffffffffffffff") == 0xffffffffffffffffu);
  for (const auto* text : {"", "01", "1F", "10000000000000000", "-1", " 1", "1 ", "0x1", "g", "00"}) {
    INFO(text);
    CHECK_FALSE(parse_job_id(text));
  }
  CHECK_FALSE(parse_job_id(std::string(4096, 'a')));
}

TEST_CASE("decimal numbers are read whole or not at all") {
  CHECK(parse_double("-1.5e3") == -1500.0);
  CHECK_FALSE(parse_double(""));
  CHECK_FALSE(parse_double("1x"));
  CHECK_FALSE(parse_double(" 1"));
  CHECK_FALSE(parse_double("inf"));
  CHECK_FALSE(parse_double("nan"));
  CHECK(parse_unsigned("18446744073709551615") == 18446744073709551615u);
  CHECK_FALSE(parse_unsigned("18446744073709551616"));
  CHECK_FALSE(parse_unsigned("-1"));
  CHECK_FALSE(parse_unsigned("1.0"));
}
