#include "net/socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace stratumproxy::net {
namespace {

void set_option(int socket, int level, int name, int value) noexcept {
  ::setsockopt(socket, level, name, &value, sizeof(value));
}

std::error_code last_error() noexcept {
  if (errno == EADDRINUSE) return make_error_code(errc::address_in_use);
  return {errno, std::system_category()};
}

result<unique_fd> tcp_socket(int family) {
  unique_fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) return last_error();
  return socket;
}

// What the kernel holds back for a miner that does not read. Left to itself it grows to megabytes for each of them.
constexpr int miner_send_buffer = 64 * 1024;

void set_listening_options(int socket) noexcept {
  set_connection_options(socket);
  set_option(socket, SOL_SOCKET, SO_SNDBUF, miner_send_buffer);
}

int option_of(int socket, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof(value);
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

}  // namespace

void set_connection_options(int socket) noexcept {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 4);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
}

void set_readable_from(int socket, std::size_t bytes) noexcept {
  set_option(socket, SOL_SOCKET, SO_RCVLOWAT, static_cast<int>(bytes));
}

result<std::vector<unique_fd>> listen_on(endpoint address, unsigned count) {
  std::vector<unique_fd> sockets;
  for (unsigned i = 0; i < count; ++i) {
    auto socket = tcp_socket(address.family());
    if (!socket) return socket.error();
    const int fd = socket->get();
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // The first one binds and listens alone, and shares its port only then: two proxies with SO_REUSEPORT would both
    // succeed and silently divide the miners.
    if (i > 0) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (address.family() == AF_INET6 && address.is_unspecified()) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set_listening_options(fd);
    if (::bind(fd, address.data(), address.size()) != 0) return last_error();
    if (::listen(fd, SOMAXCONN) != 0) return last_error();
    if (i == 0) {
      set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
      const auto bound = endpoint::local_of(fd);
      if (!bound) return bound.error();
      address = *bound;
    }
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

std::error_code adopt_listening(int socket) noexcept {
  const bool listens = option_of(socket, SO_ACCEPTCONN) == 1 && option_of(socket, SO_PROTOCOL) == IPPROTO_TCP;
  if (!listens) return std::make_error_code(std::errc::invalid_argument);
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(socket, F_SETFD, FD_CLOEXEC) != 0) return last_error();
  set_listening_options(socket);
  if (::listen(socket, SOMAXCONN) != 0) return last_error();
  return {};
}

result<unique_fd> start_connect(const endpoint& to) {
  auto socket = tcp_socket(to.family());
  if (!socket) return socket.error();
  set_connection_options(socket->get());
  if (::connect(socket->get(), to.data(), to.size()) != 0 && errno != EINPROGRESS) return last_error();
  return socket;
}

std::error_code connect_result(int socket) noexcept {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return last_error();
  if (error != 0) return {error, std::system_category()};
  // A socket is also "writable" before its handshake begins or after a spurious wake-up; only a peer proves it.
  sockaddr_storage peer{};
  size = sizeof(peer);
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0)
    return std::make_error_code(std::errc::operation_in_progress);
  return {};
}

}  // namespace stratumproxy::net
