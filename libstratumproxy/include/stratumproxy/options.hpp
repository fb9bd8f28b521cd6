#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stratumproxy {

namespace algorithm {
class registry;
}

/// How an extranonce2 of the pool is divided: pad | mark | the miner's own part.
struct split_options {
  unsigned mark_bytes = 1;   ///< p: what tells workers apart
  unsigned miner_bytes = 3;  ///< m: 3 bytes last a 100 TH/s miner 12 minutes even without version rolling
  /// Agents that need more than miner_bytes, by prefix of the user agent. NiceHash refuses fewer than 4; proxies
  /// split again.
  std::vector<std::pair<std::string, unsigned>> by_agent = {{"NiceHash/", 4}, {"ckproxy", 6}, {"stratumproxy/", 6}};
};

struct session_options {
  std::chrono::milliseconds grace{60'000};  ///< a dropped worker's session, and its link, wait so long for it
  std::chrono::milliseconds hold{60'000};   ///< workers without any pool are kept so long
  std::size_t max_kept_per_address = 32;
  std::size_t max_kept_per_account = 1'000;
  std::uint32_t version_mask = 0x1fffe000;  ///< version bits that miners may roll (BIP 320)
  std::chrono::milliseconds refresh{50'000};  ///< a worker hears something at least so often: cgminer leaves after 90 s
};

/// Limits towards miners. All are on by default.
struct miner_limits {
  std::size_t line_bytes = 8'192;
  std::chrono::milliseconds first_message{10'000};  ///< from accept to the first complete message
  std::chrono::milliseconds authorize{60'000};      ///< from accept to a good authorize
  std::chrono::milliseconds idle{300'000};          ///< nothing received, not even a TCP acknowledgement
  std::size_t output_bytes = 262'144;               ///< a worker that leaves more unread is closed
  std::chrono::milliseconds output_blocked{60'000}; ///< so is one that reads nothing for so long
  std::size_t in_flight = 64;                       ///< submits without a verdict before reading pauses
  unsigned error_budget = 10;                       ///< lines that are no usable message
  unsigned failed_authorizes = 5;
  unsigned invalid_ratio_percent = 50;              ///< of the submits of a minute that fail the proxy's own checks
  unsigned invalid_minimum = 200;                   ///< submits before the ratio counts
  std::size_t unauthorized_per_address = 2'048;     ///< a farm sits behind one address: only logins are limited
  std::size_t connections = 0;                      ///< in all; 0: derived from the limit of file descriptors
};

/// A SOCKS5 server through which all pools are reached. It resolves their names.
struct socks5_options {
  std::string host;  ///< empty: there is none
  std::uint16_t port = 0;
  std::string user, password;  ///< both empty: without
};

/// Limits and times towards pools.
struct upstream_options {
  std::size_t line_bytes = 262'144;
  std::chrono::milliseconds verdict_timeout{60'000};
  std::chrono::milliseconds connect_timeout{5'000};  ///< up to where lines can be sent: with TLS and SOCKS5
  std::chrono::milliseconds configure_timeout{5'000};
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds silence{180'000};        ///< no line from a live pool for so long: the link is replaced
  std::chrono::milliseconds retry_min{1'000};
  std::chrono::milliseconds retry_max{60'000};
  std::chrono::milliseconds refusal_min{60'000};     ///< a login that the pool refused is tried again after this,
  std::chrono::milliseconds refusal_max{600'000};    ///< doubling to this
  std::chrono::milliseconds share_wait{10'000};      ///< a share that finds its link down waits so long for a resume
  std::chrono::milliseconds spread{10'000};          ///< after an outage links reconnect spread over this
  unsigned connects_per_second = 200;                ///< to one pool, for each shard
  std::size_t output_bytes = 262'144;
  unsigned max_workers_per_link = 256;               ///< of a shared link, kept sessions too; a full one opens the next
  std::chrono::milliseconds empty_link{30'000};      ///< a shared link without a worker is closed after this
  socks5_options socks5;
};

/// When workers go to another pool of their account, and when they come back.
struct failover_options {
  std::chrono::milliseconds patience{5'000};     ///< a link that was lost may take so long to be there again
  std::chrono::milliseconds no_job{300'000};     ///< a live link without a new job for so long is silent
  /// A pool that failed must have worked for so long before its workers come back; doubled each time that it fails soon
  /// after, up to `return_max`, and up to half as much again at random.
  std::chrono::milliseconds stable{60'000};
  std::chrono::milliseconds return_max{600'000};
  unsigned storm_shares = 20;                    ///< of the last so many verdicts of a pool, at most 64,
  unsigned storm_percent = 90;                   ///< so many rejections are a reject storm
};

/// How an account's weights become time, where whole workers are too coarse.
struct slice_options {
  std::chrono::milliseconds shortest{15'000};    ///< on one pool, before the worker goes to another
  std::chrono::milliseconds longest{60'000};
  std::chrono::milliseconds idle_limit{300'000}; ///< pools close links that send no share for so long
};

/// The difficulty of one worker, where the proxy sets it (pool_info::vardiff): a power of two, so chosen that it finds
/// `shares_per_minute`.
struct vardiff_options {
  /// 15 give 75 shares in five minutes, a hashrate that is right to 12 %, and 10,000 workers 2,500 shares/s, a twentieth
  /// of what one core takes. With half of it everything takes twice as long.
  double shares_per_minute = 15;
  /// Limits for all workers, rounded to powers of two inside of them. Wishes of miners move within these.
  double minimum = 0x1p-32;
  double maximum = 0x1p62;
  double first = 1024;  ///< where a worker begins of which nothing is known
};

/// Proof-of-work checks that take longer than 20 us.
struct check_options {
  unsigned threads = 0;          ///< 0: one for each core
  std::size_t max_queued = 1'024;  ///< shares that wait for a thread; above, the pool judges them
};

struct metrics_options {
  std::chrono::milliseconds window{300'000};
  std::chrono::milliseconds interval{60'000};
};

/// Whether miners speak TLS, with the certificate of proxy::set_certificate.
enum class listener_tls : std::uint8_t {
  detect,  ///< the first byte of each connection tells; without a certificate nobody does
  only,    ///< whoever does not, or all where there is no certificate, is closed
  off,
};

/// An address where miners connect.
struct listener_options {
  std::string address;  ///< HOST:PORT; port 0 picks a free one. [::]:PORT takes IPv4 as well
  /// Addresses and networks of load balancers, such as "10.0.0.5" or "2001:db8::/32". A connection from one of them has to begin with a
  /// header of the PROXY protocol, version 1 or 2, and is then that of the miner whom the header names; one from elsewhere must not.
  std::vector<std::string> proxy_protocol_from;
  listener_tls tls = listener_tls::detect;
};

/// Everything the library can be told. Values are taken when the proxy is made; proxy::set_options changes them while it runs.
struct options {
  std::string address = "127.0.0.1:9332";  ///< HOST:PORT to listen on; port 0 picks a free one
  std::vector<std::string> proxy_protocol_from;  ///< of that address, as listener_options has it
  listener_tls tls = listener_tls::detect;       ///< likewise
  std::vector<listener_options> more_listeners;
  unsigned threads = 0;                    ///< shards; 0: one for each core
  split_options split;
  session_options session;
  miner_limits limits;
  upstream_options upstream;
  failover_options failover;
  slice_options slices;
  vardiff_options vardiff;
  check_options checks;
  metrics_options metrics;
  /// Where the hash functions are found, by pool_info::algorithm. Null: the built-in ones.
  std::shared_ptr<const algorithm::registry> algorithms;
};

}  // namespace stratumproxy
