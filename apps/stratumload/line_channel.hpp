#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "event_loop.hpp"
#include "stratumproxy/protocol/line_framer.hpp"
#include "stratumproxy/tls_stream.hpp"

namespace stratumload {

/// One non-blocking connection that speaks in lines. Bytes appended to out() are sent by flush().
class line_channel {
 public:
  static constexpr std::size_t longest_line = 65'536;
  static constexpr std::size_t most_unsent = 4 * 1024 * 1024;  ///< a peer that leaves more unread is let go

  line_channel() = default;
  ~line_channel() { close(); }
  line_channel(const line_channel&) = delete;
  line_channel& operator=(const line_channel&) = delete;

  /// Takes the descriptor. `connecting`: the first event says whether the connection was made.
  void open(event_loop& loop, int fd, io_handler& owner, bool connecting);
  /// From now on everything goes through it; its handshake, too, is made by receive() and flush().
  void secure(stratumproxy::tls_stream with) { tls_ = std::move(with); }
  void close();
  /// Closes with a reset, so that thousands of ends leave no TIME_WAIT behind.
  void reset();
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int descriptor() const { return fd_; }
  /// Whether a connection that was begun is there; nothing may be asked again after it failed.
  [[nodiscard]] bool connected();

  [[nodiscard]] std::string& out() { return out_; }
  /// Sends what the kernel takes. False when the connection is lost.
  [[nodiscard]] bool flush();

  /// Reads once and gives each complete line to `on_line(std::span<char>)`, which returns whether to go on. False when the
  /// peer has ended, or sends no lines, or on_line said so.
  template <class OnLine>
  [[nodiscard]] bool receive(OnLine&& on_line) {
    do {
      const auto got = read_some();
      if (got < 0) return false;
      if (got == 0) continue;
      framer_.feed(std::span(loop_->buffer()).first(static_cast<std::size_t>(got)));
      for (;;) {
        const auto line = framer_.next();
        if (!line) return false;
        if (line->empty()) break;
        if (!on_line(*line)) return false;
      }
      framer_.keep();
    } while (tls_ && tls_.has_unread());
    return true;
  }

 private:
  /// Bytes read into the loop's buffer; 0: nothing there yet; -1: the end.
  [[nodiscard]] std::ptrdiff_t read_some();
  void watch(bool writable);

  event_loop* loop_ = nullptr;
  io_handler* owner_ = nullptr;
  int fd_ = -1;
  stratumproxy::tls_stream tls_;
  bool watching_writable_ = false;
  std::string out_;
  stratumproxy::protocol::line_framer framer_{longest_line};
};

}  // namespace stratumload
