#include "net/admission.hpp"

#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "net/log_pace.hpp"

using stratumproxy::time_point;
using stratumproxy::net::admission;
using stratumproxy::net::log_pace;

TEST_CASE("as many miners are admitted as the limit says, and a place is free when its ticket is gone") {
  admission miners(2);
  auto first = miners.enter();
  auto second = miners.enter();
  REQUIRE(first);
  REQUIRE(second);
  CHECK_FALSE(miners.enter());
  CHECK_FALSE(miners.enter());
  first.reset();
  CHECK(miners.enter());
}

TEST_CASE("a ticket counts once however often it is moved, and gives up its place when overwritten") {
  admission miners(1);
  auto entered = miners.enter();
  REQUIRE(entered);
  admission::ticket moved(std::move(*entered));
  entered.reset();
  CHECK_FALSE(miners.enter());
  moved = admission::ticket{};
  CHECK(miners.enter());
}

TEST_CASE("a limit that is lowered ends nobody, and lets nobody in until enough have left") {
  admission miners(3);
  auto first = miners.enter(), second = miners.enter();
  miners.set_limit(1);
  CHECK_FALSE(miners.enter());
  first.reset();
  CHECK_FALSE(miners.enter());
  second.reset();
  CHECK(miners.enter());
}

TEST_CASE("a paced log line comes once a minute") {
  log_pace pace;
  const time_point start{std::chrono::hours(5)};
  CHECK(pace.allows(start));
  CHECK_FALSE(pace.allows(start + std::chrono::seconds(59)));
  CHECK(pace.allows(start + std::chrono::seconds(60)));
  CHECK_FALSE(pace.allows(start + std::chrono::seconds(61)));
}
