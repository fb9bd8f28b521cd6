#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stratumproxy/result.hpp"

namespace stratumproxy::net {

/// An IP address; IPv4 as ::ffff:a.b.c.d, so that it is the same over sockets of either family.
using ip_bytes = std::array<std::uint8_t, 16>;

/// From a host without brackets; the interface of a link-local address is left out. Nothing where it is no IP address.
[[nodiscard]] std::optional<ip_bytes> parse_ip(std::string_view host);

/// An address, or all that begin with the same bits.
struct ip_network {
  ip_bytes first{}, last{};
  unsigned prefix = 0;  ///< of 128

  /// "10.1.2.3", "10.0.0.0/8", "2001:db8::/32". bad_address for anything else; out_of_range for bits behind the prefix, or a prefix
  /// that is too long.
  [[nodiscard]] static result<ip_network> parse(std::string_view text);

  [[nodiscard]] bool holds(const ip_bytes& address) const noexcept { return first <= address && address <= last; }
  /// The one way to write it: without a prefix that says nothing, IPv6 short and in lower case.
  [[nodiscard]] std::string text() const;
};

}  // namespace stratumproxy::net
