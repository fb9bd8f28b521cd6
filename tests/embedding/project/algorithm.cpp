// The algorithm registry alone: names, dividers, what a difficulty stands for, and shares judged with a hash of one's own.
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include <stratumproxy/algorithm.hpp>
#include <stratumproxy/algorithm/share_check.hpp>

namespace algorithm = stratumproxy::algorithm;

// Called by several threads at once. A toy; in earnest call the coin's own library here.
bool my_hash(std::span<const std::uint8_t> header, std::span<std::uint8_t, 32> hash) {
  for (std::size_t i = 0; i < 32; ++i) hash[i] = static_cast<std::uint8_t>(header[i] ^ header[i + 32] ^ header[48 + i]);
  return true;
}

int main() {
  algorithm::registry known;  // with those that come with the library
  algorithm::info mine;
  mine.name = "myhash";
  mine.aliases = {"my-hash"};
  mine.divider = 256;
  mine.source = "the pool's help page";
  mine.hash = my_hash;
  mine.cost = algorithm::hash_cost::fast;  // below 20 us; slow ones are run on a worker pool
  if (const auto error = known.add(mine)) {
    std::printf("%s\n", error.message().c_str());
    return 1;
  }
  for (const char* name : {"SHA256d", "scrypt", "My-Hash", "unheard-of"}) {
    if (const auto* found = known.find(name)) {
      std::printf("%s: a share of difficulty 8 is %g hashes\n", found->name.c_str(),
                  algorithm::expected_hashes(8, found->divider));
    } else {
      std::printf("%s: unknown\n", name);
    }
  }

  // Once for each job; then once for each share, on any thread.
  const std::string prevhash(64, '0');
  const auto job = algorithm::decode_work({prevhash, "01000000", "ffffffff", {}, 0x20000000, 0x1d00ffff});
  algorithm::share share;
  if (!job || !share.append_extranonce("f00d") || !share.append_extranonce("0000000f")) return 1;
  share.ntime = 0x66a00000;
  share.nonce = 0x9b3c01d4;
  const auto proof = algorithm::check(*known.find("MY-HASH"), *job, share);
  if (!proof) return 1;
  const bool good = proof->meets(algorithm::target_of(1e-8, mine.divider));
  std::printf("a share of difficulty %g: %s\n", proof->difficulty(mine.divider), good ? "good" : "too low");
  return known.find("unheard-of") == nullptr && good && !proof->is_block ? 0 : 1;
}
