#include <catch2/catch.hpp>

#include <string>

#include "endpoint.hpp"

using stratumproxyd::parse_endpoint;
using stratumproxyd::parse_pool;

TEST_CASE("hosts are taken in every form and kept in one") {
  const auto text = [](std::string_view from) {
    const auto parsed = parse_endpoint(from);
    return parsed ? parsed->text() : std::string("none");
  };
  CHECK(text("Pool.Example.COM:3333") == "pool.example.com:3333");
  CHECK(text("localhost:0") == "localhost:0");
  CHECK(text("10.0.0.1:65535") == "10.0.0.1:65535");
  CHECK(text("[2001:DB8:0:0:0:0:0:1]:1") == "[2001:db8::1]:1");
  CHECK(text("pool.xn--p1ai:1") == "pool.xn--p1ai:1");
  CHECK(text("3pool.example:1") == "3pool.example:1");
  CHECK(text("a_b.example:1") == "a_b.example:1");
}

TEST_CASE("what is no HOST:PORT is refused") {
  for (const std::string text : {"", ":", ":1", "a", "a:", "a:65536", "a:-1", "a:+1", "a: 1", "a:1 ", " a:1", "a:0x1", "a:1:2", "::1:1", "[::1]",
                                 "[::1:1", "::1]:1", "[fe80::1%eth0]:1", "[10.0.0.1]:1", "256.1.1.1:1", "1.2.3:1", "1.2.3.4.5:1", "-a:1", "a-:1",
                                 ".a:1", "a.:1", "a..b:1", "a/b:1", "user@a:1", "http://a:1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_endpoint(text));
  }
  CHECK_FALSE(parse_endpoint(std::string_view("a\0b:1", 5)));
  CHECK_FALSE(parse_endpoint(std::string(64, 'a') + ":1"));
  std::string deep = "a";
  while (deep.size() < 260) deep += ".a";
  CHECK_FALSE(parse_endpoint(deep + ":1"));
}

TEST_CASE("a pool's address has a port from 1 on") {
  const auto address = parse_pool("Pool.Example:3333");
  REQUIRE(address);
  CHECK(address->host == "pool.example");
  CHECK(address->port == 3333);
  CHECK(parse_pool("[2001:DB8::1]:1")->host == "2001:db8::1");
  for (const char* bad : {"", ":", "a", "a:", ":1", "a:0", "a:-1", "a:65536", "a:1 ", "::1:1", "[]:1", "a b:1", "\xc3\xa4:1"})
    CHECK_FALSE(parse_pool(bad));
}

TEST_CASE("loopback is told from the rest") {
  for (const std::string text : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"}) CHECK(parse_endpoint(text)->is_loopback());
  for (const std::string text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example:1", "localhost.example:1"})
    CHECK_FALSE(parse_endpoint(text)->is_loopback());
}
