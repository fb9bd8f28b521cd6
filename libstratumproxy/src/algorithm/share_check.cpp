#include "stratumproxy/algorithm/share_check.hpp"

#include <algorithm>

#include "algorithm/hex.hpp"
#include "algorithm/sha256.hpp"

namespace stratumproxy::algorithm {
namespace {

bool decode_bytes(std::string_view text, std::vector<std::uint8_t>& to) {
  to.resize(text.size() / 2);
  return decode_hex(text, to);
}

digest256 merkle_root(const work& job, const share& what, coinbase_hash how) noexcept {
  sha256 coinbase;
  coinbase.add(job.coinb1).add(std::span(what.extranonce).first(what.extranonce_size)).add(job.coinb2);
  digest256 root = coinbase.finish();
  if (how == coinbase_hash::sha256d) root = sha256_of(root);
  for (const auto& branch : job.branches) root = sha256d_of_pair(root, branch);
  return root;
}

std::uint8_t* put_little_endian(std::uint8_t* to, std::uint32_t value) noexcept {
  for (int shift = 0; shift < 32; shift += 8) *to++ = static_cast<std::uint8_t>(value >> shift);
  return to;
}

}  // namespace

result<work> decode_work(const work_text& text) {
  work job;
  job.version = text.version;
  job.nbits = text.nbits;
  job.branches.resize(text.branches.size());
  bool good = decode_hex(text.prevhash, job.prevhash) && decode_bytes(text.coinb1, job.coinb1) &&
              decode_bytes(text.coinb2, job.coinb2);
  for (std::size_t i = 0; i < text.branches.size(); ++i) good = good && decode_hex(text.branches[i], job.branches[i]);
  if (!good) return errc::bad_params;
  for (auto word = job.prevhash.begin(); word != job.prevhash.end(); word += 4) std::reverse(word, word + 4);
  return job;
}

bool share::append_extranonce(std::string_view hex) noexcept {
  const std::size_t size = hex.size() / 2;
  if (size > max_extranonce - extranonce_size) return false;
  if (!decode_hex(hex, std::span(extranonce).subspan(extranonce_size, size))) return false;
  extranonce_size += size;
  return true;
}

header header_of(const work& job, const share& what, coinbase_hash coinbase) noexcept {
  const std::uint32_t mask = what.version_bits ? what.version_mask : 0;
  const digest256 root = merkle_root(job, what, coinbase);
  header made;
  auto* to = put_little_endian(made.data(), (job.version & ~mask) | (what.version_bits.value_or(0) & mask));
  to = std::copy(job.prevhash.begin(), job.prevhash.end(), to);
  to = std::copy(root.begin(), root.end(), to);
  to = put_little_endian(to, what.ntime);
  to = put_little_endian(to, job.nbits);
  put_little_endian(to, what.nonce);
  return made;
}

bool can_check(const info& how) noexcept {
  return how.hash && how.speaks == dialect::bitcoin && how.coinb1_index == 2;  // LBRY's claim trie is in the header, too
}

result<proof> check(const info& how, const work& job, const share& what) {
  if (!can_check(how)) return std::make_error_code(std::errc::function_not_supported);
  if ((what.version_bits.value_or(0) & ~what.version_mask) != 0) return errc::out_of_range;
  const header made = header_of(job, what, how.coinbase);
  digest256 hash;
  if (!how.hash(made, hash)) return std::make_error_code(std::errc::not_enough_memory);
  proof outcome;
  outcome.hash = uint256::from_little_endian(hash);
  outcome.is_block = outcome.hash <= target_of_nbits(job.nbits);
  return outcome;
}

}  // namespace stratumproxy::algorithm
