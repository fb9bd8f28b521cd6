#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/endpoint.hpp"

namespace stratumproxy::net {

/// What a load balancer says of a connection that it passes on, before anything else: a header of the PROXY protocol, version 1 (a
/// line of text) or 2 (binary).
struct proxy_header {
  /// Of a header that is taken. Version 1 has 107 bytes at most; version 2 may have extensions, which are skipped.
  static constexpr std::size_t longest = 4'096;

  enum class state : std::uint8_t { incomplete, whole, malformed };

  state is = state::incomplete;
  std::size_t size = 0;            ///< of a whole one
  std::optional<endpoint> source;  ///< who connected. Nothing: the balancer itself, or nobody with an IP address

  /// Of the first bytes of a connection. What may still become a header is incomplete.
  [[nodiscard]] static proxy_header parse(std::string_view bytes);
};

}  // namespace stratumproxy::net
