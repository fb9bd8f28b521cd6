#include "endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "store/text.hpp"

namespace stratumproxyd {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

bool is_ipv4(const std::string& host) {
  in_addr parsed{};
  return ::inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

bool is_dns_name(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  std::string_view last;
  for (std::size_t start = 0; start <= host.size();) {
    const auto dot = std::min(host.find('.', start), host.size());
    last = host.substr(start, dot - start);
    if (last.empty() || last.size() > 63 || last.front() == '-' || last.back() == '-') return false;
    if (!std::ranges::all_of(last, is_name_char)) return false;
    start = dot + 1;
  }
  // A last label of digits is an IPv4 address gone wrong ("1.2.3", "256.1.1.1"), never a top-level domain.
  return !std::ranges::all_of(last, is_digit);
}

std::optional<std::string> canonical_ipv6(std::string_view host) {
  in6_addr parsed{};
  if (::inet_pton(AF_INET6, std::string(host).c_str(), &parsed) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (!::inet_ntop(AF_INET6, &parsed, text.data(), text.size())) return std::nullopt;
  return std::string(text.data());
}

}  // namespace

std::string endpoint::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool endpoint::is_loopback() const {
  return host == "localhost" || host == "::1" || (host.starts_with("127.") && is_ipv4(host));
}

std::optional<endpoint> parse_endpoint(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;

  endpoint out;
  const auto digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5 || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;

  const auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    auto address = canonical_ipv6(host.substr(1, host.size() - 2));
    if (!address) return std::nullopt;
    out.host = std::move(*address);
    return out;
  }
  out.host = lower_case(host);
  if (!is_ipv4(out.host) && !is_dns_name(out.host)) return std::nullopt;
  return out;
}

std::optional<endpoint> parse_pool(std::string_view text) {
  auto parsed = parse_endpoint(text);
  if (parsed && parsed->port == 0) parsed.reset();
  return parsed;
}

}  // namespace stratumproxyd
