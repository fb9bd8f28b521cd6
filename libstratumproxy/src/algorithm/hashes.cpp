#define OPENSSL_SUPPRESS_DEPRECATED  // why: sha256.cpp

#include "algorithm/hashes.hpp"

#include <argon2.h>
#include <cryptopp/blake2.h>
#include <cryptopp/keccak.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "algorithm/sha256.hpp"

namespace stratumproxy::algorithm {
namespace {

using bytes_in = std::span<const std::uint8_t>;
using bytes_out = std::span<std::uint8_t, 32>;

template <int Rounds>
bool sha256_rounds(bytes_in header, bytes_out hash) noexcept {
  digest256 digest = sha256_of(header);
  for (int round = 1; round < Rounds; ++round) digest = sha256_of(digest);
  std::copy(digest.begin(), digest.end(), hash.begin());
  return true;
}

// FIPS 180-4, 5.3.6.2. EVP has it ready-made, but in OpenSSL 3.0 each start of a hash there allocates.
digest256 sha512_256_of(bytes_in bytes) noexcept {
  SHA512_CTX context;
  SHA512_Init(&context);
  constexpr std::array<SHA_LONG64, 8> start = {0x22312194fc2bf72c, 0x9f555fa3c84c64c2, 0x2393b86b6f53b151, 0x963877195940eabd,
                                               0x96283ee2a88effe3, 0xbe5e1e2553863992, 0x2b0199fc2c85b8aa, 0x0eb72ddc81c52ca2};
  std::copy(start.begin(), start.end(), context.h);
  SHA512_Update(&context, bytes.data(), bytes.size());
  std::array<std::uint8_t, SHA512_DIGEST_LENGTH> whole;
  SHA512_Final(whole.data(), &context);
  digest256 digest;
  std::copy_n(whole.begin(), digest.size(), digest.begin());
  return digest;
}

bool sha512_256d(bytes_in header, bytes_out hash) noexcept {
  const digest256 digest = sha512_256_of(sha512_256_of(header));
  std::copy(digest.begin(), digest.end(), hash.begin());
  return true;
}

// Litecoin's parameters: N = 1024, r = p = 1, and the header is password and salt.
bool scrypt(bytes_in header, bytes_out hash) noexcept {
  constexpr std::uint64_t memory = 1 << 20;  // of which it needs 128 KiB and little more
  const auto* text = reinterpret_cast<const char*>(header.data());
  return EVP_PBE_scrypt(text, header.size(), header.data(), header.size(), 1024, 1, 1, memory, hash.data(), hash.size()) == 1;
}

// Keccak as submitted to NIST, with its own padding: not SHA3-256.
bool keccak_256(bytes_in header, bytes_out hash) noexcept {
  CryptoPP::Keccak_256().CalculateDigest(hash.data(), header.data(), header.size());
  return true;
}

// Both keep their state on the heap, so that a thread makes it once. (OpenSSL 3.0 would allocate for each hash.)
template <class Blake2>
bool blake2_256(bytes_in header, bytes_out hash) noexcept {
  thread_local Blake2 digest(false, 32);
  digest.CalculateDigest(hash.data(), header.data(), header.size());
  return true;
}

// Parameters: cpuminer-opt, algo/argon2d/argon2d-gate.c. The header is password and salt. Lanes are filled one after another:
// a worker pool has its own threads.
template <std::uint32_t Passes, std::uint32_t Kibibytes, std::uint32_t Lanes, std::uint32_t Version>
bool argon2d(bytes_in header, bytes_out hash) noexcept {
  auto* input = const_cast<std::uint8_t*>(header.data());  // written to only where flags ask for it
  argon2_context context{};
  context.out = hash.data();
  context.outlen = static_cast<std::uint32_t>(hash.size());
  context.pwd = context.salt = input;
  context.pwdlen = context.saltlen = static_cast<std::uint32_t>(header.size());
  context.t_cost = Passes;
  context.m_cost = Kibibytes;
  context.lanes = Lanes;
  context.threads = 1;
  context.version = Version;
  context.flags = ARGON2_DEFAULT_FLAGS;
  return argon2_ctx(&context, Argon2_d) == ARGON2_OK;
}

constexpr shipped_hash table[] = {
    {"sha256d", sha256_rounds<2>, hash_cost::fast},
    {"sha256t", sha256_rounds<3>, hash_cost::fast},
    {"sha256q", sha256_rounds<4>, hash_cost::fast},
    {"sha512256d", sha512_256d, hash_cost::fast},
    {"blake2s", blake2_256<CryptoPP::BLAKE2s>, hash_cost::fast},
    {"blake2b", blake2_256<CryptoPP::BLAKE2b>, hash_cost::fast},
    {"keccak", keccak_256, hash_cost::fast},
    {"keccakc", keccak_256, hash_cost::fast},
    {"scrypt", scrypt, hash_cost::slow},
    {"argon2d", argon2d<2, 500, 8, ARGON2_VERSION_10>, hash_cost::slow},  // Dynamic
    {"argon2d250", argon2d<1, 250, 4, ARGON2_VERSION_10>, hash_cost::slow},  // Credits
    {"argon2d500", argon2d<2, 500, 8, ARGON2_VERSION_10>, hash_cost::slow},
    {"argon2d4096", argon2d<1, 4096, 1, ARGON2_VERSION_13>, hash_cost::slow},  // Unitus, Myriad
};

}  // namespace

std::span<const shipped_hash> shipped_hashes() noexcept { return table; }

}  // namespace stratumproxy::algorithm
