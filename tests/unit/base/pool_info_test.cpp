#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

#include "stratumproxy/account.hpp"
#include "stratumproxy/proxy.hpp"

using namespace stratumproxy;

namespace {

std::string pool_name(std::string host, std::uint16_t port) {
  pool_info pool;
  pool.host = std::move(host);
  pool.port = port;
  return pool.name();
}

}  // namespace

TEST_CASE("a pool is named by host and port") {
  CHECK(pool_name("pool.example", 3333) == "pool.example:3333");
  CHECK(pool_name("192.0.2.7", 1) == "192.0.2.7:1");
}

TEST_CASE("an IPv6 address stands in brackets in a pool's name") {
  CHECK(pool_name("2001:db8::1", 65535) == "[2001:db8::1]:65535");
}

TEST_CASE("the library tells its version as three numbers") {
  const std::string text = version();
  int major = -1, minor = -1, patch = -1, length = 0;
  REQUIRE(std::sscanf(text.c_str(), "%d.%d.%d%n", &major, &minor, &patch, &length) == 3);
  CHECK(static_cast<std::size_t>(length) == text.size());
}
