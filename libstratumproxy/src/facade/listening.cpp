#include "facade/listening.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
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

net::unique_fd duplicate(const net::unique_fd& socket) {
  net::unique_fd copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) throw std::system_error(errno, std::system_category(), "dup");
  return copy;
}

}  // namespace

result<listening> listening::open(const options& config, unsigned shards) {
  listening made;
  made.shards_ = shards;
  if (const auto error = made.open(config.address, config.proxy_protocol_from)) return error;
  for (const auto& more : config.more_listeners)
    if (const auto error = made.open(more.address, more.proxy_protocol_from)) return error;
  return made;
}

std::error_code listening::open(const std::string& address, const std::vector<std::string>& proxy_protocol_from) {
  net::listener_rules rules;
  for (const auto& text : proxy_protocol_from) {
    const auto trusted = net::ip_network::parse(text);
    if (!trusted) return errc::bad_address;
    rules.proxy_protocol_from.push_back(*trusted);
  }
  const auto wanted = endpoint_of(address);
  if (!wanted) return wanted.error();
  auto sockets = net::listen_on(*wanted, shards_);
  if (!sockets) return sockets.error();
  const auto local = net::endpoint::local_of(sockets->front().get());
  if (!local) return local.error();
  listeners_.push_back({std::make_shared<const net::listener_rules>(std::move(rules)), std::move(*sockets)});
  addresses_.push_back(local->text());
  return {};
}

std::vector<net::listening_socket> listening::of_shard(unsigned shard) const {
  std::vector<net::listening_socket> mine;
  for (const auto& from : listeners_) mine.push_back({duplicate(from.sockets[shard]), from.rules});
  return mine;
}

}  // namespace stratumproxy::facade
