#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratumproxy/clock.hpp"

namespace stratumproxy::metrics {

/// Why a share was not accepted, as far as it can be told without guessing from numbers alone.
enum class reject_reason : std::uint8_t {
  stale,           ///< job unknown or replaced
  duplicate,
  low_difficulty,
  bad_time,
  bad_version,
  bad_extranonce,
  malformed,       ///< parameters of the wrong type, form or number
  unauthorized,    ///< submitted for an account that is not this connection's
  no_pool,         ///< no link took it in time
  malformed_reply, ///< the pool's answer was neither a yes nor a no
  other,
};
inline constexpr std::size_t reject_reasons = 11;
[[nodiscard]] std::string_view name(reject_reason reason) noexcept;

/// Shares of one worker, or of one (account, pool, algorithm). sent = accepted + rejected + unknown + in flight.
/// `*_one` are difficulty-1 shares: the sum of difficulty / divider, each share at the difficulty of its job.
struct share_counts {
  std::uint64_t sent = 0;
  std::uint64_t accepted = 0;
  std::uint64_t unknown = 0;
  std::uint64_t late = 0;   ///< verdicts that came after the deadline: they changed nothing
  std::uint64_t pool_accepted = 0;  ///< what the pool itself accepted; the rest of accepted was verified here
  std::array<std::uint64_t, reject_reasons> rejected{};
  double sent_one = 0;
  double accepted_one = 0;
  double pool_accepted_one = 0;

  [[nodiscard]] std::uint64_t rejected_total() const noexcept;
  share_counts& operator+=(const share_counts& other) noexcept;
};

/// Round trip of a share, from the miner's line to the pool's verdict. Fixed buckets: seconds, upper bounds.
struct latency_histogram {
  static constexpr std::array<double, 12> bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                    0.1,   0.25,   0.5,   1,    5,     60};
  std::array<std::uint64_t, 13> counts{};  ///< not cumulative; the last one is above every bound
  double sum = 0;

  void observe(double seconds) noexcept;
  latency_histogram& operator+=(const latency_histogram& other) noexcept;
};

/// One worker, on one of the pools that it mines on: one row each where its account has weights.
struct worker_row {
  std::string address;    ///< the miner's host:port
  std::string account;
  std::string rig;
  std::string agent;
  std::string algorithm;
  std::string pool;
  std::string session;    ///< first eight digits of the session id
  bool up = false;        ///< false while the session is kept after a drop
  bool is_current = true; ///< it mines on this pool at the moment
  double difficulty = 0;  ///< in force for the worker's next job; 0 before the pool said any
  double hashrate = 0;    ///< hashes per second over the window
  std::uint32_t version_mask = 0;
  std::string mark{};           ///< hex: what it has for an extranonce1; empty where it has the pool's own
  unsigned miner_bytes = 0;     ///< of the extranonce2, those that it counts itself
  double connected_seconds = 0; ///< of its connection; of the last one while its session is kept
  std::optional<double> last_share_seconds{};  ///< since it last sent a share, on whichever pool
  double kept_seconds = 0;      ///< since its connection was lost; 0 while it is up
  double expires_seconds = 0;   ///< until its session ends, unless it comes back; 0 while it is up
  double best_share = 0;  ///< the highest difficulty that a checked share of it would have met; 0: none was checked
  share_counts shares;
};

enum class link_state : std::uint8_t {
  waiting,      ///< for its turn to connect
  connecting,
  handshaking,
  live,
  silent,       ///< live, but without a job for long
  parked,       ///< live, but nobody mines on it: late shares still go up, or it is held ready
  failing,      ///< lost, or could not be had: it is tried again
  refused,      ///< the pool refused the login: likewise, later
};
inline constexpr std::size_t link_states = 8;
[[nodiscard]] std::string_view name(link_state state) noexcept;

/// Why a worker went from one pool to another.
enum class switch_cause : std::uint8_t {
  unreachable,      ///< the pool could not be had, or spoke no Stratum
  lost,             ///< its connection was lost, and not there again in time
  silent,           ///< it sent no job, or no verdicts
  refused,          ///< it refused the login
  reject_storm,     ///< it refused nearly all shares
  returned,         ///< a pool that comes before it is sound again
  account_changed,  ///< the account has other pools, or another mode
  slice,            ///< the account's weights say so
};
inline constexpr std::size_t switch_causes = 8;
[[nodiscard]] std::string_view name(switch_cause cause) noexcept;

