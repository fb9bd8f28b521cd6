#include <catch2/catch.hpp>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "stratumproxy/algorithm.hpp"

using namespace stratumproxy;

namespace {

algorithm::info make(std::string name, double divider = 1, std::vector<std::string> aliases = {}) {
  algorithm::info value;
  value.name = std::move(name);
  value.divider = divider;
  value.aliases = std::move(aliases);
  return value;
}

}  // namespace

TEST_CASE("a registry finds algorithms by name and alias in any case") {
  const algorithm::registry known;
  REQUIRE(known.find("sha256d") != nullptr);
  CHECK(known.find("SHA256") == known.find("sha256d"));
  CHECK(known.find("Scrypt")->name == "scrypt");
  CHECK(known.find("lyra2v2")->name == "lyra2rev2");
}

TEST_CASE("a registry knows nothing by a part of a name") {
  const algorithm::registry known;
  CHECK(known.find("") == nullptr);
  CHECK(known.find("scryp") == nullptr);
  CHECK(known.find("scryptt") == nullptr);
}

TEST_CASE("an added algorithm is found in lower case") {
  algorithm::registry known;
  const auto before = known.all().size();
  REQUIRE_FALSE(known.add(make("MyHash", 16, {"MH"})));
  CHECK(known.all().size() == before + 1);
  REQUIRE(known.find("mh") != nullptr);
  CHECK(known.find("mh")->name == "myhash");
  CHECK(known.find("MYHASH")->divider == 16);
}

TEST_CASE("adding a known name replaces its row") {
  algorithm::registry known;
  const auto before = known.all().size();
  REQUIRE_FALSE(known.add(make("x16rv2", 4'096)));
  CHECK(known.all().size() == before);
  CHECK(known.find("x16rv2")->divider == 4'096);
}

TEST_CASE("a divider that is not positive and finite is refused") {
  algorithm::registry known;
  for (const double divider : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(known.add(make("fresh-name", divider)) == errc::out_of_range);
  }
  CHECK(known.find("fresh-name") == nullptr);
}

TEST_CASE("a name that is empty, too long or another algorithm's is refused") {
  algorithm::registry known;
  CHECK(known.add(make("")) == errc::bad_params);
  CHECK(known.add(make(std::string(65, 'a'))) == errc::bad_params);
  CHECK_FALSE(known.add(make(std::string(64, 'a'))));
  CHECK(known.add(make("sha256")) == errc::bad_params);
  CHECK(known.add(make("fresh-name", 1, {"Scrypt"})) == errc::bad_params);
  CHECK(known.add(make("fresh-name", 1, {""})) == errc::bad_params);
  CHECK(known.find("fresh-name") == nullptr);
  CHECK(known.find("sha256")->name == "sha256d");
}

TEST_CASE("expected hashes count 2^32 for each difficulty of divider 1") {
  CHECK(algorithm::expected_hashes(1, 1) == 4'294'967'296.0);
  CHECK(algorithm::expected_hashes(65'536, 65'536) == 4'294'967'296.0);
  CHECK(algorithm::expected_hashes(20'000, 4'294'967'296.0) == 20'000);
}
