#pragma once

#include <chrono>
#include <memory>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include "net/listener_rules.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/clock.hpp"

namespace stratumproxy::net {

class shard;

/// One of a shard's listening sockets, which others may listen on as well. When the process has no descriptor left it gives up a spare one to accept and close one
/// miner, so that the kernel's queue does not keep it busy, and then rests.
class listener final : public std::enable_shared_from_this<listener> {
 public:
  using executor = asio::io_context::executor_type;

  static constexpr std::chrono::milliseconds rest{100};

  listener(shard& owner, executor where, listening_socket from);

  void start() { await(); }
  [[nodiscard]] const listener_rules& rules() const noexcept { return *rules_; }
  /// Accepts what waits; from shard::on_miners.
  void accept_some(time_point now);
  /// Ends a rest that is over.
  void tick(time_point now);
  void close() noexcept;

 private:
  void await();
  void run_dry(int error, time_point now);

  shard& owner_;
  asio::posix::basic_stream_descriptor<executor> descriptor_;
  std::shared_ptr<const listener_rules> rules_;
  unique_fd spare_;
  bool resting_ = false;
  time_point rest_until_{};
};

}  // namespace stratumproxy::net
