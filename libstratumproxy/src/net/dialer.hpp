#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include "net/endpoint.hpp"
#include "net/socks5.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/session/session_manager.hpp"
#include "stratumproxy/tls_stream.hpp"

namespace stratumproxy::net {

class shard;

/// One attempt to reach a pool, or the SOCKS server that leads to it: resolves the name, then tries up to four addresses of both
/// families one after the other, up to where the pool can be spoken to. Ends with one call of shard::dialed or shard::dial_failed,
/// unless it is cancelled.
///
///   resolving ---> connecting ---> [tunnelling] ---> [securing] ---> ended
///                    ^   |              |                |
///                    +---+--------------+----------------+  the next address
class dialer final : public std::enable_shared_from_this<dialer> {
 public:
  using executor = asio::io_context::executor_type;

  static constexpr std::size_t max_addresses = 4;
  static constexpr std::chrono::seconds resolve_limit{5};

  dialer(shard& owner, executor where, session::channel_id channel, session::destination to);

  void start(time_point now);
  void resolved(const std::vector<endpoint>& found, time_point now);
  /// Looks at the deadlines.
  void tick(time_point now);
  /// The socket is ready for what was awaited; from shard::on_dial_ready.
  void ready(time_point now);
  void cancel() noexcept;

 private:
  enum class stage : std::uint8_t { resolving, connecting, tunnelling, securing, ended };

  void try_next(time_point now);
  void await(asio::posix::descriptor_base::wait_type what);
  void check_connect(time_point now);
  void connected(time_point now);
  void tunnel(time_point now);
  void secure(time_point now);
  void reached();
  void address_failed(session::close_reason reason, std::string detail, time_point now);
  void fail();

  shard& owner_;
  asio::posix::basic_stream_descriptor<executor> descriptor_;
  session::channel_id channel_;
  session::destination to_;
  const socks5_options via_;
  std::string host_;  ///< whose addresses are tried, and at which port
  std::uint16_t port_;
  stage stage_ = stage::resolving;
  time_point deadline_{};     ///< of the stage, or of the address being tried
  time_point last_moment_{};  ///< of all addresses together
  std::vector<endpoint> addresses_;
  std::size_t next_ = 0;
  std::optional<socks5> socks_;
  tls_stream tls_;
  session::close_reason last_failure_ = session::close_reason::connect_failed;
  std::string last_detail_;
};

}  // namespace stratumproxy::net
