#pragma once

#include <memory>
#include <string>

#include "stratumproxy/account.hpp"
#include "stratumproxy/line_tap.hpp"
#include "stratumproxy/log.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/result.hpp"
#include "stratumproxy/version.hpp"

namespace stratumproxy {

/// A Stratum proxy on threads of its own. Any number of them fit in one process.
///
/// Thread: every method may be called from any thread but the proxy's own. The account source, the sinks and the tap are
/// borrowed: they must outlive the proxy.
class proxy {
 public:
  proxy(options config, account_source& accounts, log_sink& log, metrics::sink* sink = nullptr,
        line_tap* tap = nullptr);
  ~proxy();  ///< stops
  proxy(const proxy&) = delete;
  proxy& operator=(const proxy&) = delete;

  /// Binds and starts the shards. An empty code, or why not: bad_address, address_in_use, or the system's error.
  [[nodiscard]] std::error_code start();
  /// The bound address, HOST:PORT, once started.
  [[nodiscard]] std::string address() const;
  /// Stops accepting and reading, answers what arrived, closes each worker; returns when all are gone or the time is
  /// over. True when nothing was left.
  bool drain(std::chrono::milliseconds limit);
  /// Ends at once. Idempotent.
  void stop();

  /// The account is another than it was found before, or (null) is there no more: its workers move to its pools at once, without
  /// a disconnect, or are let go. Does not wait for them. Of several revisions the highest counts.
  void account_changed(const std::string& name, std::shared_ptr<const account> now_is);

  /// A copy of the counters; waits for each shard's next free moment. Without any event when not running,
  /// or when a shard did not answer within 5 s.
  [[nodiscard]] metrics::snapshot snapshot(metrics::scope what = metrics::scope::everything);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxy
