#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include "net/admission.hpp"
#include "net/output_buffer.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::net {

class shard;

enum class side : std::uint8_t { miner, pool };

/// A connected TCP socket of a shard, in either direction. It knows how to wait, send and end; what the bytes mean and
/// when it ends is the shard's decision. At most one wait for input and one for output are outstanding, each of which
/// keeps the connection alive; idle it owns no buffer.
class connection final : public std::enable_shared_from_this<connection> {
 public:
  using executor = asio::io_context::executor_type;
  using pointer = std::shared_ptr<connection>;

  /// Takes the socket. It is not open when the system could not register it.
  connection(shard& owner, executor where, side peer, unique_fd socket, admission::ticket place, time_point now);

  [[nodiscard]] bool is_open() const noexcept { return descriptor_.is_open(); }
  [[nodiscard]] int native() noexcept { return descriptor_.native_handle(); }
  [[nodiscard]] side peer() const noexcept { return peer_; }

  /// Calls shard::on_input / on_output once, when there is any.
  void await_input();
  void await_output();

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
  /// The socket and its place, on their way to another shard.
  [[nodiscard]] unique_fd release() noexcept;
  [[nodiscard]] admission::ticket release_place() noexcept { return std::move(place_); }

  /// How long ago the peer acknowledged anything, whether or not it sent bytes.
  [[nodiscard]] duration since_acknowledgement() noexcept;

  session::channel_id channel{};
  bool reading = true;      ///< the session layer wants input
  bool congested = false;   ///< and was told so
  bool dirty = false;       ///< in the shard's list of connections with new output
  bool lingering = false;   ///< nobody's any more: only waits for the peer to end
  time_point heard{};       ///< when bytes last came in, or an acknowledgement if that was looked up
  time_point progressed{};  ///< when the kernel last took output; lingering: since when

 private:
  shard& owner_;
  asio::posix::basic_stream_descriptor<executor> descriptor_;
  std::unique_ptr<output_buffer> output_;
  admission::ticket place_;
  std::uint32_t discarded_ = 0;
  side peer_;
  bool awaits_input_ = false;
  bool awaits_output_ = false;
};

}  // namespace stratumproxy::net
