#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "stratumproxy/account.hpp"
#include "stratumproxy/algorithm/share_check.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/line_tap.hpp"
#include "stratumproxy/log.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/operations.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/result.hpp"
#include "stratumproxy/session_store.hpp"

namespace stratumproxy::session {

/// One TCP connection of a shard, in either direction. Never used twice.
enum class channel_id : std::uint64_t {};
/// One look-up of an account or a session.
enum class lookup_id : std::uint64_t {};
/// One proof-of-work check.
enum class check_id : std::uint64_t {};

/// A share whose proof of work takes too long for the thread of a shard. A value: it may be computed on any thread.
struct proof_request {
  std::shared_ptr<const algorithm::info> how;
  std::shared_ptr<const algorithm::work> work;
  algorithm::share share;
};

/// Why a connection was closed: the label `reason` of the counters.
enum class close_reason : std::uint8_t {
  peer_left,        ///< FIN
  reset,            ///< RST or another socket error
  connect_failed,   ///< refused, unreachable
  resolve_failed,   ///< the pool's name has no address
  timed_out,        ///< TCP_USER_TIMEOUT, keep-alive, or connect took too long
  line_too_long,
  parse_error,
  wrong_protocol,   ///< TLS, HTTP, another dialect
  error_budget,     ///< too many unusable lines
  login_failed,     ///< too many failed authorizes
  login_deadline,   ///< no message or no good authorize in time
  slow_reader,      ///< output limit
  idle,
  invalid_shares,
  superseded,       ///< its session returned on another connection
  extranonce,       ///< once, to learn the pool's extranonce at the next subscribe
  version_mask,     ///< once, to learn that no version bits may be rolled
  no_pool,          ///< held as long as configured
  refused,          ///< the pool refused the login
  protocol_error,   ///< a pool that sent what cannot be used
  pool_silent,
  reconnect_asked,  ///< the pool asked for it
  not_needed,       ///< a link whose workers are gone
  limit,            ///< too many connections
  shutdown,
  account_removed,
  by_operator,      ///< somebody asked for it
  banned,           ///< its address or account
  tls_failed,       ///< the handshake did, or the pool's certificate is not to be trusted
};
inline constexpr std::size_t close_reasons = 29;
[[nodiscard]] std::string_view name(close_reason reason) noexcept;

/// A worker's connection on its way to the shard that its session id names, as a value.
struct handover {
  std::string peer;              ///< the miner's host:port
  std::string address;           ///< the host alone
  duration age{};                ///< since accept
  bool version_rolling = false;  ///< what a configure before the subscribe agreed on
  std::uint32_t version_mask = 0;
  bool extranonce_subscribed = false;
  double suggested_difficulty = 0;
  std::string suggested_target;
  std::string login;             ///< what it authorized as before its subscribe; "" when it did not
  std::string session;           ///< the session that it gets; 32 hex digits
  std::string unread;            ///< the subscribe line and all behind it
  std::uint64_t conversation = 0;  ///< its number for a line_tap
};

/// Where a link connects to.
struct destination {
  std::string host;  ///< the pool's own, or another one after a client.reconnect
  std::uint16_t port = 0;
  pool_tls tls;
};

/// What the session layer asks of whoever owns sockets, clock and threads. Called from inside of the manager's own methods; an
/// implementation must not call back into the manager before they return.
class session_host {
 public:
  virtual ~session_host() = default;
  /// Queues bytes; they leave when the manager's method has returned. A channel that is gone ignores it.
  virtual void send(channel_id channel, std::string_view bytes) = 0;
  /// Sends what is queued as far as the kernel takes it, then closes. `closed` is not called for it.
  virtual void close(channel_id channel, close_reason reason) = 0;
  /// Opens a connection to a pool; answered with connected(), once lines can be sent, or closed().
  virtual void connect(channel_id channel, const destination& to) = 0;
  /// Stops or resumes receive() for a channel. What the manager was given already it keeps itself.
  virtual void set_reading(channel_id channel, bool enabled) = 0;
  /// Answered with account_found(), even from inside a later call; never from inside this one.
  virtual void find_account(lookup_id lookup, std::string_view name) = 0;
  /// Claims a session of the store that the manager was given, without which it is never called; answered with session_found(), likewise.
  virtual void find_session(lookup_id, std::string_view /*id*/) {}
  /// Computes algorithm::check() elsewhere; answered with share_checked(), never from inside this call. False: it has too much to
  /// do already, and there is no answer.
  [[nodiscard]] virtual bool check_share(check_id check, proof_request what) = 0;
  /// Gives the descriptor of `channel` to another shard, whose manager gets adopt(). The channel is gone here.
  virtual void hand_over(channel_id channel, unsigned shard, handover what) = 0;
};

/// What the shards of one proxy remember together of miners that were told to come back: who gets which session although it
/// names none, and who must not be promised version bits. Synchronised; used at subscribe and configure only.
class return_hints;
[[nodiscard]] std::shared_ptr<return_hints> make_return_hints();

/// Why an address (a host alone), or else an account, is not served; null when it is. The other one is empty. An empty function: all are served.
using ban_lookup = std::function<const std::string*(std::string_view address, std::string_view account)>;

struct manager_settings {
  unsigned shard = 0;
  unsigned shards = 1;
  const options* config = nullptr;                     ///< copied; set_options() changes them
  std::string instance;                                ///< a random word for this process: detects loops of proxies
  std::function<void(std::span<std::uint8_t>)> random; ///< fills with bytes that nobody can guess (seeded in simulations)
  log_sink* log = nullptr;                             ///< outlives the manager
  metrics::sink* sink = nullptr;                       ///< may be null
  line_tap* tap = nullptr;                             ///< may be null; outlives the manager
  session_store* sessions = nullptr;                   ///< may be null; outlives the manager, which claims by its host
  std::shared_ptr<return_hints> hints;                 ///< one for all shards; null: one of its own
};

/// A snapshot that is taken in pieces: thousands of rows at once would keep shares waiting. Every row is of the moment when it was its
/// turn. Workers that came meanwhile have none, all else that came or went may have one or not; the totals, which come last, have
/// whatever is in the rows of workers. To be destroyed on the manager's thread.
struct partial_snapshot {
  metrics::scope what = metrics::scope::everything;
  metrics::snapshot taken{};