struct pool_row {
  std::string pool;
  std::string algorithm;
  double divider = 1;
  std::array<std::uint64_t, link_states> links{};         ///< dedicated ones, by state
  std::array<std::uint64_t, link_states> shared_links{};  ///< likewise
  std::uint64_t connects = 0;         ///< connection attempts
  std::uint64_t drops = 0;            ///< live links that were lost
  std::uint64_t refused_logins = 0;
  std::uint64_t protocol_errors = 0;  ///< connections given up because of what the pool sent
  std::array<std::uint64_t, reject_reasons> rejected_here{};  ///< shares that the proxy itself refused
  std::uint64_t held_back = 0;        ///< shares accepted here that did not meet the pool's target, so that it never saw them
  std::uint64_t unchecked = 0;        ///< shares that went up without the check of their proof of work: the queue was full
  std::array<std::uint64_t, switch_causes> switches{};  ///< workers that went from here to another pool, by cause
};

/// One link.
struct link_row {
  std::uint64_t link = 0;      ///< a number that no other link of the proxy has
  std::string pool;
  std::string account;
  std::optional<std::size_t> route{};  ///< of the account; nothing where the account has it no more
  bool is_shared = false;
  link_state state = link_state::waiting;
  std::uint64_t workers = 0;   ///< lanes in use, those of kept sessions too
  std::uint64_t limit = 0;     ///< how many it takes
  double difficulty = 0;       ///< the pool's; 0 before it said any
  double round_trip = 0;       ///< seconds from a share to the pool's verdict, of the last ones (exponential mean of 16); 0: none yet
  std::string fault{};         ///< what became of its last connection, for people; empty once it is live, and before the first
};

/// One route of an account that has several and at least one worker.
struct route_row {
  std::string account;
  std::string pool;
  std::size_t route = 0;    ///< in the account's order
  unsigned weight = 0;      ///< its part of the hashrate, as account_route::weight
  bool is_usable = true;    ///< workers may come here
  switch_cause cause = switch_cause::returned;  ///< why not, when it is not
  std::uint64_t workers = 0;  ///< that mine here at the moment
  double work = 0;          ///< difficulty-1 shares accepted here since the account's first worker came
};

/// Totals since the proxy was made; they never fall.
struct total_row {
  std::string account;
  std::string pool;
  std::string algorithm;
  share_counts shares;
  double worker_seconds = 0;  ///< time that workers mined there, summed over them
};

/// Named counters without further labels than one: {"connections_closed", "reason", "slow_reader", 3}.
struct event_row {
  std::string_view name;
  std::string_view label;  ///< empty: no label
  std::string_view value;
  std::uint64_t count = 0;
};

/// What a snapshot is wanted for: workers, and links that they have to themselves, are most of it.
enum class scope : std::uint8_t {
  totals,      ///< no workers, no links
  everything,  ///< but for dedicated links
  all_links,   ///< also these
};

/// The state of a proxy, as values. Taking one costs the shards one copy, never a lock on the share path. Some dozens of rows
/// are copied at a time, those of workers first: the totals have whatever is in these. A row is of the moment when it was copied.
struct snapshot {
  std::vector<worker_row> workers;
  std::vector<pool_row> pools;    ///< one row a pool, summed over the shards
  std::vector<link_row> links;    ///< the shared ones, or all
  std::vector<route_row> routes;  ///< one row an account and route, summed over the shards
  std::vector<total_row> totals;  ///< one row an (account, pool, algorithm), summed over the shards
  std::vector<event_row> events;
  latency_histogram round_trip;
  std::uint64_t connections = 0;  ///< open connections of miners, logged in or not
  std::uint64_t kept_sessions = 0;

  using pause = void (*)() noexcept;
  /// Adds another shard's snapshot. `between` is called after each row or two: pace() (scheduling.hpp) lets others have the core meanwhile.
  void merge(snapshot&& other, pause between = []() noexcept {});
};

/// One share with its end. Views end with the call.
struct share_record {
  enum class verdict : std::uint8_t { accepted, rejected, unknown };
  verdict outcome = verdict::unknown;
  reject_reason reason = reject_reason::other;  ///< meaningful when rejected
  std::string_view account, rig, worker, algorithm, pool;
  double difficulty = 0;  ///< of the share's job
  double divider = 1;
  duration round_trip{};
};

/// What an embedder may listen to. Called on the shards' threads, concurrently; must not block or call back.
class sink {
 public:
  virtual ~sink() = default;
  virtual void on_share(const share_record& share) noexcept = 0;
  virtual void on_link(std::string_view pool, std::string_view account, link_state state) noexcept = 0;
};

}  // namespace stratumproxy::metrics
