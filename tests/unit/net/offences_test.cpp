#include "net/offences.hpp"

#include <chrono>
#include <string>

#include <catch2/catch.hpp>

using namespace stratumproxy;
using namespace std::chrono_literals;

TEST_CASE("an address that offends often enough within a minute is told once, and counted anew") {
  net::offences all;
  const time_point start{};
  for (int i = 0; i < 4; ++i) all.note("10.0.0.1", start + i * 1s);
  all.note("10.0.0.2", start);
  CHECK(all.take(5, start + 5s).empty());
  all.note("10.0.0.1", start + 59s);
  CHECK(all.take(5, start + 59s) == std::vector<std::string>{"10.0.0.1"});
  CHECK(all.take(1, start + 59s) == std::vector<std::string>{"10.0.0.2"});
  CHECK(all.take(1, start + 59s).empty());
}

TEST_CASE("what happened more than a minute ago is forgotten") {
  net::offences all;
  const time_point start{};
  for (int i = 0; i < 4; ++i) all.note("10.0.0.1", start);
  all.note("10.0.0.1", start + 60s);
  CHECK(all.take(2, start + 60s).empty());
  CHECK(all.take(1, start + 120s).empty());
}

TEST_CASE("a flood of addresses is counted up to a limit, and those that are known go on") {
  net::offences all;
  const time_point start{};
  for (std::size_t i = 0; i < net::offences::most; ++i) all.note(std::to_string(i), start);
  all.note("one more", start + 1s);
  all.note("7", start + 1s);
  CHECK(all.take(2, start + 2s) == std::vector<std::string>{"7"});
  all.note("one more", start + 61s);
  CHECK(all.take(1, start + 61s) == std::vector<std::string>{"one more"});
}
