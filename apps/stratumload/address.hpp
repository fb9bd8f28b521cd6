#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stratumload {

/// A resolved HOST:PORT.
struct address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  /// "127.0.0.1:3333", IPv6 in brackets.
  [[nodiscard]] std::string text() const;
};

/// Resolves HOST:PORT, blocking. Throws std::runtime_error with one line for people.
[[nodiscard]] address resolve(std::string_view text);

/// A listening socket, non-blocking. Throws std::system_error.
[[nodiscard]] int listen_at(const address& where);
/// Where a socket is bound.
[[nodiscard]] address bound_address(int fd);
/// Begins to connect, non-blocking. Gives -1 with errno when that fails at once.
[[nodiscard]] int begin_connect(const address& where);

/// Each worker and each link takes a descriptor: the soft limit is raised to the hard one, which is returned.
std::uint64_t raise_descriptor_limit();

}  // namespace stratumload
