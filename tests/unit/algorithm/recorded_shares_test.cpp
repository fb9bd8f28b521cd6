// Shares of real miners and pools, recorded outside of this project. Skipped, with a message, where the recordings are not at
// hand: $SPX_SHARED, or the folder "shared" beside the checkout.
#include <rapidjson/document.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hex_bytes.hpp"
#include "stratumproxy/algorithm/share_check.hpp"

using namespace stratumproxy;
using namespace stratumproxy::algorithm;
using hex_bytes::each_bit;

namespace {

std::filesystem::path recorded() {
  const char* folder = std::getenv("SPX_SHARED");
  const auto shared = folder ? std::filesystem::path(folder)
                             : std::filesystem::path(SPX_TEST_SOURCE_DIR).parent_path().parent_path() / "shared";
  return shared / "recorded" / "verifiable_shares.jsonl";
}

std::uint32_t word(std::string_view hex) {
  std::uint32_t value = 0;
  const auto end = hex.data() + hex.size();
  REQUIRE(std::from_chars(hex.data(), end, value, 16).ptr == end);
  return value;
}

std::string_view string(const rapidjson::Value& row, const char* key) {
  return {row[key].GetString(), row[key].GetStringLength()};
}

// One row: how it was hashed, and what it should come to.
struct recorded_share {
  std::string name;
  const info* how = nullptr;
  work job;
  share what;
  std::vector<std::uint8_t> root;  // where the coinbase was not recorded
  std::string header, hash;
  double share_difficulty = 0;
  uint256 target;
  bool meets = true;
};

recorded_share read(const rapidjson::Value& row, const registry& known) {
  recorded_share to;
  to.name = string(row, "name");
  to.how = known.find(string(row, "algo"));
  REQUIRE(to.how != nullptr);
  work_text text;
  text.prevhash = string(row, "prevhash");
  std::vector<std::string_view> branches;
  if (row.HasMember("merkle_root")) {
    to.root = hex_bytes::bytes(string(row, "merkle_root"));
  } else {
    text.coinb1 = string(row, "coinb1");
    text.coinb2 = string(row, "coinb2");
    for (const auto& branch : row["merkle_branch"].GetArray()) branches.emplace_back(branch.GetString());
    REQUIRE(to.what.append_extranonce(string(row, "extranonce1")));
    REQUIRE(to.what.append_extranonce(string(row, "extranonce2")));
  }
  text.branches = branches;
  text.version = word(string(row, "version"));
  text.nbits = word(string(row, "nbits"));
  auto job = decode_work(text);
  REQUIRE(job);
  to.job = std::move(*job);
  to.what.ntime = word(string(row, "ntime"));
  to.what.nonce = word(string(row, "nonce"));
  if (row.HasMember("version_bits")) {
    to.what.version_bits = word(string(row, "version_bits"));
    to.what.version_mask = word(string(row, "version_mask"));
  }
  to.header = string(row, "header");
  to.hash = string(row, "pow_hash");
  to.share_difficulty = row["share_difficulty"].GetDouble();
  to.target = target_of(row["difficulty"].GetDouble(), to.how->divider);
  to.meets = !row.HasMember("expect_meets") || row["expect_meets"].GetBool();
  return to;
}

// As check() does it, but for rows that have a merkle root instead of a coinbase.
header header_with_root(const recorded_share& from, const work& job, const share& what) {
  header made = header_of(job, what, from.how->coinbase);
  if (!from.root.empty()) std::copy(from.root.begin(), from.root.end(), made.begin() + 36);
  return made;
}

proof judged(const recorded_share& from, const work& job, const share& what) {
  if (from.root.empty()) {
    const auto outcome = check(*from.how, job, what);
    REQUIRE(outcome);
    return *outcome;
  }
  std::array<std::uint8_t, 32> hash{};
  REQUIRE(from.how->hash(header_with_root(from, job, what), hash));
  return {uint256::from_little_endian(hash)};
}

std::vector<recorded_share> all_recorded(const registry& known) {
  std::vector<recorded_share> all;
  std::ifstream file(recorded());
  for (std::string line; std::getline(file, line);) {
    rapidjson::Document row;
    row.Parse<rapidjson::kParseFullPrecisionFlag>(line.c_str(), line.size());
    REQUIRE_FALSE(row.HasParseError());
    all.push_back(read(row, known));
  }
  return all;
}

}  // namespace

TEST_CASE("recorded shares are recomputed to the bit, and their verdicts are those of the pools") {
  if (!std::filesystem::exists(recorded())) {
    WARN("skipped: there is no " << recorded());
    return;
  }
  const registry known;
  const auto all = all_recorded(known);
  REQUIRE(all.size() >= 50);
  for (const auto& from : all) {
    INFO(from.name);
    CHECK(hex_bytes::text(header_with_root(from, from.job, from.what)) == from.header);
    const auto outcome = judged(from, from.job, from.what);
    CHECK(hex_bytes::text(outcome.hash) == from.hash);
    CHECK(outcome.difficulty(from.how->divider) == from.share_difficulty);
    CHECK(outcome.meets(from.target) == from.meets);
  }
}

TEST_CASE("recorded shares with any bit of any field turned are refused") {
  if (!std::filesystem::exists(recorded())) {
    WARN("skipped: there is no " << recorded());
    return;
  }
  const registry known;
  std::size_t tried = 0;
  std::size_t refused = 0;
  for (const auto& from : all_recorded(known)) {
    INFO(from.name);
    work job = from.job;
    share what = from.what;
    recorded_share bent = from;
    const auto is_refused = [&](std::size_t) {
      ++tried;
      refused += judged(bent, job, what).meets(from.target) ? 0U : 1U;
    };
    for (const std::span<std::uint8_t> field : {std::span<std::uint8_t>(job.prevhash), std::span(job.coinb1), std::span(job.coinb2),
                                                std::span(bent.root), std::span(what.extranonce).first(what.extranonce_size)}) {
      each_bit(field, is_refused);
    }
    for (auto& branch : job.branches) each_bit(branch, is_refused);
    for (auto* number : {&what.ntime, &what.nonce, &job.nbits}) each_bit(*number, is_refused);
    const std::uint32_t rolled = what.version_bits ? what.version_mask : 0;
    each_bit(job.version, [&](std::size_t bit) {
      // The job's own bits under the mask are not in the header: with them turned it is the same share.
      if ((rolled >> bit & 1) == 0) is_refused(bit);
    });
    if (!what.version_bits) continue;
    each_bit(*what.version_bits, [&](std::size_t bit) {
      if ((rolled >> bit & 1) != 0) return is_refused(bit);
      ++tried;
      refused += check(*from.how, job, what).error() == errc::out_of_range ? 1U : 0U;
    });
  }
  WARN(refused << " of " << tried << " mutations refused");
  CHECK(tried > 100'000);
  CHECK(refused == tried);
}