  // The manager's: what is due, and how far it is.
  enum class table : std::uint8_t { workers, pools, links, accounts, totals, rest, none };
  table next = table::workers;
  std::size_t bucket = 0, buckets = 0;
  std::uint64_t newcomer = 0;  ///< the first worker that came too late
  std::unordered_map<std::shared_ptr<const void>, std::uint64_t> miners_at{};  ///< of accounts with several routes, by route
};

/// The workers, sessions and links of one shard: a state machine without sockets, clock, thread or random source of its own.
/// Events come in through the methods, effects go out through the host. One thread at a time; not re-entrant.
class session_manager {
 public:
  session_manager(manager_settings settings, session_host& host);
  ~session_manager();
  session_manager(const session_manager&) = delete;
  session_manager& operator=(const session_manager&) = delete;

  /// A miner connected. `peer` is its host:port, `address` the host alone. Nothing is asked of the host for the new channel
  /// before the next call.
  [[nodiscard]] channel_id accept(std::string peer, std::string address, time_point now);
  /// A miner came over from another shard; likewise. Its lines are handled with the next call.
  [[nodiscard]] channel_id adopt(handover what, time_point now);
  /// Bytes of a miner or a pool. They are changed. Bytes for a channel that is gone are ignored.
  void receive(channel_id channel, std::span<char> bytes, time_point now);
  /// A connection to a pool is established.
  void connected(channel_id channel, time_point now);
  /// A miner ended its side of the connection: what it is owed still goes out, then the connection is closed.
  void input_ended(channel_id channel, time_point now);
  /// The peer or the network ended a connection (or a connect failed). `detail`: more of the reason, for people; may be empty.
  void closed(channel_id channel, close_reason reason, time_point now, std::string_view detail = {});
  /// A connection's unsent output is above (true) or again below its low watermark: jobs are coalesced meanwhile.
  void congested(channel_id channel, bool is_congested, time_point now);
  void account_found(lookup_id lookup, account_lookup found, time_point now);
  void session_found(lookup_id lookup, const std::optional<session_record>& found, time_point now);
  /// The account is another than before, or (null) is there no more: its workers move, or are let go. Older revisions are ignored.
  void account_changed(const std::string& name, std::shared_ptr<const account> now_is, time_point now);
  void share_checked(check_id check, const result<algorithm::proof>& outcome, time_point now);

  /// Ends the connection of the miner that has this host:port, which is told `words` before (nothing when empty), and the sessions that are
  /// kept for it. False when there is none of these.
  bool disconnect(std::string_view worker, std::string_view words, time_point now);
  /// From now on the worker mines for this account, as if it had authorized as it, until it authorizes again.
  move_outcome move_worker(std::string_view worker, std::shared_ptr<const account> to, time_point now);
  /// Others are not served from now on. Authorizes are judged by it; workers and kept sessions end with the next ticks. Whether a connection
  /// is accepted at all is for the owner of the sockets to ask.
  void bans_changed(ban_lookup bans, time_point now);

  /// Other options from now on, as proxy::set_options has it. What is above a limit that was lowered stays; a line is measured by the limit
  /// that there was when it began, and those of a pool by that of its connection.
  void set_options(const options& now_are);
  /// Those in force.
  [[nodiscard]] const options& config() const noexcept;

  /// Everything that waits for time. Call at least ten times a second of its own clock, or exactly at next_deadline().
  void tick(time_point now);
  [[nodiscard]] time_point next_deadline() const;

  /// No new work: what arrived is answered, then each worker is closed.
  void drain(time_point now);
  [[nodiscard]] bool drained() const;

  [[nodiscard]] metrics::snapshot snapshot(time_point now, metrics::scope what = metrics::scope::everything) const;
  /// Adds 64 rows, or more where there are tens of thousands: true when the snapshot is whole.
  [[nodiscard]] bool add_piece(partial_snapshot& to, time_point now) const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxy::session
