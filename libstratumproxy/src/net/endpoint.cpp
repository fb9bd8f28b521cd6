#include "net/endpoint.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <memory>

#include <fmt/format.h>

namespace stratumproxy::net {
namespace {

const sockaddr_in& as_v4(const sockaddr_storage& storage) noexcept { return reinterpret_cast<const sockaddr_in&>(storage); }
const sockaddr_in6& as_v6(const sockaddr_storage& storage) noexcept { return reinterpret_cast<const sockaddr_in6&>(storage); }

}  // namespace

endpoint::endpoint(const sockaddr* address, socklen_t size) noexcept : size_(std::min<socklen_t>(size, sizeof(storage_))) {
  std::memcpy(&storage_, address, size_);
}

result<endpoint> endpoint::literal(const std::string& host, std::uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1)
    return endpoint(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1)
    return endpoint(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
  return errc::bad_address;
}

result<endpoint> endpoint::local_of(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(socket, address, &size) != 0) return std::error_code(errno, std::system_category());
  return endpoint(address, size);
}

result<endpoint> endpoint::peer_of(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::getpeername(socket, address, &size) != 0) return std::error_code(errno, std::system_category());
  return endpoint(address, size);
}

std::uint16_t endpoint::port() const noexcept {
  return ntohs(family() == AF_INET6 ? as_v6(storage_).sin6_port : as_v4(storage_).sin_port);
}

void endpoint::set_port(std::uint16_t port) noexcept {
  if (family() == AF_INET6)
    reinterpret_cast<sockaddr_in6&>(storage_).sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in&>(storage_).sin_port = htons(port);
}

bool endpoint::is_unspecified() const noexcept {
  if (family() == AF_INET6) return IN6_IS_ADDR_UNSPECIFIED(&as_v6(storage_).sin6_addr);
  return as_v4(storage_).sin_addr.s_addr == htonl(INADDR_ANY);
}

std::string endpoint::host() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family() == AF_INET6) {
    const auto& address = as_v6(storage_).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address))
      ::inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof(text));
    else
      ::inet_ntop(AF_INET6, &address, text, sizeof(text));
  } else {
    ::inet_ntop(AF_INET, &as_v4(storage_).sin_addr, text, sizeof(text));
  }
  return text;
}

std::string endpoint::text() const {
  const std::string name = host();
  return name.find(':') == std::string::npos ? fmt::format("{}:{}", name, port()) : fmt::format("[{}]:{}", name, port());
}

bool operator==(const endpoint& a, const endpoint& b) noexcept {
  return a.size_ == b.size_ && std::memcmp(&a.storage_, &b.storage_, a.size_) == 0;
}

result<std::pair<std::string, std::uint16_t>> split_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return errc::bad_address;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return errc::bad_address;
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return errc::bad_address;
  }
  if (host.empty() || host.find('\0') != std::string_view::npos) return errc::bad_address;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return errc::bad_address;
  return std::pair(std::string(host), port);
}

std::vector<endpoint> to_try(const std::vector<endpoint>& found, std::uint16_t port, std::size_t limit) {
  if (found.empty()) return {};
  std::vector<endpoint> families[2];
  for (const endpoint& address : found) families[address.family() == found.front().family() ? 0 : 1].push_back(address);
  std::vector<endpoint> chosen;
  for (std::size_t i = 0; chosen.size() < limit && i < found.size(); ++i) {
    for (const auto& family : families) {
      if (i < family.size() && chosen.size() < limit) chosen.push_back(family[i]);
    }
  }
  for (endpoint& address : chosen) address.set_port(port);
  return chosen;
}

std::vector<endpoint> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<endpoint> found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6) found.emplace_back(entry->ai_addr, entry->ai_addrlen);
  }
  return found;
}

}  // namespace stratumproxy::net
