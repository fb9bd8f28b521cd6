#include <catch2/catch.hpp>

#include <string>

#include "admin/rate_limit.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;

TEST_CASE("a bucket gives its burst at once, then fills with its rate and no further") {
  rate_limit limit({.per_minute = 30, .burst = 3});
  rate_limit::time_point now{};
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3; ++i) CHECK_FALSE(limit.take("192.0.2.1", now));
    CHECK(limit.is_empty("192.0.2.1", now));
    CHECK(limit.take("192.0.2.1", now) == 2s);
    now += 1s;
    CHECK(limit.take("192.0.2.1", now) == 1s);
    now += 1s;
    CHECK_FALSE(limit.take("192.0.2.1", now));
    CHECK(limit.take("192.0.2.1", now) == 2s);
    now += 24h;
  }
}

TEST_CASE("a clock that stands still or goes back gives nothing") {
  rate_limit limit({.per_minute = 60, .burst = 1});
  rate_limit::time_point now{100s};
  CHECK_FALSE(limit.take("192.0.2.1", now));
  CHECK(limit.take("192.0.2.1", now - 50s));
  CHECK(limit.take("192.0.2.1", now));
  CHECK_FALSE(limit.take("192.0.2.1", now + 1s));
}

TEST_CASE("each address has its own bucket, but a network of IPv6 has one") {
  rate_limit limit({.per_minute = 1, .burst = 1});
  const rate_limit::time_point now{};
  for (const std::string address :
       {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1", "::ffff:192.0.2.1", "::ffff:192.0.2.2", ""})
    CHECK_FALSE(limit.take(address, now));
  for (const std::string address : {"192.0.2.1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8:0:1::2", ""})
    CHECK(limit.take(address, now));
}

TEST_CASE("so many addresses are remembered, and the one that was silent longest is forgotten") {
  rate_limit limit({.per_minute = 1, .burst = 1}, 3);
  const rate_limit::time_point now{};
  for (const std::string address : {"a", "b", "c"}) CHECK_FALSE(limit.take(address, now));
  CHECK(limit.take("a", now));
  CHECK_FALSE(limit.take("d", now));  // b is forgotten
  CHECK(limit.size() == 3);
  CHECK(limit.take("a", now));
  CHECK(limit.take("c", now));
  CHECK_FALSE(limit.take("b", now));
  CHECK_FALSE(limit.is_empty("nobody", now));
  CHECK(limit.size() == 3);
}

TEST_CASE("another rate counts from now on, for addresses that are known too") {
  rate_limit limit({.per_minute = 1, .burst = 1});
  const rate_limit::time_point now{};
  CHECK_FALSE(limit.take("a", now));
  CHECK(limit.take("a", now) == 60s);
  limit.set({.per_minute = 60, .burst = 2});
  CHECK(limit.take("a", now) == 1s);
  CHECK_FALSE(limit.take("a", now + 2s));
  CHECK_FALSE(limit.take("a", now + 2s));
  CHECK(limit.take("a", now + 2s));
}
