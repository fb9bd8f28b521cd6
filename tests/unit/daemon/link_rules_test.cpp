#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>
#include <string>

#include <stratumproxy/algorithm.hpp>

#include "link_rules.hpp"

namespace {

using namespace stratumproxyd;
using stratumproxy::link_mode;
using stratumproxy::tls_mode;
using stratumproxy::verify_level;

// sha256d and scrypt have a hash function, x11 and lbry have none.
pool_record pool(const std::string& algorithm, verify_level verify, bool vardiff = false, bool fixed_difficulty = false) {
  pool_record out;
  out.pool = "pool.example:3333";
  out.algorithm = algorithm;
  out.verify = verify;
  out.vardiff = vardiff;
  out.fixed_difficulty = fixed_difficulty;
  return out;
}

constexpr auto levels = {verify_level::off, verify_level::basic, verify_level::full};

}  // namespace

TEST_CASE("the words of modes and levels are read back, and no others") {
  for (const auto mode : {link_mode::dedicated, link_mode::shared}) CHECK(link_mode_from_name(name(mode)) == mode);
  for (const auto level : levels) CHECK(verify_level_from_name(name(level)) == level);
  CHECK(name(link_mode::shared) == "shared");
  CHECK(name(verify_level::off) == "off");
  for (const std::string other : {"", "Shared", "full", "0"}) CHECK_FALSE(link_mode_from_name(other));
  for (const std::string other : {"", "none", "shared", "basic "}) CHECK_FALSE(verify_level_from_name(other));
}

TEST_CASE("dedicated links go with every level that the algorithm allows") {
  for (const auto level : levels) CHECK(link_fault(pool("sha256d", level), link_mode::dedicated) == "");
  CHECK(link_fault(pool("x11", verify_level::off), link_mode::dedicated) == "");
  CHECK(link_fault(pool("x11", verify_level::basic), link_mode::dedicated) == "");
  for (const std::string unknown : {"x11", "lbry", "no-such-algorithm", ""})
    CHECK(link_fault(pool(unknown, verify_level::full), link_mode::dedicated) ==
          "no hash function is known for " + unknown + ": verify can be basic or off");
}

TEST_CASE("the documentation names every algorithm whose shares can be checked, and no other") {
  std::ifstream file(std::string(SPX_TEST_SOURCE_DIR) + "/../docs/api.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  const auto from = page.find("The library has those of");
  REQUIRE(from != std::string::npos);
  const auto list = page.substr(from, page.find('|', from) - from);
  for (const auto& info : stratumproxy::algorithm::builtin()) {
    CAPTURE(info.name);
    CHECK((list.find('`' + info.name + '`') != std::string::npos) ==
          link_fault(pool(info.name, verify_level::full), link_mode::dedicated).empty());
  }
}

TEST_CASE("shared links need checked shares, unless the pool's difficulty is fixed") {
  for (const std::string known : {"sha256d", "scrypt", "SHA256"}) {
    CHECK(link_fault(pool(known, verify_level::full), link_mode::shared) == "");
    CHECK(link_fault(pool(known, verify_level::full, true), link_mode::shared) == "");
    for (const auto level : {verify_level::off, verify_level::basic})
      CHECK(link_fault(pool(known, level), link_mode::shared) == "mode shared needs verify = full, or fixed_difficulty = true");
  }
  CHECK(link_fault(pool("x11", verify_level::basic), link_mode::shared) ==
        "no hash function is known for x11: mode shared needs fixed_difficulty = true");
  for (const auto level : levels) CHECK(link_fault(pool("sha256d", level, false, true), link_mode::shared) == "");
  CHECK(link_fault(pool("x11", verify_level::off, false, true), link_mode::shared) == "");
  CHECK_FALSE(link_fault(pool("x11", verify_level::full, false, true), link_mode::shared).empty());
}

TEST_CASE("an account's mode is judged in place of its pool's") {
  auto row = pool("sha256d", verify_level::basic, false, true);
  row.mode = link_mode::shared;
  CHECK(link_fault(row, link_mode::dedicated) == "");
  row.fixed_difficulty = false;
  CHECK(link_fault(row, link_mode::dedicated) == "");
  CHECK_FALSE(link_fault(row, link_mode::shared).empty());
}

TEST_CASE("a pinned certificate needs its fingerprint, and nothing else has one") {
  auto row = pool("sha256d", verify_level::basic);
  for (const auto mode : {tls_mode::off, tls_mode::verify, tls_mode::pin, tls_mode::insecure}) {
    CHECK(tls_mode_from_name(name(mode)) == mode);
    row.tls = {.mode = mode};
    CHECK(link_fault(row, link_mode::dedicated) == (mode == tls_mode::pin ? "tls pin needs tls_fingerprint" : ""));
    row.tls.fingerprint = std::string(64, 'a');
    CHECK(link_fault(row, link_mode::dedicated) == (mode == tls_mode::pin ? "" : "tls_fingerprint needs tls = pin"));
  }
  CHECK_FALSE(tls_mode_from_name("on"));
}

TEST_CASE("vardiff needs checked shares and a difficulty that is not fixed") {
  for (const auto mode : {link_mode::dedicated, link_mode::shared}) {
    CHECK(link_fault(pool("scrypt", verify_level::full, true), mode) == "");
    CHECK(link_fault(pool("scrypt", verify_level::basic, true), mode) == "vardiff needs verify = full");
    CHECK(link_fault(pool("scrypt", verify_level::off, true), mode) == "vardiff needs verify = full");
    CHECK(link_fault(pool("x11", verify_level::basic, true), mode) == "no hash function is known for x11, which vardiff needs");
    CHECK(link_fault(pool("scrypt", verify_level::full, true, true), mode) ==
          "vardiff and fixed_difficulty exclude each other");
  }
}
