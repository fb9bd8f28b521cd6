#include "algorithm/hashes.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "hex_bytes.hpp"

using namespace stratumproxy;

namespace {

const algorithm::info& built_in(std::string_view name) {
  const auto all = algorithm::builtin();
  const auto found = std::ranges::find(all, name, &algorithm::info::name);
  REQUIRE(found != all.end());
  return *found;
}

// In the order of the bytes, as standards show them.
std::string hash(std::string_view name, std::span<const std::uint8_t> bytes) {
  std::array<std::uint8_t, 32> result{};
  REQUIRE(built_in(name).hash(bytes, result));
  return hex_bytes::text(result);
}

std::string hash_text(std::string_view name, std::string_view text) {
  return hash(name, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// As explorers show it.
std::string hash_header(std::string_view name, std::string_view header) {
  std::array<std::uint8_t, 32> result{};
  REQUIRE(built_in(name).hash(hex_bytes::bytes(header), result));
  return hex_bytes::text(algorithm::uint256::from_little_endian(result));
}

constexpr std::string_view bitcoin_genesis =
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3"
    "888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";

}  // namespace

TEST_CASE("sha256d gives the hashes of blocks") {
  CHECK(hash_header("sha256d", bitcoin_genesis) == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
  // Bitcoin block 125552
  CHECK(hash_header("sha256d", "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d75"
                               "0423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695") ==
        "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d");
  // DigiByte block 12000000
  CHECK(hash_header("sha256d", "02024020b4280e4d968527e4594b59ed4abad908a13657faa658ad633576d27859226bbc43badc7960e2d361"
                               "d5fb43070b13cbf47d68cd3b5c9a2622c59c3201e4f1ecabcc13c85f4f9b0219c3dab44e") ==
        "0000000000000000e231d6676909d4d54296d640d996453b6778cc8081239c1f");
}

// FIPS 180-4 has SHA-256 of "abc"; from there each step is SHA-256 of the 32 bytes before, worked out with Python's hashlib.
TEST_CASE("sha256d, sha256t and sha256q hash two, three and four times") {
  CHECK(hash_text("sha256d", "abc") == "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358");
  CHECK(hash_text("sha256t", "abc") == "f2a778f1a6ed3d5bc59a5d79104c598f3f07093f240ca4e91333fb09ed4f36da");
  CHECK(hash_text("sha256q", "abc") == "ebea187d3d64ec287600c6be94f0db8ab5b5ff8382b6ac4a45218e6e5b327c7f");
}

TEST_CASE("sha512/256d gives the hash of Radiant's first block") {
  CHECK(hash_header("sha512256d", "010000000000000000000000000000000000000000000000000000000000000000000000372cbaf89794aeed"
                                  "5e711b02e78ec4502ad8b315a987c2e2758a85e36a3f7c02aadeaf62ffff001d7980b72a") ==
        "0000000065d8ed5d8be28d6876b3ffb660ac2a6c0ca59e437e1f7a6f4e003fb4");
}

TEST_CASE("scrypt gives the work of Litecoin's first block and of a DigiByte block") {
  CHECK(hash_header("scrypt", "010000000000000000000000000000000000000000000000000000000000000000000000d9ced4ed1130f7b7faad"
                              "9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c") ==
        "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00");
  // Block 11999997
  CHECK(hash_header("scrypt", "0200002086d5a20406d7530ffc2998004a14e2a8ef618b79d54b203401000000000000009760d9bc89809f459161"
                              "fecfe70c46673aac2f2980df4143e46029be2f2cff55c313c85fe7d2001b89c70c09") ==
        "0000000000003fae858e91a5636704d4f1aa665db53c0cddf175b9cc5ecf9a86");
}

TEST_CASE("keccak gives the hash of MaxCoin's first block, with the padding of before SHA-3") {
  constexpr std::string_view maxcoin_genesis =
      "700000000000000000000000000000000000000000000000000000000000000000000000f36ae45560247c5c7fe195e47128af943405cc98"
      "7ddc18c388a473c2463bccf87843e652ffff001e3936b000";
  for (const auto* name : {"keccak", "keccakc"}) {
    CHECK(hash_header(name, maxcoin_genesis) == "0000002d0f86558a6e737a3a351043ee73906fe077692dfaa3c9328aaca21964");
    CHECK(hash_text(name, "") == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");  // the Keccak team
  }
}

TEST_CASE("blake2s and blake2b of 256 bits give the published digests") {
  CHECK(hash_text("blake2s", "abc") == "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");  // RFC 7693, B
  CHECK(hash_text("blake2s", "") == "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
  CHECK(hash_text("blake2b", "abc") == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  CHECK(hash_text("blake2b", "") == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

TEST_CASE("argon2d with the parameters of Dynamic and Credits gives the hashes of their first blocks") {
  // Dynamic: chainparams.cpp, main network
  constexpr std::string_view dynamic =
      "010000000000000000000000000000000000000000000000000000000000000000000000d56e7ef0db96fa8987ba6f427b54559121a82fb6"
      "4e5952bceb53a8b53d750efa64ff375affff0f1eb68f0900";
  for (const auto* name : {"argon2d", "argon2d500"}) {
    CHECK(hash_header(name, dynamic) == "00000e140b0c3028f898431890e9dea79ae6ca537ac9362c65b45325db712de2");
  }
  // Credits: chainparams.cpp, test network
  CHECK(hash_header("argon2d250", "010000000000000000000000000000000000000000000000000000000000000000000000c33d9f195f180ddf"
                                  "d9ac6bc8a585f51c7a6eacf5d6ab2480152d73fadaf24ca775714a59ffff0f1e62690700") ==
        "00000fdc5d65cf3f64ba21818d1a9b80c8075954a47230138d1c424f27d53b3f");
}

// Known answers from the tests of a CPU miner, which has them from the reference implementation as Myriad ships it.
TEST_CASE("argon2d of 250, 500 and 4096 KiB gives the known answers of headers") {
  constexpr std::string_view dash_genesis =
      "010000000000000000000000000000000000000000000000000000000000000000000000c762a6567f3cc092f0684bb62b7e00a84890b990"
      "f07cc71a6bb58d64b98e02e0022ddb52f0ff0f1ec23fb901";
  const auto known = [](std::string_view name, std::string_view header) { return hash(name, hex_bytes::bytes(header)); };
  CHECK(known("argon2d4096", bitcoin_genesis) == "209b8d5156e86decbf1c4976560c4e3f2ee1b146b5d955431ee403377b0ef8eb");
  CHECK(known("argon2d4096", dash_genesis) == "efcf784b1ae5a95dd15a1c6a9b52fe44c59ecd6f966c2e6a3d8355b1b49bab5b");
  CHECK(known("argon2d500", bitcoin_genesis) == "d63432f651456b36a27ee8c98e146b005c80e499d0931f2c9ca6ead68b3ff48f");
  CHECK(known("argon2d500", dash_genesis) == "effc9ced570f3dead9906e606dd77cfa06a76400e1a9fc0e6632b66056ffbc1b");
  CHECK(known("argon2d250", bitcoin_genesis) == "f4a2511de45745f14ca86031687a7e74f9ca3603959d88d6656112d922435f56");
  CHECK(known("argon2d250", dash_genesis) == "d9467200bbdd84684b6cb7dd4088ffe7ca3a30b0785960f933a9771a50e9e937");
}

TEST_CASE("every shipped hash belongs to a built-in algorithm, which says how dear it is") {
  std::set<std::string_view> names;
  for (const auto& shipped : algorithm::shipped_hashes()) {
    INFO(shipped.name);
    CHECK(names.insert(shipped.name).second);
    CHECK(built_in(shipped.name).hash);
    CHECK(built_in(shipped.name).cost == shipped.cost);
  }
  for (const auto& row : algorithm::builtin()) {
    INFO(row.name);
    CHECK(static_cast<bool>(row.hash) == names.contains(row.name));
  }
  CHECK(built_in("sha256d").cost == algorithm::hash_cost::fast);
  CHECK(built_in("scrypt").cost == algorithm::hash_cost::slow);
  CHECK(built_in("argon2d250").cost == algorithm::hash_cost::slow);
}

TEST_CASE("threads hash at the same time without disturbing each other") {
  std::vector<std::string> expected;
  const auto header = hex_bytes::bytes(bitcoin_genesis);
  const auto shipped = algorithm::shipped_hashes();
  for (const auto& each : shipped) expected.push_back(hash(each.name, header));

  std::array<std::size_t, 4> wrong{};
  std::vector<std::thread> threads;
  for (auto& count : wrong) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        for (std::size_t i = 0; i < shipped.size(); ++i) {
          std::array<std::uint8_t, 32> result{};
          if (!shipped[i].function(header, result) || hex_bytes::text(result) != expected[i]) ++count;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::array<std::size_t, 4>{});
}
