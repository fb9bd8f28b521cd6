#include "facade/listening.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "net/endpoint.hpp"
#include "net/socket.hpp"

namespace stratumproxy::facade {
namespace {

result<net::endpoint> endpoint_of(const std::string& text) {
  const auto parts = net::split_host_port(text);
  if (!parts) return parts.error();
  const auto& [host, port] = *parts;
  if (auto literal = net::endpoint::literal(host, port)) return literal;
  const auto found = net::look_up(host);
  if (found.empty()) return errc::bad_address;
  // Miners know the proxy by an IPv4 address if it has one.
  const auto ipv4 = std::find_if(found.begin(), found.end(), [](const auto& one) { return one.family() == AF_INET; });
  net::endpoint chosen = ipv4 != found.end() ? *ipv4 : found.front();
  chosen.set_port(port);
  return chosen;
}

}  // namespace

result<listening> listen_on(const std::string& address, unsigned shards) {
  const auto wanted = endpoint_of(address);
  if (!wanted) return wanted.error();
  auto sockets = net::listen_on(*wanted, shards);
  if (!sockets) return sockets.error();
  const auto local = net::endpoint::local_of(sockets->front().get());
  if (!local) return local.error();
  return listening{std::move(*sockets), local->text()};
}

}  // namespace stratumproxy::facade
