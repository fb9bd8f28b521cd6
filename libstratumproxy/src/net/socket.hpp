#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "net/endpoint.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/result.hpp"

namespace stratumproxy::net {

/// No delay, keep-alive, and an end to connections whose peer acknowledges nothing for 20 s, as all connections of the
/// proxy have it. On Linux an accepted socket inherits these from the listening one.
void set_connection_options(int socket) noexcept;

/// From when on the socket is readable: so many bytes, or the end.
void set_readable_from(int socket, std::size_t bytes) noexcept;

/// `count` non-blocking listening sockets on one address, between which the kernel spreads the miners; port 0 picks a
/// free one for all. address_in_use when anybody else listens there, another proxy of the same user included.
[[nodiscard]] result<std::vector<unique_fd>> listen_on(endpoint address, unsigned count);

/// Makes a listening socket of somebody else's one as listen_on() makes them. invalid_argument when it does not listen on TCP.
[[nodiscard]] std::error_code adopt_listening(int socket) noexcept;

/// Starts a non-blocking connect. The error of the attempt if it failed at once.
[[nodiscard]] result<unique_fd> start_connect(const endpoint& to);
/// What became of it, once the socket is writable: an empty code when it is connected.
[[nodiscard]] std::error_code connect_result(int socket) noexcept;

}  // namespace stratumproxy::net
