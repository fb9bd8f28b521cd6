#pragma once

#include <chrono>
#include <memory>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include "net/unique_fd.hpp"
#include "stratumproxy/clock.hpp"

namespace stratumproxy::net {

class shard;

/// A shard's listening socket. When the process has no descriptor left it gives up a spare one to accept and close one
/// miner, so that the kernel's queue does not keep it busy, and then rests.
class listener final : public std::enable_shared_from_this<listener> {
 public:
  using executor = asio::io_context::executor_type;

  static constexpr std::chrono::milliseconds rest{100};

  listener(shard& owner, executor where, unique_fd socket);

  void start() { await(); }
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
  unique_fd spare_;
  bool resting_ = false;
  time_point rest_until_{};
};

}  // namespace stratumproxy::net
