// EVP, which OpenSSL 3 wants instead, takes twice the time for the 64 bytes of a merkle node, of which a share has a dozen, and
// in version 3.0 it allocates at each start of a hash.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "algorithm/sha256.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

namespace stratumproxy::algorithm {
namespace {

using block = std::array<std::uint8_t, 64>;

// Whole blocks, with the padding made here: of a share's time the merkle nodes are the most, and Update and Final are a quarter of theirs.
class blocks {
 public:
  blocks() noexcept {
    constexpr std::array<std::uint32_t, 8> start = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::copy(start.begin(), start.end(), context_.h);
  }
  void add(const block& data) noexcept { SHA256_Transform(&context_, data.data()); }
  [[nodiscard]] digest256 digest() const noexcept {
    digest256 bytes;
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint32_t word = context_.h[i];
      if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap32(word);
      std::memcpy(bytes.data() + 4 * i, &word, sizeof(word));
    }
    return bytes;
  }

 private:
  SHA256_CTX context_;  // SHA256_Transform looks at nothing but h
};

// The last block of a message of `size` bytes (below 8 KiB), of which it has `used`.
constexpr void finish_block(block& last, std::size_t used, std::size_t size) noexcept {
  last[used] = 0x80;
  last[62] = static_cast<std::uint8_t>(size * 8 >> 8);
  last[63] = static_cast<std::uint8_t>(size * 8);
}

}  // namespace

sha256::sha256() noexcept { SHA256_Init(&context_); }

sha256& sha256::add(std::span<const std::uint8_t> bytes) noexcept {
  SHA256_Update(&context_, bytes.data(), bytes.size());
  return *this;
}

digest256 sha256::finish() noexcept {
  digest256 digest;
  SHA256_Final(digest.data(), &context_);
  return digest;
}

digest256 sha256_of(const digest256& digest) noexcept {
  block padded{};
  std::copy(digest.begin(), digest.end(), padded.begin());
  finish_block(padded, digest.size(), digest.size());
  blocks hash;
  hash.add(padded);
  return hash.digest();
}

digest256 sha256d_of_pair(const digest256& left, const digest256& right) noexcept {
  static constexpr block second = [] {
    block padding{};
    finish_block(padding, 0, 64);
    return padding;
  }();
  block pair;
  std::copy(right.begin(), right.end(), std::copy(left.begin(), left.end(), pair.begin()));
  blocks hash;
  hash.add(pair);
  hash.add(second);
  return sha256_of(hash.digest());
}

}  // namespace stratumproxy::algorithm
