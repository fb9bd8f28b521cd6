#include "known_pools.hpp"

namespace stratumproxyd {
namespace {

// Where to look an address up. About half of the rows were found in public configurations, the others are common knowledge of the
// field; none was compared with its page or tried.
constexpr std::string_view zpool = "https://zpool.ca/site/mining";
constexpr std::string_view zergpool = "https://zergpool.com/setup";
constexpr std::string_view nicehash = "https://www.nicehash.com/stratum-url-generator";
constexpr std::string_view ckpool = "https://solo.ckpool.org";
constexpr std::string_view two_miners = "https://2miners.com/help";
constexpr std::string_view f2pool = "https://www.f2pool.com/mining-guides";
constexpr std::string_view antpool = "https://www.antpool.com/support";
constexpr std::string_view viabtc = "https://support.viabtc.com/hc/en-us/articles/14367481714191-Mining-Pools-Information";
constexpr std::string_view luxor = "https://docs.luxor.tech/docs/mining-pools";
constexpr std::string_view suprnova = "https://suprnova.cc";

// Ports are those without TLS, at the difficulty that suits an ordinary farm. Pools of a dialect that is not built are here as
// well: whoever registers on one is told why it cannot work, instead of being asked to add it first.
constexpr known_pool rows[] = {
    {"stratum.braiins.com:3333", "sha256d", "https://academy.braiins.com/en/braiins-pool/configuration"},
    {"eu.stratum.braiins.com:3333", "sha256d", "https://academy.braiins.com/en/braiins-pool/configuration"},
    {"us-east.stratum.braiins.com:3333", "sha256d", "https://academy.braiins.com/en/braiins-pool/configuration"},
    {"btc.viabtc.io:3333", "sha256d", viabtc},
    {"bch.viabtc.io:3333", "sha256d", viabtc},
    {"btc.f2pool.com:1314", "sha256d", f2pool},
    {"ss.antpool.com:3333", "sha256d", antpool},
    {"stratum.antpool.com:3333", "sha256d", antpool},
    {"btc.global.luxor.tech:700", "sha256d", luxor},
    {"mine.ocean.xyz:3334", "sha256d", "https://ocean.xyz/docs"},
    {"solo.ckpool.org:3333", "sha256d", ckpool},
    {"eusolo.ckpool.org:3333", "sha256d", "https://eusolo.ckpool.org"},
    {"ausolo.ckpool.org:3333", "sha256d", "https://ausolo.ckpool.org"},
    {"public-pool.io:21496", "sha256d", "https://web.public-pool.io"},
    {"bs.poolbinance.com:3333", "sha256d", "https://pool.binance.com"},
    {"sha256.auto.nicehash.com:9200", "sha256d", nicehash},
    {"sha256asicboost.auto.nicehash.com:9200", "sha256d", nicehash},
    {"sha256.mine.zpool.ca:3333", "sha256d", zpool},

    {"ltc.viabtc.io:3333", "scrypt", viabtc},
    {"ltc.f2pool.com:3335", "scrypt", f2pool},
    {"ltc.f2pool.com:8888", "scrypt", f2pool},
    {"stratum-ltc.antpool.com:8888", "scrypt", antpool},
    {"ltc.global.luxor.tech:700", "scrypt", luxor},
    {"litecoinpool.org:3333", "scrypt", "https://www.litecoinpool.org/help"},
    {"prohashing.com:3333", "scrypt", "https://prohashing.com/help"},
    {"scrypt.auto.nicehash.com:9200", "scrypt", nicehash},
    {"scrypt.mine.zpool.ca:3433", "scrypt", zpool},
    {"scrypt.mine.zergpool.com:3433", "scrypt", zergpool},

    {"stratum-dash.antpool.com:6099", "x11", antpool},
    {"dash.f2pool.com:5588", "x11", f2pool},
    {"x11.auto.nicehash.com:9200", "x11", nicehash},
    {"x11.mine.zpool.ca:3533", "x11", zpool},
    {"x13.mine.zpool.ca:3633", "x13", zpool},
    {"x17.mine.zpool.ca:3737", "x17", zpool},
    {"quark.mine.zpool.ca:4033", "quark", zpool},
    {"nist5.mine.zpool.ca:3833", "nist5", zpool},
    {"skein.mine.zergpool.com:4933", "skein", zergpool},
    {"groestl.mine.zergpool.com:5333", "groestl", zergpool},
    {"lyra2v2.mine.zpool.ca:4533", "lyra2rev2", zpool},
    {"lyra2z.mine.zpool.ca:4553", "lyra2z", zpool},
    {"lyra2z330.na.mine.zpool.ca:4563", "lyra2z330", zpool},
    {"neoscrypt.mine.zpool.ca:4233", "neoscrypt", zpool},
    {"yescrypt.mine.zpool.ca:6233", "yescrypt", zpool},
    {"yespower.mine.zpool.ca:6234", "yespower", zpool},
    {"m7m.eu.mine.zpool.ca:6033", "m7m", zpool},
    {"ghostrider.eu.mine.zergpool.com:5354", "ghostrider", zergpool},
    {"verthash.mine.zergpool.com:4534", "verthash", zergpool},
    {"lbry.suprnova.cc:6256", "lbry", suprnova},

    {"etc.2miners.com:1010", "ethash", two_miners},
    {"etc.f2pool.com:8118", "ethash", f2pool},
    {"kas.2miners.com:2020", "kheavyhash", two_miners},
    {"rvn.2miners.com:6060", "kawpow", two_miners},
    {"erg.2miners.com:8888", "autolykos", two_miners},
    {"stratum-zec.antpool.com:8899", "equihash", antpool},
    {"kda.f2pool.com:5400", "kadena", f2pool},
    {"randomxmonero.auto.nicehash.com:9200", "randomx", nicehash},
    {"pool.supportxmr.com:3333", "randomx", "https://www.supportxmr.com"},
    {"gulf.moneroocean.stream:10128", "randomx", "https://moneroocean.stream"},
    {"pool.verus.io:9999", "verushash", "https://pool.verus.io"},
};

}  // namespace

std::span<const known_pool> known_pools() {
  return rows;
}

}  // namespace stratumproxyd
