#include "net/ip_network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>

namespace stratumproxy::net {
namespace {

constexpr unsigned ipv4_bits = 96;  // before an IPv4 address in an IPv6 one

bool is_ipv4(const ip_bytes& address) noexcept {
  constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(mapped.begin(), mapped.end(), address.begin());
}

ip_network around(const ip_bytes& address, unsigned prefix) noexcept {
  ip_network found{.first = address, .last = address, .prefix = prefix};
  for (unsigned bit = prefix; bit < 128; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    found.first[bit / 8] = static_cast<std::uint8_t>(found.first[bit / 8] & ~mask);
    found.last[bit / 8] = static_cast<std::uint8_t>(found.last[bit / 8] | mask);
  }
  return found;
}

}  // namespace

std::optional<ip_bytes> parse_ip(std::string_view host) {
  host = host.substr(0, host.find('%'));
  char plain[INET6_ADDRSTRLEN];
  if (host.empty() || host.size() >= sizeof plain) return std::nullopt;
  std::memcpy(plain, host.data(), host.size());
  plain[host.size()] = 0;
  ip_bytes found{};
  if (host.find(':') != std::string_view::npos) {
    if (::inet_pton(AF_INET6, plain, found.data()) != 1) return std::nullopt;
    return found;
  }
  found[10] = found[11] = 0xff;
  if (::inet_pton(AF_INET, plain, found.data() + 12) != 1) return std::nullopt;
  return found;
}

result<ip_network> ip_network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto host = text.substr(0, slash);
  const auto address = host.find('%') == std::string_view::npos ? parse_ip(host) : std::nullopt;
  if (!address) return errc::bad_address;
  if (slash == std::string_view::npos) return around(*address, 128);
  const auto digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return errc::bad_address;
  const unsigned before = host.find(':') == std::string_view::npos ? ipv4_bits : 0;
  if (bits > 128 - before) return errc::out_of_range;
  const auto found = around(*address, before + bits);
  if (found.first != *address) return errc::out_of_range;
  return found;
}

std::string ip_network::text() const {
  const bool is_v4 = prefix >= ipv4_bits && is_ipv4(first);
  char host[INET6_ADDRSTRLEN];
  ::inet_ntop(is_v4 ? AF_INET : AF_INET6, first.data() + (is_v4 ? 12 : 0), host, sizeof host);
  std::string out(host);
  if (prefix < 128) out.append("/").append(std::to_string(prefix - (is_v4 ? ipv4_bits : 0)));
  return out;
}

}  // namespace stratumproxy::net
