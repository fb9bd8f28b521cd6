#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "net/admission.hpp"
#include "net/endpoint.hpp"
#include "net/output_buffer.hpp"
#include "net/poller.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/session/session_manager.hpp"
#include "stratumproxy/tls_stream.hpp"

namespace stratumproxy::net {

enum class side : std::uint8_t { miner, pool };

/// A connected TCP socket of a shard, in either direction, with or without TLS. It knows how to wait, send and end; what the bytes
/// mean and when it ends is the shard's decision. While it is open the poller keeps it alive; idle it owns no buffer.
class connection final {
 public:
  using pointer = std::shared_ptr<connection>;

  /// Takes the socket, and wants input from it. Null when the system could not register it.
  [[nodiscard]] static pointer make(poller& watcher, side peer, unique_fd socket, admission::ticket place, time_point now);
  connection(poller& watcher, side peer, unique_fd socket, admission::ticket place, time_point now);

  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(socket_); }
  [[nodiscard]] int native() const noexcept { return socket_.get(); }
  [[nodiscard]] side peer() const noexcept { return peer_; }

  /// Whether the poller tells of it. Not of input that cannot be taken before there was output: a peer that asks for new keys and reads
  /// nothing would have the shard told of it again and again.
  void want_input(bool wanted) noexcept;
  void want_output(bool wanted) noexcept { watch(EPOLLOUT, wanted); }
  [[nodiscard]] bool wants_input() const noexcept { return wants_input_; }
  [[nodiscard]] bool wants_output() const noexcept { return (watched_.events & EPOLLOUT) != 0; }

  /// From now on everything goes through it.
  void secure(tls_stream with) noexcept { tls_ = std::move(with); }
  /// As ::recv(), or tls_stream::receive().
  [[nodiscard]] std::ptrdiff_t receive(std::span<char> into);
  /// There is more to be received, of which the poller does not tell.
  [[nodiscard]] bool has_unread() const noexcept { return tls_ && tls_.has_unread(); }
  /// It is the other direction that receive() or send_queued() wait for.
  [[nodiscard]] bool reading_waits_for_output() const noexcept { return tls_ && tls_.reading_waits_for_output(); }
  [[nodiscard]] bool sending_waits_for_input() const noexcept { return tls_ && output_ && tls_.sending_waits_for_input(); }
  /// Whether a socket that takes output is of any use.
  [[nodiscard]] bool needs_output() const noexcept {
    return (wants_input() && reading_waits_for_output()) || (!unsent().empty() && !sending_waits_for_input());
  }
  /// What is wrong with its TLS, for people; "" without any.
  [[nodiscard]] std::string_view fault() const noexcept { return tls_ ? std::string_view(tls_.fault()) : std::string_view{}; }

  void queue(std::string_view bytes, buffer_pool& buffers);
  /// Gives the kernel what it takes. A full kernel is no error.
  [[nodiscard]] std::error_code send_queued(buffer_pool& buffers, time_point now);
  void discard_queued(buffer_pool& buffers);
  [[nodiscard]] std::string_view unsent() const noexcept { return output_ ? output_->unsent() : std::string_view{}; }

  /// No more output; true if the peer had ended too, and closing now cannot destroy what it has not yet read. Else the
  /// shard lingers: a close with unread input sends a RST, and that overtakes the last error line.
  [[nodiscard]] bool shut_down_output() noexcept;
  /// Reads and drops what arrived. True: the peer has ended, or sends more than anybody needs to hear.
  [[nodiscard]] bool discard_input() noexcept;
  void close() noexcept;
  /// The socket, its TLS and its place, on their way to another shard.
  [[nodiscard]] unique_fd release() noexcept;
  [[nodiscard]] tls_stream release_tls() noexcept { return std::move(tls_); }
  [[nodiscard]] admission::ticket release_place() noexcept { return std::move(place_); }

  /// How long ago the peer acknowledged anything, whether or not it sent bytes.
  [[nodiscard]] duration since_acknowledgement() noexcept;

  session::channel_id channel{};
  std::unique_ptr<endpoint> announced;  ///< the miner, where a header named it; null: the socket knows
  listener_tls tls = listener_tls::off;  ///< how it is to begin; off once it has
  bool congested = false;   ///< and was told so
  bool dirty = false;       ///< in the shard's list of connections with new output
  std::uint16_t header_bytes = 0;  ///< of an unfinished header
  bool unannounced = false;  ///< nobody's yet: a header has to say whose it is
  bool lingering = false;   ///< nobody's any more: only waits for the peer to end
  time_point heard{};       ///< when bytes last came in, or an acknowledgement if that was looked up
  time_point progressed{};  ///< when the kernel last took output; lingering: since when

 private:
  void watch(std::uint32_t event, bool wanted) noexcept;

  poller& watcher_;
  poller::place watched_;
  unique_fd socket_;
  tls_stream tls_;  // empty: without
  std::unique_ptr<output_buffer> output_;
  admission::ticket place_;
  std::uint32_t discarded_ = 0;
  side peer_;
  bool wants_input_ = true;
};

}  // namespace stratumproxy::net
