#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stratumproxy/account.hpp"
#include "stratumproxy/bans.hpp"
#include "stratumproxy/line_tap.hpp"
#include "stratumproxy/log.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/operations.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/result.hpp"
#include "stratumproxy/session_store.hpp"
#include "stratumproxy/tls_certificate.hpp"
#include "stratumproxy/unique_fd.hpp"
#include "stratumproxy/version.hpp"

namespace stratumproxy {

/// TCP sockets that listen already, for each listener of the options in their order. There may be any number for one, made by a service manager
/// or by the proxy whose place is taken; a listener with none binds its address.
using listening_sockets = std::vector<std::vector<unique_fd>>;

/// A Stratum proxy on threads of its own. Any number of them fit in one process.
///
/// Thread: every method may be called from any thread but the proxy's own. The account source, the sinks, the tap and the
/// store of sessions are borrowed: they must outlive the proxy. Without such a store only this proxy knows its sessions.
class proxy {
 public:
  proxy(options config, account_source& accounts, log_sink& log, metrics::sink* sink = nullptr,
        line_tap* tap = nullptr, session_store* sessions = nullptr);
  ~proxy();  ///< stops
  proxy(const proxy&) = delete;
  proxy& operator=(const proxy&) = delete;

  /// Binds and starts the shards. An empty code, or why not: bad_address (also of a proxy_protocol_from), address_in_use, or the
  /// system's error. Of `inherited` sockets each is served, whatever address the options give to its listener; invalid_argument when one
  /// of them does not listen on TCP, or there are some for more listeners than the options have.
  [[nodiscard]] std::error_code start(listening_sockets inherited = {});
  /// The bound address, HOST:PORT, once started; of several the first.
  [[nodiscard]] std::string address() const;
  /// All of them, that of options::address first and those of options::more_listeners behind it.
  [[nodiscard]] std::vector<std::string> addresses() const;
  /// What it listens on, as descriptors of one's own, for another process to go on with. Both accept until stop_accepting(); who connects
  /// meanwhile is served by either, and nobody is refused. Empty when not running. Throws std::system_error when there are no descriptors left.
  [[nodiscard]] listening_sockets listeners() const;
  /// Nobody new is accepted, and the workers mine on. Does not wait.
  void stop_accepting();
  /// Stops accepting and reading, answers what arrived, closes each worker; returns when all are gone or the time is
  /// over. True when nothing was left.
  bool drain(std::chrono::milliseconds limit);
  /// Ends at once. Idempotent.
  void stop();

  /// The account is another than it was found before, or (null) is there no more: its workers move to its pools at once, without
  /// a disconnect, or are let go. Does not wait for them. Of several revisions the highest counts.
  void account_changed(const std::string& name, std::shared_ptr<const account> now_is);

  /// Ends the connection of the miner with this HOST:PORT, which is shown `words` before, unless they are empty; its session is not
  /// kept, and one that is kept for it ends. Counted with the reason "operator". False when there is no such miner. Waits for each shard's
  /// next free moment; nothing when not running, or when a shard did not answer within 5 s.
  [[nodiscard]] std::optional<bool> disconnect(const std::string& worker, const std::string& words);
  /// The miner with this HOST:PORT mines for the account `to`, which must not be null, from now on: as if it had authorized as it, without a
  /// disconnect. It may go on submitting under its old name, and is moved again by its next authorize. Waits likewise.
  [[nodiscard]] move_outcome move_worker(const std::string& worker, std::shared_ptr<const account> to);
  /// Who is not served from now on, in place of those before; null: nobody is banned. May be set before the start, too, and stays for the
  /// next one. New connections of a banned address are closed unread (connections_refused, reason "banned"), authorizes as a banned account
  /// are refused with error 24, and workers that are there are told and closed (reason "banned") within seconds. Does not wait for it.
  void set_bans(std::shared_ptr<const ban_list> bans);
  /// What miners that begin with TLS are answered with from now on, in place of the one before; null: they are refused. Whoever is
  /// connected stays so. May be set before the start, too, and stays for the next one. Does not wait for it.
  void set_certificate(std::shared_ptr<const tls_certificate> now_is);

  /// Other options from now on, in place of all those before. Nobody is disconnected by it, and shares under way go on. What workers, links and
  /// pools are measured by is the new value at once, with these exceptions:
  /// - The line of a miner that has begun, the lines of a pool that is connected, and output that waits are measured by the old limit, the
  ///   output for `limits.output_blocked`. Those above a limit on their number stay.
  /// - `split` and `session.version_mask` count for sessions that begin, and links that connect, from now on.
  /// - A pause that has begun, before a pool or a refused login is tried again, ends when it was to end.
  /// - `address`, `proxy_protocol_from`, `more_listeners`, `threads`, `metrics`, `checks.threads` and `algorithms` count from the next start().
  /// May be called before the start, too. Does not wait for the shards.
  void set_options(options now_are);

  /// Addresses whose miners were closed at least so often within a minute for unusable lines, failed logins or invalid shares (the reasons
  /// error_budget, login_failed, invalid_shares): whom a program may want to ban. Each is told once, and counted anew.
  [[nodiscard]] std::vector<std::string> take_offenders(unsigned closes);
  /// How many there are while it runs; else 0.
  [[nodiscard]] unsigned shards() const;

  /// A copy of the counters; waits for each shard's free moments, and works at a pace (scheduling.hpp). Without any event when not running,
  /// or when a shard did not answer within 5 s.
  [[nodiscard]] metrics::snapshot snapshot(metrics::scope what = metrics::scope::everything);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxy
