#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace stratumproxy {

/// TLS on a non-blocking socket that somebody else owns and waits for. Made by tls_certificate::accept() and tls_client::connect(); empty
/// otherwise. Idle it owns no buffers. TLS 1.2 and 1.3, no renegotiation.
///
/// One thread at a time, not always the same. The socket must stay open as long as it.
class tls_stream {
 public:
  enum class step : std::uint8_t {
    done,
    wants_input,   ///< call again when the socket is readable
    wants_output,  ///< call again when it is writable
    failed,        ///< fault() says why
  };
  struct impl;

  tls_stream() noexcept;
  explicit tls_stream(std::unique_ptr<impl> made) noexcept;
  tls_stream(tls_stream&& other) noexcept;
  tls_stream& operator=(tls_stream&& other) noexcept;
  ~tls_stream();
  explicit operator bool() const noexcept { return impl_ != nullptr; }

  /// Goes on with the handshake; a server may leave it to receive().
  [[nodiscard]] step handshake();

  /// As recv(2): how many bytes, 0 when the peer has ended, else -1 with errno. EAGAIN: nothing for now. EPROTO: it is not the TLS that was
  /// expected, see fault().
  [[nodiscard]] std::ptrdiff_t receive(std::span<char> into);
  /// As send(2), likewise. After EAGAIN the next call must begin with the same bytes, and have as many at least.
  [[nodiscard]] std::ptrdiff_t send(std::string_view bytes);
  /// Tells the peer that nothing more comes, as far as the socket takes it.
  void end() noexcept;

  /// After receive(): there is more, of which the socket does not tell.
  [[nodiscard]] bool has_unread() const noexcept;
  /// After receive() or send() with EAGAIN: it waits for the other direction of the socket.
  [[nodiscard]] bool reading_waits_for_output() const noexcept;
  [[nodiscard]] bool sending_waits_for_input() const noexcept;

  /// What went wrong, for people; "" as long as nothing did.
  [[nodiscard]] const std::string& fault() const noexcept;

 private:
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxy
