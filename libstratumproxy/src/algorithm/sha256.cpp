// EVP, which OpenSSL 3 wants instead, takes twice the time for the 64 bytes of a merkle node, of which a share has a dozen, and
// in version 3.0 it allocates at each start of a hash.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "algorithm/sha256.hpp"

#include <algorithm>

namespace stratumproxy::algorithm {

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

digest256 sha256d_of_pair(const digest256& left, const digest256& right) noexcept {
  std::array<std::uint8_t, 64> pair;  // a whole block, which SHA256_Update takes without a copy of its own
  std::copy(right.begin(), right.end(), std::copy(left.begin(), left.end(), pair.begin()));
  return sha256_of(sha256_of(pair));
}

}  // namespace stratumproxy::algorithm
