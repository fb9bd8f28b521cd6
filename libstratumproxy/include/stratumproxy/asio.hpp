#pragma once

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "stratumproxy/account.hpp"
#include "stratumproxy/bans.hpp"
#include "stratumproxy/line_tap.hpp"
#include "stratumproxy/log.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/operations.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/session_store.hpp"
#include "stratumproxy/tls_certificate.hpp"

namespace stratumproxy {

/// A Stratum proxy on the io_context of a program that has one: one shard, whatever options::threads says. The only public
/// header that shows Asio; it must be the (standalone) Asio that the library was built with.
///
/// Thread: one thread runs the io_context, and every method belongs to that thread, or to a time when nobody runs it. The
/// account source and the store of sessions may answer from any thread; they, the sinks and the tap are called on the io_context's
/// thread and must not call the proxy back: asio::post to the context instead. The proxy keeps some threads of its own to look up
/// names of pools.
///
/// Ownership: the io_context, account source, sinks, tap and store of sessions are borrowed and outlive the proxy. Nothing else needs to be
/// waited for: after stop() the io_context runs out of the proxy's work by itself.
class asio_proxy {
 public:
  asio_proxy(asio::io_context& io, options config, account_source& accounts, log_sink& log, metrics::sink* sink = nullptr,
             line_tap* tap = nullptr, session_store* sessions = nullptr);
  ~asio_proxy();  ///< stops
  asio_proxy(const asio_proxy&) = delete;
  asio_proxy& operator=(const asio_proxy&) = delete;

  /// Binds; miners are served while the io_context runs. An empty code, also when it has been started before, or why
  /// not: bad_address, address_in_use, or the system's error. May be called again after stop().
  [[nodiscard]] std::error_code start();
  /// The bound address, HOST:PORT, once started; of several the first.
  [[nodiscard]] std::string address() const;
  /// As proxy::addresses.
  [[nodiscard]] const std::vector<std::string>& addresses() const noexcept;
  /// Stops accepting, answers what arrived, and closes each worker. `done` is called from the io_context when no worker
  /// is left: at once when the proxy is not running, and never if it is stopped meanwhile.
  void drain(std::function<void()> done);
  /// Ends at once. Idempotent.
  void stop();

  /// As proxy::account_changed.
  void account_changed(const std::string& name, std::shared_ptr<const account> now_is);

  /// As proxy::set_options. Done when the io_context comes to it.
  void set_options(options now_are);

  /// As proxy::disconnect, but answers by `done`, called from the io_context: with false, too, when the proxy is not running. Never, if
  /// it is stopped meanwhile.
  void disconnect(std::string worker, std::string words, std::function<void(bool)> done);
  /// As proxy::move_worker; likewise, with move_outcome::unavailable.
  void move_worker(std::string worker, std::shared_ptr<const account> to, std::function<void(move_outcome)> done);
  /// As proxy::set_bans.
  void set_bans(std::shared_ptr<const ban_list> bans);
  /// As proxy::set_certificate.
  void set_certificate(std::shared_ptr<const tls_certificate> now_is);

  /// A copy of the counters. Empty when not running.
  [[nodiscard]] metrics::snapshot snapshot(metrics::scope what = metrics::scope::everything) const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxy
