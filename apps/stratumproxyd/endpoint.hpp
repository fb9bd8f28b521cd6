#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stratumproxyd {

/// HOST:PORT in parts. The host is in lower case, an IPv6 address without its brackets and in its shortest form.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;

  /// "host:port", IPv6 in brackets.
  [[nodiscard]] std::string text() const;
  /// 127.0.0.0/8, ::1 or localhost.
  [[nodiscard]] bool is_loopback() const;
};

/// A DNS name of any case, IPv4, or IPv6 in brackets, then a colon and 0-65535. Nothing when it is none of these.
[[nodiscard]] std::optional<endpoint> parse_endpoint(std::string_view text);
/// The same for a pool, which has a port from 1 on.
[[nodiscard]] std::optional<endpoint> parse_pool(std::string_view text);

}  // namespace stratumproxyd
