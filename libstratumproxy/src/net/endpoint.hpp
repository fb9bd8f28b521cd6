#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stratumproxy/result.hpp"

namespace stratumproxy::net {

/// An IPv4 or IPv6 address with a port.
class endpoint {
 public:
  endpoint() = default;
  endpoint(const sockaddr* address, socklen_t size) noexcept;

  /// From an address literal without brackets, such as "10.0.0.1" or "fe80::1"; bad_address for anything else.
  [[nodiscard]] static result<endpoint> literal(const std::string& host, std::uint16_t port);
  /// The address that a bound or accepted socket has at this end.
  [[nodiscard]] static result<endpoint> local_of(int socket);
  /// Likewise at the other end.
  [[nodiscard]] static result<endpoint> peer_of(int socket);

  [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const noexcept { return size_; }
  [[nodiscard]] int family() const noexcept { return storage_.ss_family; }
  [[nodiscard]] std::uint16_t port() const noexcept;
  void set_port(std::uint16_t port) noexcept;
  [[nodiscard]] bool is_unspecified() const noexcept;

  /// The host alone. An IPv4 address that came in over an IPv6 socket is written as IPv4.
  [[nodiscard]] std::string host() const;
  /// HOST:PORT, IPv6 in brackets.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const endpoint& a, const endpoint& b) noexcept;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

/// "host:port" or "[ipv6]:port" in its parts, the brackets removed. bad_address when there is no host, no decimal port
/// up to 65535, or an IPv6 address without brackets.
[[nodiscard]] result<std::pair<std::string, std::uint16_t>> split_host_port(std::string_view text);

/// At most `limit` of `found`, with `port`: the families take turns, starting with the first one's, and each keeps its
/// order, so that a host whose IPv6 is dead is still reached.
[[nodiscard]] std::vector<endpoint> to_try(const std::vector<endpoint>& found, std::uint16_t port, std::size_t limit);

/// Asks the system's resolver, which may take as long as it likes. Empty: there is no address.
[[nodiscard]] std::vector<endpoint> look_up(const std::string& host);

}  // namespace stratumproxy::net
