#include "net/proxy_header.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using namespace stratumproxy::net;
using namespace std::string_view_literals;
using state = proxy_header::state;

namespace {

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

// Version 2, with whatever stands behind the fixed part.
std::string v2(unsigned command, unsigned kind, const std::string& rest) {
  std::string bytes = signature;
  bytes += static_cast<char>(0x20 | command);
  bytes += static_cast<char>(kind);
  bytes += static_cast<char>(rest.size() >> 8);
  bytes += static_cast<char>(rest.size() & 0xff);
  return bytes + rest;
}

// 192.0.2.7:51000 to 198.51.100.1:9332.
const std::string ipv4_addresses("\xc0\x00\x02\x07\xc6\x33\x64\x01\xc7\x38\x24\x74", 12);
// [2001:db8::7]:51000 to [2001:db8::1]:9332.
const std::string ipv6_addresses = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16) +
                                   std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16) + "\xc7\x38\x24\x74";

std::string source_of(const proxy_header& header) { return header.source ? header.source->text() : "-"; }

// Of these bytes and of these with the first words of a miner behind them; each part of them is incomplete.
void check_whole(const std::string& bytes, const std::string& source) {
  CAPTURE(bytes);
  for (const std::string behind : {"", "{\"id\":1", "PROXY TCP4 "}) {
    const auto header = proxy_header::parse(bytes + behind);
    CHECK(header.is == state::whole);
    CHECK(header.size == bytes.size());
    CHECK(source_of(header) == source);
  }
  for (std::size_t length = 0; length < bytes.size(); ++length)
    CHECK(proxy_header::parse(std::string_view(bytes).substr(0, length)).is == state::incomplete);
}

state state_of(std::string_view bytes) { return proxy_header::parse(bytes).is; }

}  // namespace

TEST_CASE("a PROXY line names the miner") {
  check_whole("PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332\r\n", "192.0.2.7:51000");
  check_whole("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535");
  check_whole("PROXY TCP4 192.0.2.7 198.51.100.1 0 9332\r\n", "192.0.2.7:0");
  check_whole("PROXY TCP6 2001:db8::7 2001:db8::1 51000 9332\r\n", "[2001:db8::7]:51000");
  check_whole("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
              "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
  check_whole("PROXY TCP6 ::ffff:192.0.2.7 ::1 51000 9332\r\n", "192.0.2.7:51000");
}

TEST_CASE("a PROXY line of an unknown connection names nobody, whatever else it says") {
  check_whole("PROXY UNKNOWN\r\n", "-");
  check_whole("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "-");
  const std::string longest = "PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n";
  REQUIRE(longest.size() == 107);
  check_whole(longest, "-");
}

TEST_CASE("a line that is not quite one is malformed") {
  for (const auto line : {
           "PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332\n"sv, "PROXY TCP4 192.0.2.7 198.51.100.1 51000\r\n"sv,
           "PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332 \r\n"sv, "PROXY TCP4  192.0.2.7 198.51.100.1 51000 9332\r\n"sv,
           "PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332 1\r\n"sv, "PROXY TCP4 192.0.2.7 198.51.100.1 65536 9332\r\n"sv,
           "PROXY TCP4 192.0.2.7 198.51.100.1 051000 9332\r\n"sv, "PROXY TCP4 192.0.2.7 198.51.100.1 -1 9332\r\n"sv,
           "PROXY TCP4 192.0.2.7 198.51.100.1 51000 \r\n"sv, "PROXY TCP4 192.0.2.256 198.51.100.1 51000 9332\r\n"sv,
           "PROXY TCP4 192.0.2.7 farm.example 51000 9332\r\n"sv, "PROXY TCP4 2001:db8::7 2001:db8::1 51000 9332\r\n"sv,
           "PROXY TCP6 192.0.2.7 198.51.100.1 51000 9332\r\n"sv, "PROXY TCP6 2001:db8:::7 2001:db8::1 51000 9332\r\n"sv,
           "PROXY UDP4 192.0.2.7 198.51.100.1 51000 9332\r\n"sv, "PROXY tcp4 192.0.2.7 198.51.100.1 51000 9332\r\n"sv,
           "PROXY TCP4 192.0.2.7\0x 198.51.100.1 51000 9332\r\n"sv, "PROXY \r\n"sv, "PROXY\r\n"sv, "PROXY TCP4\r\n"sv,
           "proxy TCP4 192.0.2.7 198.51.100.1 51000 9332\r\n"sv, "{\"id\":1}\n"sv, "GET / HTTP/1.1\r\n"sv, "\x16\x03\x01"sv, "PROXZ"sv}) {
    CAPTURE(line);
    CHECK(state_of(line) == state::malformed);
  }
}

TEST_CASE("a line may not be longer than 107 bytes, and nothing more is waited for") {
  const std::string open = "PROXY UNKNOWN " + std::string(107 - 14 - 1, 'x');
  CHECK(state_of(open) == state::incomplete);
  CHECK(state_of(open + "x") == state::malformed);
  CHECK(state_of(open + "x\r\n") == state::malformed);
}

TEST_CASE("a binary header names the miner") {
  check_whole(v2(1, 0x11, ipv4_addresses), "192.0.2.7:51000");
  check_whole(v2(1, 0x21, ipv6_addresses), "[2001:db8::7]:51000");
}

TEST_CASE("extensions of a binary header are skipped") {
  const std::string extension = std::string("\x04\x00\x05", 3) + "xxxxx" + std::string("\x20\x00\x03", 3) + "\1\0\0";
  check_whole(v2(1, 0x11, ipv4_addresses + extension), "192.0.2.7:51000");
  check_whole(v2(1, 0x21, ipv6_addresses + extension), "[2001:db8::7]:51000");
  check_whole(v2(0, 0x00, extension), "-");
}

TEST_CASE("a binary header of the balancer itself, or of no TCP connection, names nobody") {
  check_whole(v2(0, 0x00, ""), "-");
  check_whole(v2(0, 0x11, ipv4_addresses), "-");
  check_whole(v2(0, 0xff, "whatever"), "-");
  check_whole(v2(1, 0x00, ""), "-");
  check_whole(v2(1, 0x00, "whatever"), "-");
  check_whole(v2(1, 0x31, std::string(216, '/')), "-");
  check_whole(v2(1, 0x12, ipv4_addresses), "-");
}

TEST_CASE("a binary header that is not quite one is malformed as soon as that is known") {
  std::string version1 = v2(1, 0x11, ipv4_addresses), command2 = v2(2, 0x11, ipv4_addresses);
  version1[12] = 0x11;
  for (const auto& bytes : {version1, command2, v2(1, 0x41, ipv4_addresses), v2(1, 0x13, ipv4_addresses),
                            v2(1, 0x11, ipv4_addresses.substr(1)), v2(1, 0x21, ipv6_addresses.substr(1)),
                            v2(1, 0x31, std::string(215, '/'))}) {
    CHECK(state_of(bytes) == state::malformed);
  }
  CHECK(state_of(version1.substr(0, 16)) == state::malformed);
  CHECK(state_of("\r\n\r\n\0\r\nQUIX"sv) == state::malformed);
}

TEST_CASE("a binary header may be so long, and no longer") {
  check_whole(v2(1, 0x11, ipv4_addresses + std::string(proxy_header::longest - 28, 'x')), "192.0.2.7:51000");
  CHECK(state_of(v2(1, 0x11, ipv4_addresses + std::string(proxy_header::longest - 27, 'x')).substr(0, 16)) == state::malformed);
}
