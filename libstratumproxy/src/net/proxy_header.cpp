#include "net/proxy_header.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>

namespace stratumproxy::net {
namespace {

using namespace std::string_view_literals;

constexpr auto v1_word = "PROXY "sv;
constexpr std::size_t v1_longest = 107;  // with the end of the line

constexpr auto v2_signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t v2_fixed = 16;  // signature, version and command, family and transport, length of the rest
constexpr unsigned v2_version = 2;
enum : unsigned { command_local, command_proxy };
enum : unsigned { family_unspecified, family_ipv4, family_ipv6, family_unix };
enum : unsigned { transport_unspecified, transport_stream, transport_datagram };
constexpr std::array<std::size_t, 4> v2_addresses = {0, 12, 36, 216};  // bytes that a family's two addresses take

constexpr proxy_header malformed{.is = proxy_header::state::malformed};

bool may_become(std::string_view bytes, std::string_view beginning) {
  const auto length = std::min(bytes.size(), beginning.size());
  return bytes.substr(0, length) == beginning.substr(0, length);
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const bool has_leading_zero = digits.size() > 1 && digits.front() == '0';
  if (error != std::errc{} || end != digits.data() + digits.size() || has_leading_zero) return std::nullopt;
  return port;
}

std::optional<endpoint> parse_endpoint(int family, std::string_view host, std::string_view port_digits) {
  const auto port = parse_port(port_digits);
  if (!port || host.find('\0') != std::string_view::npos) return std::nullopt;
  const auto found = endpoint::literal(std::string(host), *port);
  if (!found || found->family() != family) return std::nullopt;
  return *found;
}

// "PROXY TCP4 source destination port port\r\n"
proxy_header parse_v1(std::string_view bytes) {
  const auto end = bytes.substr(0, v1_longest).find('\n');
  if (end == std::string_view::npos) return bytes.size() < v1_longest ? proxy_header{} : malformed;
  if (bytes[end - 1] != '\r') return malformed;
  std::string_view line = bytes.substr(0, end - 1);
  line.remove_prefix(std::min(v1_word.size(), line.size()));

  std::array<std::string_view, 5> words;
  std::size_t count = 0;
  for (;;) {
    const auto space = std::min(line.find(' '), line.size());
    if (count < words.size()) words[count] = line.substr(0, space);
    ++count;
    if (space == line.size()) break;
    line.remove_prefix(space + 1);
  }
  proxy_header found{.is = proxy_header::state::whole, .size = end + 1};
  if (words[0] == "UNKNOWN") return found;  // whatever follows
  const int family = words[0] == "TCP4" ? AF_INET : words[0] == "TCP6" ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC || count != words.size()) return malformed;
  found.source = parse_endpoint(family, words[1], words[3]);
  return found.source && parse_endpoint(family, words[2], words[4]) ? found : malformed;
}

template <class Address>
endpoint as_endpoint(const Address& address) {
  return {reinterpret_cast<const sockaddr*>(&address), sizeof(address)};
}

// Source and destination address, then source and destination port, in network order.
endpoint source_of(unsigned family, std::string_view addresses) {
  if (family == family_ipv4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, addresses.data(), 4);
    std::memcpy(&v4.sin_port, addresses.data() + 8, 2);
    return as_endpoint(v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, addresses.data(), 16);
  std::memcpy(&v6.sin6_port, addresses.data() + 32, 2);
  return as_endpoint(v6);
}

proxy_header parse_v2(std::string_view bytes) {
  if (bytes.size() < v2_fixed) return {};
  const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[at])); };
  const unsigned version = byte(12) >> 4, command = byte(12) & 0xf;
  const unsigned family = byte(13) >> 4, transport = byte(13) & 0xf;
  const std::size_t size = v2_fixed + (byte(14) << 8 | byte(15));
  if (version != v2_version || command > command_proxy || size > proxy_header::longest) return malformed;
  if (bytes.size() < size) return {};
  proxy_header found{.is = proxy_header::state::whole, .size = size};
  if (command == command_local) return found;
  if (family > family_unix || transport > transport_datagram || size < v2_fixed + v2_addresses[family]) return malformed;
  if (transport == transport_stream && (family == family_ipv4 || family == family_ipv6))
    found.source = source_of(family, bytes.substr(v2_fixed));
  return found;
}

}  // namespace

proxy_header proxy_header::parse(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (may_become(bytes, v1_word)) return parse_v1(bytes);
  if (may_become(bytes, v2_signature)) return parse_v2(bytes);
  return malformed;
}

}  // namespace stratumproxy::net
