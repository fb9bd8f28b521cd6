#include <catch2/catch.hpp>

#include <memory>

#include <stratumproxy/algorithm.hpp>

#include "session/login.hpp"
#include "session/mining_rules.hpp"

using namespace stratumproxy;
using session::rules_for;

namespace {

const auto known = std::make_shared<const algorithm::registry>();

struct rows {
  account owner{.name = "a", .revision = 1, .routes = {{.pool = {.host = "pool.example", .port = 3333, .algorithm = "sha256d"}, .user = "u", .password = "x"}}};
  pool_info& pool = owner.routes.front().pool;
  [[nodiscard]] session::mining_rules rules() const { return rules_for(owner, owner.routes.front(), known); }
};

}  // namespace

TEST_CASE("A pool is mined over dedicated links and checked without proof of work unless its row says otherwise") {
  rows of;
  CHECK(of.rules().mode == link_mode::dedicated);
  CHECK(of.rules().verify == verify_level::basic);
  CHECK_FALSE(of.rules().has_vardiff);
  CHECK(of.rules().how == nullptr);
}

TEST_CASE("Shared links need shares that are checked here, or a pool whose difficulty stays") {
  rows of;
  of.pool.mode = link_mode::shared;
  CHECK(of.rules().mode == link_mode::dedicated);

  of.pool.verify = verify_level::full;
  CHECK(of.rules().mode == link_mode::shared);
  CHECK(of.rules().has_vardiff);
  REQUIRE(of.rules().how != nullptr);
  CHECK(of.rules().how->name == "sha256d");

  of.pool.algorithm = "x11";  // known, without a hash function
  CHECK(of.rules().mode == link_mode::dedicated);
  CHECK(of.rules().verify == verify_level::basic);

  of.pool.fixed_difficulty = true;
  CHECK(of.rules().mode == link_mode::shared);
  CHECK_FALSE(of.rules().has_vardiff);
}

TEST_CASE("An account's own mode goes before the pool's") {
  rows of;
  of.pool.verify = verify_level::full;
  of.owner.mode = link_mode::shared;
  CHECK(of.rules().mode == link_mode::shared);
  of.pool.mode = link_mode::shared;
  of.owner.mode = link_mode::dedicated;
  CHECK(of.rules().mode == link_mode::dedicated);
}

TEST_CASE("A difficulty for each worker needs checked shares") {
  rows of;
  of.pool.vardiff = true;
  CHECK_FALSE(of.rules().has_vardiff);
  of.pool.verify = verify_level::full;
  CHECK(of.rules().has_vardiff);
  of.pool.fixed_difficulty = true;
  CHECK_FALSE(of.rules().has_vardiff);
}

TEST_CASE("A difficulty is wished for in the password") {
  using session::difficulty_in;
  CHECK(difficulty_in("d=1024") == 1024);
  CHECK(difficulty_in("x,d=0.5") == 0.5);
  CHECK(difficulty_in("d=64;stats") == 64);
  CHECK(difficulty_in("c=BTC d=1e3") == 1000);
  for (const auto* none : {"", "x", "d=", "d=abc", "d=-1", "d=0", "d=inf", "d=nan", "d=12x", "pd=5", "d = 5"}) {
    INFO(none);
    CHECK(difficulty_in(none) == 0);
  }
}
