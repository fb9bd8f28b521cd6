#include "stratumproxy/dialect.hpp"

#include <catch2/catch.hpp>

using namespace stratumproxy;

TEST_CASE("each dialect is found again by its name") {
  for (int value = 0; value <= static_cast<int>(dialect::other); ++value) {
    const auto which = static_cast<dialect>(value);
    const auto found = dialect_from_name(name(which));
    REQUIRE(found);
    CHECK(*found == which);
  }
  CHECK(name(dialect::bitcoin) == "bitcoin");
  CHECK(name(dialect::eth_proxy) == "eth_proxy");
}

TEST_CASE("a name of no dialect is refused") {
  CHECK_FALSE(dialect_from_name(""));
  CHECK_FALSE(dialect_from_name("Bitcoin"));
  CHECK_FALSE(dialect_from_name("bitcoin "));
  CHECK(dialect_from_name("stratum_v3").error() == errc::out_of_range);
}
