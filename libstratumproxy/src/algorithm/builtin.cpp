#include "stratumproxy/algorithm.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <vector>

#include "algorithm/hashes.hpp"

namespace stratumproxy::algorithm {
namespace {

// Where the dividers come from. Programs disagree about some; the row then says who says what.
constexpr std::string_view mined = "yiimp, ccminer, cpuminer-opt";
constexpr std::string_view pooled = "yiimp, ccminer, cpuminer-opt, miningcore";
constexpr std::string_view memory_hard = "yiimp, ccminer, cpuminer-opt, xmrig, miningcore";
constexpr std::string_view one_hash = "xmrig, miningcore: difficulty counts hashes";
constexpr std::string_view by_target = "pools send targets: hashes = 2^256 / (target + 1); 1 is nominal";

struct row {
  std::string_view name;
  std::string_view aliases;  // separated by blanks
  double divider;
  std::string_view source;
  dialect speaks = dialect::bitcoin;
  unsigned coinb1_index = 2;
};

constexpr row rows[] = {
    // 2^32 hashes a difficulty-1 share
    {"sha256d", "sha256 sha-256 sha256asicboost", 1, mined},
    {"sha256t", "", 1, mined},
    {"sha256q", "", 1, mined},
    {"x11", "", 1, mined},
    {"x12", "", 1, mined},
    {"x13", "", 1, mined},
    {"x14", "", 1, mined},
    {"x15", "", 1, mined},
    {"x17", "", 1, mined},
    {"x22i", "", 1, mined},
    {"x11evo", "", 1, mined},
    {"c11", "", 1, mined},
    {"hsr", "hshare", 1, "yiimp, sgminer; in no other table"},
    {"nist5", "", 1, mined},
    {"skein", "", 1, mined},
    {"skein2", "", 1, mined},
    {"blake", "blake256 blake256r14", 1, "yiimp, ccminer, cpuminer-opt; node-stratum-pool has 256"},
    {"blakecoin", "blake256r8 vanilla", 1, mined},
    {"blake2s", "", 1, mined},
    {"blake2b", "sia", 1, mined, dialect::other},
    {"decred", "blake3-decred", 1, mined, dialect::other},
    {"phi", "phi1612", 1, mined},
    {"polytimos", "", 1, mined},
    {"skunk", "skunkhash", 1, mined},
    {"tribus", "", 1, mined},
    {"sonoa", "", 1, mined},
    {"bastion", "", 1, mined},
    {"bmw", "", 1, mined},
    {"luffa", "", 1, mined},
    {"penta", "pentablake", 1, mined},
    {"deep", "", 1, mined},
    {"zr5", "ziftr", 1, mined},
    {"veltor", "", 1, mined},
    {"vitalium", "", 1, mined},
    {"aergo", "", 1, mined},
    {"sib", "x11gost", 1, mined},
    {"whirlpool", "", 1, "yiimp, sgminer; in no other table"},
    {"whirlpoolx", "", 1, "yiimp, sgminer; in no other table"},
    {"myr-gr", "myriad-groestl", 1, "yiimp, sgminer; miningcore has 1, 256 or 4096 by coin"},
    {"quark", "", 1, "yiimp, ccminer, cpuminer-opt; sgminer has 256"},
    {"qubit", "", 1, "yiimp, ccminer, cpuminer-opt; sgminer has 256"},
    {"heavyhash", "obtc", 1, "miningcore"},
    {"sha512256d", "sha512/256d", 1, "miningcore"},
    {"sha3d", "", 1, "in none of the tables read; 1 until somebody measures it"},
    {"ethash", "daggerhashimoto dagger-hashimoto etchash", 1, "NiceHash EthereumStratum 1.0; miningcore",
     dialect::ethereum_stratum},
    {"kheavyhash", "kaspa", 1, "Kaspa stratum bridge; 2^224 - 1 is its difficulty 1", dialect::kaspa},
    {"handshake", "hns", 1, "nominal where a pool uses set_difficulty; not confirmed", dialect::other},
    {"eaglesong", "ckb", 1, "nominal where a pool uses set_difficulty (uupool sends 1.999969), else targets", dialect::other},

    // 2^30
    {"alephium", "blake3-alephium", 4, "alephium/mining-proxy: 30 zero bits, configurable", dialect::other},

    // 2^25
    {"lyra2re", "", 128, mined},
    {"keccak", "", 128, "yiimp, ccminer, cpuminer-opt; node-stratum-pool and sgminer (maxcoin) have 256"},

    // 2^24
    {"x16r", "", 256, pooled},
    {"x16rv2", "", 256, "node-stratum-pool, cpuminer-opt, yiimp; miningcore has 4096"},
    {"x16s", "", 256, pooled},
    {"x20r", "", 256, pooled},
    {"x21s", "", 256, pooled},
    {"xevan", "", 256, pooled},
    {"timetravel", "", 256, pooled},
    {"bitcore", "timetravel10", 256, pooled},
    {"exosis", "", 256, pooled},
    {"allium", "", 256, pooled},
    {"lyra2rev2", "lyra2v2 lyra2re2", 256, pooled},
    {"lyra2v3", "lyra2rev3 lyra2re3", 256, pooled},
    {"lyra2z", "", 256, pooled},
    {"lyra2z330", "", 256, pooled},
    {"lyra2zz", "", 256, pooled},
    {"phi2", "", 256, pooled},
    {"fresh", "", 256, pooled},
    {"groestl", "", 256, "yiimp, ccminer, cpuminer-opt; miningcore has 4096"},
    {"dmd-gr", "diamond", 256, pooled},
    {"fugue256", "", 256, pooled},
    {"keccakc", "", 256, pooled},
    {"lbry", "", 256, pooled, dialect::bitcoin, 3},
    {"lbk3", "", 256, pooled},
    {"rainforest", "", 256, pooled},
    {"verthash", "", 256, pooled},
    {"bmw512", "", 256, pooled},
    {"hex", "", 256, "yiimp; cpuminer-opt has 128"},
    {"autolykos", "autolykos2 ergo", 256, "miningcore; the real target is in notify", dialect::other},

    // 2^20.09
    {"verushash", "verus", 3855, "from its difficulty-1 target 00000f0f0f...", dialect::zcash},

    // 2^16
    {"scrypt", "", 65536, memory_hard},
    {"scrypt-n", "scryptn nscrypt", 65536, memory_hard},
    {"scrypt-jane", "scryptjane", 65536, memory_hard},
    {"neoscrypt", "", 65536, "yiimp, ccminer, cpuminer-opt; node-stratum-pool has 32"},
    {"yescrypt", "", 65536, memory_hard},
    {"yescryptr8", "", 65536, memory_hard},
    {"yescryptr16", "", 65536, memory_hard},
    {"yescryptr32", "", 65536, memory_hard},
    {"yespower", "", 65536, memory_hard},
    {"yespowerr16", "", 65536, memory_hard},
    {"yespower-b2b", "power2b", 65536, memory_hard},
    {"argon2", "", 65536, memory_hard},
    {"argon2d", "argon2d-dyn argon2d-dynamic", 65536, memory_hard},
    {"argon2d250", "", 65536, memory_hard},
    {"argon2d500", "", 65536, memory_hard},
    {"argon2d4096", "", 65536, memory_hard},
    {"hmq1725", "", 65536, memory_hard},
    {"m7m", "", 65536, memory_hard},
    {"jha", "", 65536, memory_hard},
    {"jackpot", "", 65536, memory_hard},
    {"hive", "", 65536, memory_hard},
    {"a5a", "", 65536, memory_hard},
    {"velvet", "", 65536, memory_hard},
    {"pluck", "", 65536, memory_hard},
    {"drop", "", 65536, memory_hard},
    {"ghostrider", "gr", 65536, memory_hard},

    // 2^13 solutions
    {"equihash", "equihash200_9 equihash200/9 equihash-200-9", 524288,
     "miningcore (0007ff...); ccminer takes its target from the chain's limit", dialect::zcash},
    {"equihash144_5", "equihash144/5 equihash-144-5 zhash", 524288, "miningcore (0007ff...)", dialect::zcash},

    // 1
    {"cryptonight", "cn cryptonight-r cryptonight-heavy", 4294967296.0, one_hash, dialect::cryptonote},
    {"randomx", "rx rx/0", 4294967296.0, one_hash, dialect::cryptonote},

    // Without a difficulty 1
    {"kawpow", "", 1, by_target, dialect::kawpow},
    {"progpow", "", 1, by_target, dialect::kawpow},
    {"kadena", "blake2s-kadena", 1, by_target, dialect::kadena},
    {"cuckoo", "aeternity", 1, by_target, dialect::other},
    {"octopus", "conflux", 1, by_target, dialect::other},
};

// yiimp, cpuminer-opt
constexpr std::string_view single_sha256_coinbase[] = {"argon2", "blakecoin", "groestl", "hex", "keccak"};

std::vector<info> expand() {
  std::vector<info> all;
  all.reserve(std::size(rows));
  for (const row& from : rows) {
    info& to = all.emplace_back();
    to.name = from.name;
    to.divider = from.divider;
    to.source = from.source;
    to.speaks = from.speaks;
    to.coinb1_index = from.coinb1_index;
    if (std::ranges::find(single_sha256_coinbase, from.name) != std::end(single_sha256_coinbase)) {
      to.coinbase = coinbase_hash::sha256;
    }
    const auto hashes = shipped_hashes();
    if (const auto hash = std::ranges::find(hashes, from.name, &shipped_hash::name); hash != hashes.end()) {
      to.hash = hash->function;
      to.cost = hash->cost;
    }
    for (std::string_view rest = from.aliases; !rest.empty();) {
      const auto end = rest.find(' ');
      to.aliases.emplace_back(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
  }
  return all;
}

}  // namespace

std::span<const info> builtin() {
  static const std::vector<info> all = expand();
  return all;
}

}  // namespace stratumproxy::algorithm
