#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stratumproxy/algorithm.hpp"

using namespace stratumproxy;

namespace {

const algorithm::info& built_in(std::string_view name) {
  const auto all = algorithm::builtin();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& row) { return row.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

}  // namespace

TEST_CASE("every built-in name and alias is lower case, short and used once") {
  std::set<std::string> seen;
  for (const auto& row : algorithm::builtin()) {
    std::vector<std::string> names = row.aliases;
    names.push_back(row.name);
    for (const auto& name : names) {
      INFO(name);
      CHECK(seen.insert(name).second);
      CHECK_FALSE(name.empty());
      CHECK(name.size() <= 64);
      CHECK(std::none_of(name.begin(), name.end(), [](unsigned char c) { return std::isupper(c) || !std::isgraph(c); }));
    }
  }
}

TEST_CASE("every built-in algorithm has a positive divider and says where it comes from") {
  for (const auto& row : algorithm::builtin()) {
    INFO(row.name);
    CHECK(row.divider >= 1);
    CHECK_FALSE(row.source.empty());
  }
}

TEST_CASE("the dividers are those of the pools") {
  CHECK(built_in("sha256d").divider == 1);
  CHECK(built_in("x11").divider == 1);
  CHECK(built_in("keccak").divider == 128);
  CHECK(built_in("groestl").divider == 256);
  CHECK(built_in("verthash").divider == 256);
  CHECK(built_in("scrypt").divider == 65'536);
  CHECK(built_in("equihash").divider == 524'288);
  CHECK(built_in("randomx").divider == 4'294'967'296.0);
}

TEST_CASE("only algorithms whose pools speak the Bitcoin dialect are marked so") {
  CHECK(built_in("scrypt").speaks == dialect::bitcoin);
  CHECK(built_in("ethash").speaks == dialect::ethereum_stratum);
  CHECK(built_in("kawpow").speaks == dialect::kawpow);
  CHECK(built_in("randomx").speaks == dialect::cryptonote);
  CHECK(built_in("equihash").speaks == dialect::zcash);
  CHECK(built_in("kheavyhash").speaks == dialect::kaspa);
  CHECK(built_in("kadena").speaks == dialect::kadena);
  CHECK(built_in("decred").speaks == dialect::other);
}

TEST_CASE("only LBRY has its coinb1 behind the claim trie") {
  for (const auto& row : algorithm::builtin()) {
    INFO(row.name);
    CHECK(row.coinb1_index == (row.name == "lbry" ? 3U : 2U));
  }
}
