#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include "net/endpoint.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::net {

class shard;

/// One attempt to reach a pool: resolves the name, then tries up to four addresses of both families one after the
/// other. Ends with one call of shard::dialed or shard::dial_failed, unless it is cancelled.
class dialer final : public std::enable_shared_from_this<dialer> {
 public:
  using executor = asio::io_context::executor_type;

  static constexpr std::size_t max_addresses = 4;
  static constexpr std::chrono::seconds resolve_limit{5};

  dialer(shard& owner, executor where, session::channel_id channel, std::string host, std::uint16_t port);

  void start(time_point now);
  void resolved(const std::vector<endpoint>& found, time_point now);
  /// Looks at the deadlines.
  void tick(time_point now);
  /// The socket became writable; from shard::on_dial_ready.
  void ready(time_point now);
  void cancel() noexcept;

 private:
  enum class stage : std::uint8_t { resolving, connecting, ended };

  void try_next(time_point now);
  void await();
  void fail(session::close_reason reason);

  shard& owner_;
  asio::posix::basic_stream_descriptor<executor> descriptor_;
  session::channel_id channel_;
  std::string host_;
  std::uint16_t port_;
  stage stage_ = stage::resolving;
  time_point deadline_{};     ///< of the stage, or of the address being tried
  time_point last_moment_{};  ///< of all addresses together
  std::vector<endpoint> addresses_;
  std::size_t next_ = 0;
  session::close_reason last_failure_ = session::close_reason::connect_failed;
};

}  // namespace stratumproxy::net
