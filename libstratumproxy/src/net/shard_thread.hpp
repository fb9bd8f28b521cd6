#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "net/listener_rules.hpp"
#include "net/shell.hpp"
#include "stratumproxy/account.hpp"
#include "stratumproxy/bans.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/operations.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/tls_certificate.hpp"

namespace stratumproxy::net {

/// A shard with an io_context and a thread of its own, as other threads see it. Futures are broken when the shard is
/// stopped before it could answer.
class shard_thread {
 public:
  /// Throws std::system_error when the system has no descriptors for it.
  shard_thread(shell& common, unsigned index, std::vector<listening_socket> listening);
  ~shard_thread();  ///< stops
  shard_thread(const shard_thread&) = delete;
  shard_thread& operator=(const shard_thread&) = delete;

  void start();
  void stop_accepting();
  /// Ready when no worker is left.
  [[nodiscard]] std::future<void> drain();
  [[nodiscard]] std::future<metrics::snapshot> snapshot(metrics::scope what);
  void account_changed(const std::string& name, std::shared_ptr<const account> now_is);
  [[nodiscard]] std::future<bool> disconnect(std::string worker, std::string words);
  [[nodiscard]] std::future<move_outcome> move_worker(std::string worker, std::shared_ptr<const account> to);
  void bans_changed(std::shared_ptr<const ban_list> bans);
  void set_options(std::shared_ptr<const options> now_are);
  void certificate_changed(std::shared_ptr<const tls_certificate> now_is);
  /// Closes everything at once and waits for the thread. Mail that it has not read is destroyed.
  void stop();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxy::net
