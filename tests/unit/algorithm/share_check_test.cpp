#include "stratumproxy/algorithm/share_check.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hex_bytes.hpp"

using namespace stratumproxy;
using namespace stratumproxy::algorithm;
using hex_bytes::each_bit;

namespace {

// First blocks as a pool might have sent them: the tail of the coinbase's script is the extranonce.
struct published_block {
  std::string_view algorithm, coinb1, extranonce, coinb2;
  std::uint32_t version, nbits, ntime, nonce;
  std::string_view hash;
};

constexpr published_block bitcoin_genesis{
    .algorithm = "sha256d",
    .coinb1 = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d01044554686520"
              "54696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f75"
              "7420666f72",
    .extranonce = "2062616e6b73",
    .coinb2 = "ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4c"
              "ef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000",
    .version = 1,
    .nbits = 0x1d00ffff,
    .ntime = 0x495fab29,
    .nonce = 0x7c2bac1d,
    .hash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"};

constexpr published_block maxcoin_genesis{
    .algorithm = "keccak",
    .coinb1 = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff3c04ffff001d01043453686170"
              "652d7368696674696e6720736f66747761726520646566656e647320616761696e73742062",
    .extranonce = "6f746e6574206861636b73",
    .coinb2 = "ffffffff010065cd1d00000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4c"
              "ef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000",
    .version = 112,
    .nbits = 0x1e00ffff,
    .ntime = 1390822264,
    .nonce = 11548217,
    .hash = "0000002d0f86558a6e737a3a351043ee73906fe077692dfaa3c9328aaca21964"};

const std::string no_block(64, '0');

work decoded(const published_block& block) {
  auto job = decode_work({no_block, block.coinb1, block.coinb2, {}, block.version, block.nbits});
  REQUIRE(job);
  return *job;
}

share submitted(const published_block& block) {
  share what;
  REQUIRE(what.append_extranonce(block.extranonce));
  what.ntime = block.ntime;
  what.nonce = block.nonce;
  return what;
}

const info& named(const registry& known, std::string_view name) {
  const info* found = known.find(name);
  REQUIRE(found != nullptr);
  return *found;
}

uint256 hash_of(const info& how, const work& job, const share& what) {
  const auto outcome = check(how, job, what);
  REQUIRE(outcome);
  return outcome->hash;
}

}  // namespace

TEST_CASE("published first blocks are rebuilt from their coinbase, whose hash is single where the algorithm wants that") {
  const registry known;
  for (const auto& block : {bitcoin_genesis, maxcoin_genesis}) {
    INFO(block.algorithm);
    const auto outcome = check(named(known, block.algorithm), decoded(block), submitted(block));
    REQUIRE(outcome);
    CHECK(hex_bytes::text(outcome->hash) == block.hash);
    CHECK(outcome->is_block);
    CHECK(outcome->difficulty(1) == difficulty_of(hex_bytes::number(block.hash), 1));
  }
  info doubled = named(known, "keccak");
  doubled.coinbase = coinbase_hash::sha256d;
  CHECK(hex_bytes::text(hash_of(doubled, decoded(maxcoin_genesis), submitted(maxcoin_genesis))) != maxcoin_genesis.hash);
}

TEST_CASE("only the algorithms whose coins say so hash the coinbase once") {
  for (const auto& row : builtin()) {
    INFO(row.name);
    const bool single = row.name == "argon2" || row.name == "blakecoin" || row.name == "groestl" || row.name == "hex" ||
                        row.name == "keccak";
    CHECK((row.coinbase == coinbase_hash::sha256) == single);
  }
}

TEST_CASE("a share with any bit of any field turned is refused") {
  const registry known;
  for (const auto& block : {bitcoin_genesis, maxcoin_genesis}) {
    const info& how = named(known, block.algorithm);
    const work job = decoded(block);
    const share what = submitted(block);
    const uint256 target = hash_of(how, job, what);
    REQUIRE(check(how, job, what)->meets(target));
    std::size_t tried = 0;
    work bent = job;
    share turned = what;
    const auto refused = [&](std::size_t) {
      ++tried;
      const auto outcome = check(how, bent, turned);
      REQUIRE(outcome);
      CHECK_FALSE(outcome->meets(target));
    };
    each_bit(bent.prevhash, refused);
    each_bit(bent.coinb1, refused);
    each_bit(bent.coinb2, refused);
    each_bit(std::span(turned.extranonce).first(turned.extranonce_size), refused);
    for (auto* number : {&bent.version, &bent.nbits, &turned.ntime, &turned.nonce}) each_bit(*number, refused);
    turned.version_mask = ~0U;
    turned.version_bits = job.version;
    REQUIRE(check(how, bent, turned)->meets(target));
    each_bit(*turned.version_bits, refused);
    CHECK(tried == 8 * (32 + job.coinb1.size() + job.coinb2.size() + what.extranonce_size) + 5 * 32);
  }
}

TEST_CASE("branches are joined from the left, in order") {
  const registry known;
  const info& how = named(known, "sha256d");
  const std::string one(64, '1');
  const std::string two(64, '2');
  const std::string_view forward[] = {one, two};
  const std::string_view backward[] = {two, one};
  const auto with = [&](std::span<const std::string_view> branches) {
    const auto job = decode_work({no_block, bitcoin_genesis.coinb1, bitcoin_genesis.coinb2, branches, 1, 0x1d00ffff});
    REQUIRE(job);
    return hash_of(how, *job, submitted(bitcoin_genesis));
  };
  CHECK(with(forward) != with(backward));
  CHECK(with(forward) != with(std::span(forward).first(1)));
}

TEST_CASE("version bits are taken where the mask has ones and refused elsewhere") {
  const registry known;
  const info& how = named(known, "sha256d");
  work job = decoded(bitcoin_genesis);
  job.version = 0x20a00004;
  share what = submitted(bitcoin_genesis);
  const auto version = [&] {
    const header made = header_of(job, what, how.coinbase);
    return hex_bytes::text(std::span(made).first(4));
  };
  what.version_mask = 0x1fffe000;
  CHECK(version() == "0400a020");  // nothing rolled
  what.version_bits = 0;
  CHECK(version() == "04000020");  // the job's own bits under the mask are the miner's to set
  what.version_bits = 0x00016000;
  CHECK(version() == "04600120");
  CHECK(check(how, job, what));
  for (const std::uint32_t outside : {0x00001000U, 0x20000000U, 0xffffffffU}) {
    what.version_bits = outside;
    CHECK(check(how, job, what).error() == errc::out_of_range);
  }
  what.version_bits = 0x00002000;
  what.version_mask = 0;
  CHECK(check(how, job, what).error() == errc::out_of_range);
}

TEST_CASE("work is decoded from hex of either case, with each word of the previous hash turned round") {
  const std::string_view branches[] = {"FFeeDDccBBaa99887766554433221100ffeeddccbbaa99887766554433221100"};
  const auto job = decode_work({"000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f", "aB", "", branches, 2, 3});
  REQUIRE(job);
  CHECK(hex_bytes::text(job->prevhash) == "03020100070605040b0a09080f0e0d0c13121110171615141b1a19181f1e1d1c");
  CHECK(job->coinb1 == std::vector<std::uint8_t>{0xab});
  CHECK(job->coinb2.empty());
  REQUIRE(job->branches.size() == 1);
  CHECK(hex_bytes::text(job->branches[0]) == "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100");
  CHECK(job->version == 2);
  CHECK(job->nbits == 3);
}

TEST_CASE("work that is no hex or has a wrong length is refused") {
  const std::string good(64, 'a');
  const std::string_view branches[] = {good, std::string_view(good).substr(1)};
  const std::string_view letters[] = {"g" "000000000000000000000000000000000000000000000000000000000000000"};
  CHECK(decode_work({good, "00", "00", {}, 1, 1}));
  for (const auto& bad : {work_text{"", "00", "00"}, work_text{std::string_view(good).substr(2), "00", "00"},
                          work_text{good, "0", "00"}, work_text{good, "0x", "00"}, work_text{good, "00", "000"},
                          work_text{good, "00", "0\n"}, work_text{good, "00", "00", branches},
                          work_text{good, "00", "00", letters}}) {
    CHECK(decode_work(bad).error() == errc::bad_params);
  }
}

TEST_CASE("an extranonce is put together of parts, and what is no hex or too much leaves it as it was") {
  share what;
  CHECK(what.append_extranonce("A1b2"));
  CHECK(what.append_extranonce(""));
  CHECK_FALSE(what.append_extranonce("c"));
  CHECK_FALSE(what.append_extranonce("zz"));
  CHECK_FALSE(what.append_extranonce(std::string(94, '0')));
  CHECK(what.extranonce_size == 2);
  CHECK(what.append_extranonce(std::string(92, '5')));
  CHECK_FALSE(what.append_extranonce("00"));
  CHECK(what.extranonce_size == share::max_extranonce);
  CHECK(hex_bytes::text(std::span(what.extranonce).first(3)) == "a1b255");
}

TEST_CASE("shares are judged only where there is a hash function and a header like Bitcoin's") {
  const registry known;
  const work job = decoded(bitcoin_genesis);
  const share what = submitted(bitcoin_genesis);
  CHECK(can_check(named(known, "scrypt")));
  for (const auto* name : {"x11", "lbry", "kawpow", "blake2b"}) {
    INFO(name);
    CHECK_FALSE(can_check(named(known, name)));
    CHECK(check(named(known, name), job, what).error() == std::errc::function_not_supported);
  }
}

TEST_CASE("a registered hash function judges shares, and one that fails judges nothing") {
  registry known;
  info mine;
  mine.name = "first-bytes";
  mine.coinbase = coinbase_hash::sha256;
  mine.cost = hash_cost::fast;
  bool works = true;
  mine.hash = [&works](std::span<const std::uint8_t> header, std::span<std::uint8_t, 32> hash) {
    std::copy(header.begin() + 48, header.end(), hash.begin());
    return works;
  };
  REQUIRE_FALSE(known.add(mine));
  const info& how = named(known, "First-Bytes");
  CHECK(can_check(how));
  CHECK(how.cost == hash_cost::fast);
  const work job = decoded(bitcoin_genesis);
  CHECK(hash_of(how, job, submitted(bitcoin_genesis)).words[3] == 0x7c2bac1d1d00ffff);  // nonce and nbits
  works = false;
  CHECK(check(how, job, submitted(bitcoin_genesis)).error() == std::errc::not_enough_memory);
}
