#pragma once

#include <memory>
#include <vector>

#include "net/endpoint.hpp"
#include "net/ip_network.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/options.hpp"

namespace stratumproxy::net {

/// How the connections of one address that the proxy listens on are taken.
struct listener_rules {
  std::vector<ip_network> proxy_protocol_from;
  listener_tls tls = listener_tls::detect;

  /// Whether a connection from there has to begin with a header that says whose it is.
  [[nodiscard]] bool wants_header(const endpoint& from) const {
    if (proxy_protocol_from.empty()) return false;
    const auto address = parse_ip(from.host());
    if (!address) return false;
    for (const ip_network& trusted : proxy_protocol_from)
      if (trusted.holds(*address)) return true;
    return false;
  }
};

/// A socket that listens, and how its connections are taken.
struct listening_socket {
  unique_fd socket;
  std::shared_ptr<const listener_rules> rules;
};

}  // namespace stratumproxy::net
