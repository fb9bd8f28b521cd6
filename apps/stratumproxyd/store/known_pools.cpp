#include "known_pools.hpp"

namespace stratumproxyd {
namespace {

// Most of them are lists that the authors of mining programs keep for their users, not the pools' own pages.
constexpr public_page nerdminer{
    "https://github.com/BitMaker-hub/NerdMiner_v2/blob/a91637b822d03e7589cbba413b6f7f45b31587f9/"
    "README.md",
    "2026-03-27"};
constexpr public_page speed_test{
    "https://github.com/mweinberg/stratum-speed-test/blob/647f7d000e0442f43e6206d9c2d20c58353757ba/"
    "README.md",
    "2025-12-18"};
constexpr public_page taohash{
    "https://github.com/latent-to/taohash/blob/9c4a09088fdffe2f69b7d412e6fc5a0bbbf282e9/"
    "taohash/core/pool/braiins/config.py",
    "2025-05-30"};
constexpr public_page stratum_work{
    "https://github.com/bboerst/stratum-work/blob/a64223efb5766b017c5bbef28d82d761581b04ce/"
    "docker-compose.yml",
    "2026-01-21"};
constexpr public_page viabtc{
    "https://github.com/minershive/hive-pooltemplates/blob/f21e57487c5ea42099b94f0edc26af3fab65efbd/"
    "pool_templates/viabtc.json",
    "2023-07-09"};
constexpr public_page f2pool{
    "https://github.com/minershive/hive-pooltemplates/blob/05c66db81808781a92098dcfef66d7783160a379/"
    "pool_templates/f2pool.json",
    "2024-04-04"};
constexpr public_page antpool{
    "https://github.com/minershive/hive-pooltemplates/blob/bc9594f699d6ea8128408fe283617b44ca43a1cf/"
    "pool_templates/antpool.json",
    "2022-09-15"};
constexpr public_page luxor{
    "https://github.com/minershive/hive-pooltemplates/blob/92a73f25ddc34376a9f8b634131b824fe569994e/"
    "pool_templates/luxor.json",
    "2024-03-20"};
constexpr public_page ocean{
    "https://github.com/minershive/hive-pooltemplates/blob/c73381ecd90af465b1ba0a8e82f2550d6c17527b/"
    "pool_templates/ocean.xyz.json",
    "2025-07-29"};
constexpr public_page binance{
    "https://github.com/minershive/hive-pooltemplates/blob/3438dd9476e1109bcfe2c2ea9849f785f87102db/"
    "pool_templates/binance.json",
    "2024-11-07"};
constexpr public_page litecoinpool{
    "https://github.com/minershive/hive-pooltemplates/blob/97ea1d80c19fe1bd67d7b2686734a71d738cbdcd/"
    "pool_templates/litecoinpool.json",
    "2021-05-27"};
constexpr public_page rainbow_miner{
    "https://github.com/RainbowMiner/RainbowMiner/blob/73dedabf6951f5f0c35801e4db1eaa1e1367db9c/"
    "Data/mrrpoolsall.json",
    "2026-05-15"};
constexpr public_page support_xmr{
    "https://github.com/RainbowMiner/RainbowMiner/blob/c4b2b479dc029bd62b8f9ba2dfd49e956f9d584d/"
    "Pools/SupportXmr.ps1",
    "2025-03-01"};
constexpr public_page moneroocean{
    "https://github.com/MoneroOcean/xmrig/blob/6b379760cae55a094487e80723b8df74af68abfd/"
    "src/config.json",
    "2026-05-08"};
constexpr public_page two_miners{
    "https://github.com/minershive/hive-pooltemplates/blob/52db8626cf55d2b84ab057955cfc804d5af91e79/"
    "pool_templates/2miners.json",
    "2026-06-28"};
constexpr public_page suprnova{
    "https://github.com/minershive/hive-pooltemplates/blob/4ab42aad6ee9e6746a12f69ac01bc070b7a42ec7/"
    "pool_templates/suprnova.json",
    "2026-06-28"};
constexpr public_page flockpool{
    "https://github.com/minershive/hive-pooltemplates/blob/9c1cb882b42ae80894aa9eb79e09141a0f3acb31/"
    "pool_templates/flockpool.json",
    "2023-03-29"};
constexpr public_page herominers{
    "https://github.com/minershive/hive-pooltemplates/blob/cb8be65574a9364fa1c8c5421015122e0943f996/"
    "pool_templates/herominers.json",
    "2026-06-07"};
constexpr public_page luckpool{
    "https://github.com/minershive/hive-pooltemplates/blob/dea3bee1d5371f94ca716764b1125e7c715452f2/"
    "pool_templates/luckpool.json",
    "2020-07-06"};

// Ports are those without TLS. Each address was compared with the page named beside it; that page, or the project that keeps
// it, gives the algorithm or a coin of that algorithm. None was tried. Pools of a dialect that is not built are here as well:
// whoever registers on one is told why it cannot work, instead of being asked to add it first.
constexpr known_pool rows[] = {
    {"stratum.braiins.com:3333", "sha256d", taohash},
    {"solo.stratum.braiins.com:3333", "sha256d", speed_test},
    {"btc.viabtc.io:3333", "sha256d", viabtc},
    {"bch.viabtc.io:3333", "sha256d", viabtc},
    {"btc.f2pool.com:1314", "sha256d", f2pool},
    {"btc-eu.f2pool.com:3333", "sha256d", stratum_work},
    {"ss.antpool.com:443", "sha256d", stratum_work},
    {"btc.global.luxor.tech:700", "sha256d", luxor},
    {"mine.ocean.xyz:3334", "sha256d", ocean},
    {"bs.poolbinance.com:3333", "sha256d", binance},
    {"solo.ckpool.org:3333", "sha256d", nerdminer},
    {"eusolo.ckpool.org:3333", "sha256d", speed_test},
    {"ausolo.ckpool.org:3333", "sha256d", speed_test},
    {"public-pool.io:3333", "sha256d", nerdminer},
    {"stratum.kano.is:3333", "sha256d", speed_test},
    {"bch.2miners.com:7373", "sha256d", two_miners},
    {"sha256.auto.nicehash.com:9200", "sha256d", rainbow_miner},

    {"ltc.viabtc.io:3333", "scrypt", viabtc},
    {"ltc.f2pool.com:3335", "scrypt", f2pool},
    {"ltc.f2pool.com:8888", "scrypt", f2pool},
    {"stratum-ltc.antpool.com:8888", "scrypt", antpool},
    {"ltc.global.luxor.tech:700", "scrypt", luxor},
    {"litecoinpool.org:3333", "scrypt", litecoinpool},
    {"scrypt.auto.nicehash.com:9200", "scrypt", rainbow_miner},

    {"mining.viabtc.io:3004", "x11", viabtc},
    {"dash.f2pool.com:5588", "x11", f2pool},
    {"stratum-dash.antpool.com:6099", "x11", antpool},
    {"x11.auto.nicehash.com:9200", "x11", rainbow_miner},

    {"x13.na.mine.zpool.ca:3633", "x13", rainbow_miner},
    {"x16r.na.mine.zpool.ca:3636", "x16r", rainbow_miner},
    {"x16rv2.na.mine.zpool.ca:3637", "x16rv2", rainbow_miner},
    {"xvg-x17.f2pool.com:9010", "x17", f2pool},
    {"sha512256d.na.mine.zpool.ca:3342", "sha512256d", rainbow_miner},
    {"heavyhash.na.mine.zpool.ca:5138", "heavyhash", rainbow_miner},
    {"skein.na.mine.zpool.ca:4933", "skein", rainbow_miner},
    {"groestl.na.mine.zpool.ca:5333", "groestl", rainbow_miner},
    {"grs.suprnova.cc:5544", "groestl", suprnova},
    {"myr-gr.na.mine.zpool.ca:5433", "myr-gr", rainbow_miner},
    {"qubit.na.mine.zpool.ca:4733", "qubit", rainbow_miner},
    {"dgbq.suprnova.cc:8531", "qubit", suprnova},
    {"europe.mining-dutch.nl:6674", "keccak", rainbow_miner},
    {"allium.na.mine.zpool.ca:6433", "allium", rainbow_miner},
    {"lyra2v2.na.mine.zpool.ca:4533", "lyra2rev2", rainbow_miner},
    {"lyra2z.na.mine.zpool.ca:4553", "lyra2z", rainbow_miner},
    {"lyra2z330.na.mine.zpool.ca:4563", "lyra2z330", rainbow_miner},
    {"lbry.na.mine.zpool.ca:3334", "lbry", rainbow_miner},
    {"verthash.na.mine.zpool.ca:6144", "verthash", rainbow_miner},
    {"vtc.suprnova.cc:1777", "verthash", suprnova},
    {"neoscrypt.auto.nicehash.com:9200", "neoscrypt", rainbow_miner},
    {"pxc.suprnova.cc:2026", "neoscrypt", suprnova},
    {"yescrypt.na.mine.zpool.ca:6233", "yescrypt", rainbow_miner},
    {"yescryptr16.na.mine.zpool.ca:6333", "yescryptr16", rainbow_miner},
    {"yescryptr32.na.mine.zpool.ca:6343", "yescryptr32", rainbow_miner},
    {"yespower.na.mine.zpool.ca:6234", "yespower", rainbow_miner},
    {"power2b.na.mine.zpool.ca:6242", "yespower-b2b", rainbow_miner},
    {"hmq1725.na.mine.zpool.ca:3747", "hmq1725", rainbow_miner},
    {"m7m.na.mine.zpool.ca:6033", "m7m", rainbow_miner},
    {"rtm.suprnova.cc:6273", "ghostrider", suprnova},
    {"eu.flockpool.com:4444", "ghostrider", flockpool},

    {"etc.2miners.com:1010", "ethash", two_miners},
    {"etc.f2pool.com:8118", "ethash", f2pool},
    {"rvn.2miners.com:6060", "kawpow", two_miners},
    {"kas.2miners.com:2020", "kheavyhash", two_miners},
    {"erg.2miners.com:8888", "autolykos", two_miners},
    {"zec.2miners.com:1010", "equihash", two_miners},
    {"zhash.auto.nicehash.com:9200", "equihash144_5", rainbow_miner},
    {"ckb.2miners.com:6464", "eaglesong", two_miners},
    {"ae.2miners.com:4040", "cuckoo", two_miners},
    {"de.conflux.herominers.com:1170", "octopus", herominers},
    {"alephium.auto.nicehash.com:9200", "alephium", rainbow_miner},
    {"dcr.suprnova.cc:9332", "decred", suprnova},
    {"mining.viabtc.io:3008", "handshake", viabtc},
    {"pool.supportxmr.com:3333", "randomx", support_xmr},
    {"gulf.moneroocean.stream:10128", "randomx", moneroocean},
    {"randomxmonero.auto.nicehash.com:9200", "randomx", rainbow_miner},
    {"na.luckpool.net:3956", "verushash", luckpool},
    {"verushash.auto.nicehash.com:9200", "verushash", rainbow_miner},
};

}  // namespace

std::span<const known_pool> known_pools() {
  return rows;
}

}  // namespace stratumproxyd
