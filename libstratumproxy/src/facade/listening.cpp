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

unique_fd duplicate(const unique_fd& socket) {
  unique_fd copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) throw std::system_error(errno, std::system_category(), "dup");
  return copy;
}

result<net::listener_rules> rules_of(const listener_options& wanted) {
  net::listener_rules rules;
  rules.tls = wanted.tls;
  for (const auto& text : wanted.proxy_protocol_from) {
    const auto trusted = net::ip_network::parse(text);
    if (!trusted) return errc::bad_address;
    rules.proxy_protocol_from.push_back(*trusted);
  }
  return rules;
}

}  // namespace

result<listening> listening::open(const options& config, unsigned shards, listening_sockets inherited) {
  listening made;
  made.shards_ = shards;
  std::vector<listener_options> wanted = {{.address = config.address, .proxy_protocol_from = config.proxy_protocol_from, .tls = config.tls}};
  wanted.insert(wanted.end(), config.more_listeners.begin(), config.more_listeners.end());
  if (inherited.size() > wanted.size()) return std::make_error_code(std::errc::invalid_argument);
  inherited.resize(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (const auto error = made.open(wanted[i], std::move(inherited[i]))) return error;
  return made;
}

std::error_code listening::open(const listener_options& wanted, std::vector<unique_fd> inherited) {
  auto rules = rules_of(wanted);
  if (!rules) return rules.error();
  for (const auto& socket : inherited)
    if (const auto error = net::adopt_listening(socket.get())) return error;
  if (inherited.empty()) {
    const auto address = endpoint_of(wanted.address);
    if (!address) return address.error();
    auto bound = net::listen_on(*address, shards_);
    if (!bound) return bound.error();
    inherited = std::move(*bound);
  }
  const auto local = net::endpoint::local_of(inherited.front().get());
  if (!local) return local.error();
  listeners_.push_back({std::make_shared<const net::listener_rules>(std::move(*rules)), std::move(inherited)});
  addresses_.push_back(local->text());
  return {};
}

std::vector<net::listening_socket> listening::of_shard(unsigned shard) const {
  std::vector<net::listening_socket> mine;
  for (const auto& from : listeners_) {
    const std::size_t pairs = std::max<std::size_t>(shards_, from.sockets.size());
    for (std::size_t i = shard; i < pairs; i += shards_)
      mine.push_back({duplicate(from.sockets[i % from.sockets.size()]), from.rules});
  }
  return mine;
}

listening_sockets listening::duplicates() const {
  listening_sockets all;
  for (const auto& from : listeners_) {
    auto& copies = all.emplace_back();
    for (const auto& socket : from.sockets) copies.push_back(duplicate(socket));
  }
  return all;
}

}  // namespace stratumproxy::facade
