#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stratumproxy {

/// How many workers mine over one upstream connection.
enum class link_mode : std::uint8_t {
  dedicated,  ///< one
  shared,     ///< many of one account, each in a lane of its own (upstream_options::max_workers_per_link)
};

/// What the proxy itself checks of a share before the pool sees it.
enum class verify_level : std::uint8_t {
  off,    ///< the job, and the form of all numbers
  basic,  ///< also duplicates, and the range of the time
  full,   ///< also the proof of work; basic where the algorithm has no hash function
};

/// Whether a pool is spoken to through TLS, and which certificate it must have then.
enum class tls_mode : std::uint8_t {
  off,
  verify,    ///< valid, for the pool's host, and signed by one of the system's roots
  pin,       ///< the one with the fingerprint, whatever else it says
  insecure,  ///< any: whoever is on the way to the pool can be the pool
};

struct pool_tls {
  tls_mode mode = tls_mode::off;
  std::string fingerprint;  ///< for `pin`: SHA-256 of the certificate, as hex digits
  friend bool operator==(const pool_tls&, const pool_tls&) = default;
};

/// A pool as an account uses it: where it is and how its difficulty is counted.
struct pool_info {
  std::string host;        ///< DNS name in lower case, IPv4, or IPv6 without brackets
  std::uint16_t port = 0;
  std::string algorithm;   ///< canonical name, e.g. "sha256d"
  double divider = 1;      ///< expected hashes of a share = 2^32 * difficulty / divider
  unsigned coinb1_index = 2;  ///< position of coinb1 in mining.notify: 2, but 3 for LBRY (claim trie before it)
  std::string login_template = "{user}.{rig}";  ///< what the pool sees as login; {user}, {rig} and {account} are replaced
  std::vector<std::string> reconnect_hosts{};   ///< further hosts that this pool's client.reconnect may name
  /// Where shares can't be checked (no hash function, or `verify` is not full), shared needs fixed_difficulty; without it links
  /// are dedicated.
  link_mode mode = link_mode::dedicated;
  verify_level verify = verify_level::basic;
  /// Each worker gets a difficulty of its own, at most the pool's. Always so on shared links, unless fixed_difficulty; only
  /// where shares are checked.
  bool vardiff = false;
  bool fixed_difficulty = false;  ///< the pool's difficulty does not follow the hashrate: workers mine at the pool's
  bool rig_logins = false;        ///< on a shared link every rig logs in; else all workers mine under the account's own login
  pool_tls tls{};

  [[nodiscard]] std::string name() const;  ///< "host:port", IPv6 in brackets; the label `pool` of every metric
  friend bool operator==(const pool_info&, const pool_info&) = default;
};

/// One way for an account to mine: a pool and the credentials for it.
struct account_route {
  pool_info pool;
  std::string user;
  std::string password;
  /// Its part of the account's hashrate, against the weights of the other routes. A route without one is a fall-back. Where no
  /// route has any, the first has all.
  unsigned weight = 0;
  friend bool operator==(const account_route&, const account_route&) = default;
};

/// A registered account, as it was read; immutable once published.
struct account {
  std::string name;
  /// Grows with every change of the account or of its pools; of two that are at hand the higher one counts.
  std::uint64_t revision = 0;
  /// At least one, and max_routes are used; all of one algorithm. Routes that have a weight share the hashrate. While one of these is
  /// of no use its part goes to the others, and while none is, to the first fall-back that is.
  std::vector<account_route> routes;
  std::optional<link_mode> mode{};  ///< instead of the pool's

  static constexpr std::size_t max_routes = 8;
};

struct account_lookup {
  enum class status : std::uint8_t {
    found,
    unknown,      ///< there is no such account
    unavailable,  ///< it cannot be known at the moment: the miner is told "try later"
  };
  status state = status::unavailable;
  std::shared_ptr<const account> found;  ///< set when and only when state is found
};

/// Where accounts come from. `find` is called from the shards' threads, concurrently, and must not block; `done` is
/// called exactly once, from any thread, even from inside of `find`. Names are compared byte by byte; but the account found may spell its name in another case.
class account_source {
 public:
  virtual ~account_source() = default;
  virtual void find(std::string_view name, std::function<void(account_lookup)> done) = 0;
};

}  // namespace stratumproxy
