#include "net/socks5.hpp"

#include <string>
#include <string_view>

#include <catch2/catch.hpp>

using namespace std::string_literals;
using stratumproxy::net::socks5;
using state = socks5::state;

namespace {

const std::string accepted = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s;

// One byte at a time, and never more than it asked for.
void answer(socks5& at, std::string_view bytes) {
  for (const char byte : bytes) {
    REQUIRE(at.wanted() > 0);
    at.receive({&byte, 1});
  }
}

}  // namespace

TEST_CASE("a SOCKS server is asked for the pool by its name") {
  socks5 at("pool.example", 3333, "", "");
  CHECK(at.take_output() == "\x05\x01\x00"s);
  CHECK(at.take_output().empty());
  CHECK(at.wanted() == 2);
  answer(at, "\x05\x00"s);
  CHECK(at.take_output() == "\x05\x01\x00\x03\x0cpool.example\x0d\x05"s);
  answer(at, accepted);
  CHECK(at.where() == state::done);
  CHECK(at.wanted() == 0);
}

TEST_CASE("a pool without a name is asked for by its address") {
  const auto asked = [](const std::string& host) {
    socks5 at(host, 256, "", "");
    (void)at.take_output();
    answer(at, "\x05\x00"s);
    return at.take_output();
  };
  CHECK(asked("10.1.2.3") == "\x05\x01\x00\x01\x0a\x01\x02\x03\x01\x00"s);
  CHECK(asked("2001:db8::1") == "\x05\x01\x00\x04\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01\x01\x00"s);
}

TEST_CASE("user and password are given when the server wants them, and only then") {
  socks5 at("p", 1, "me", "secret");
  CHECK(at.take_output() == "\x05\x02\x00\x02"s);
  SECTION("it wants them") {
    answer(at, "\x05\x02"s);
    CHECK(at.take_output() == "\x01\x02me\x06secret"s);
    answer(at, "\x01\x00"s);
  }
  SECTION("it does not") { answer(at, "\x05\x00"s); }
  CHECK(at.take_output() == "\x05\x01\x00\x03\x01p\x00\x01"s);
  answer(at, accepted);
  CHECK(at.where() == state::done);
}

TEST_CASE("the address in the answer is read to its end, and nothing behind it") {
  const auto address = GENERATE("\x01\x7f\x00\x00\x01"s, "\x04"s + std::string(16, 'x'), "\x03\x05proxy"s, "\x03\x00"s);
  socks5 at("p", 1, "", "");
  answer(at, "\x05\x00"s);
  answer(at, "\x05\x00\x00"s + address + "\x1f\x90"s);
  CHECK(at.where() == state::done);
  at.receive("of the pool");
  CHECK(at.where() == state::done);
}

TEST_CASE("whatever a SOCKS server refuses, it is said why") {
  const auto fault = [](std::string_view bytes, const std::string& user = "") {
    socks5 at("p", 1, user, user);
    answer(at, bytes);
    CHECK(at.where() == state::failed);
    CHECK(at.wanted() == 0);
    return at.fault();
  };
  CHECK(fault("\x04\x00"s) == "the SOCKS server: it does not speak SOCKS5");
  CHECK(fault("HT") == "the SOCKS server: it does not speak SOCKS5");
  CHECK(fault("\x05\xff"s) == "the SOCKS server: it wants a user and a password");
  CHECK(fault("\x05\x02"s) == "the SOCKS server: it wants a user and a password");
  CHECK(fault("\x05\xff"s, "me") == "the SOCKS server: it takes no password");
  CHECK(fault("\x05\x02\x01\x01"s, "me") == "the SOCKS server: it refused the user or the password");
  CHECK(fault("\x05\x00\x05\x05\x00\x01\x00"s) == "the SOCKS server: connection refused");
  CHECK(fault("\x05\x00\x05\x04\x00\x01\x00"s) == "the SOCKS server: host unreachable");
  CHECK(fault("\x05\x00\x05\x63\x00\x01\x00"s) == "the SOCKS server: reply 99");
  CHECK(fault("\x05\x00\x05\x00\x00\x07\x00"s) == "the SOCKS server: it answered with an unknown kind of address");
  socks5 too_long(std::string(256, 'h'), 1, "", "");
  CHECK(too_long.where() == state::failed);
}
