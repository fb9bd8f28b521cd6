#include "net/socks5.hpp"

#include <netinet/in.h>

#include <string_view>
#include <utility>

#include "net/endpoint.hpp"

namespace stratumproxy::net {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t longest = 255;
constexpr char no_authentication = 0;
constexpr char by_password = 2;
constexpr char ipv4 = 1;
constexpr char domain = 3;
constexpr char ipv6 = 4;
constexpr std::size_t reply_head = 5;  // as far as the length of a name

char byte_of(std::size_t value) { return static_cast<char>(static_cast<unsigned char>(value)); }

std::string address_of(const std::string& host) {
  const auto literal = endpoint::literal(host, 0);
  if (!literal) return std::string{domain, byte_of(host.size())} + host;
  if (literal->family() == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6*>(literal->data())->sin6_addr;
    return ipv6 + std::string(reinterpret_cast<const char*>(&address), sizeof(address));
  }
  const auto& address = reinterpret_cast<const sockaddr_in*>(literal->data())->sin_addr;
  return ipv4 + std::string(reinterpret_cast<const char*>(&address), sizeof(address));
}

std::string refusal_words(char code) {
  switch (code) {
    case 1: return "general failure";
    case 2: return "its rules do not allow it";
    case 3: return "network unreachable";
    case 4: return "host unreachable";
    case 5: return "connection refused";
    case 6: return "it took too long";
    case 7: return "it does not make connections";
    case 8: return "it does not know this kind of address";
  }
  return "reply " + std::to_string(static_cast<unsigned char>(code));
}

}  // namespace

socks5::socks5(std::string host, std::uint16_t port, std::string user, std::string password)
    : host_(std::move(host)), user_(std::move(user)), password_(std::move(password)), port_(port) {
  if (host_.size() > longest || user_.size() > longest || password_.size() > longest) {
    fail("a name is too long for it");
    return;
  }
  output_ = user_.empty() ? "\x05\x01\x00"sv : "\x05\x02\x00\x02"sv;
  expect(state::greeting, 2);
}

std::string socks5::take_output() { return std::exchange(output_, {}); }

void socks5::expect(state what, std::size_t bytes) {
  state_ = what;
  wanted_ = bytes;
  input_.clear();
}

void socks5::fail(std::string why) {
  fault_ = "the SOCKS server: " + std::move(why);
  expect(state::failed, 0);
}

void socks5::ask() {
  output_ = "\x05\x01\x00"sv;
  output_ += address_of(host_) + byte_of(port_ >> 8) + byte_of(port_ & 0xff);
  expect(state::request, reply_head);
}

void socks5::receive(std::string_view bytes) {
  input_.append(bytes.substr(0, wanted()));
  if (wanted() == 0) answered();
}

void socks5::answered() {
  switch (state_) {
    case state::greeting:
      if (input_[0] != 5) return fail("it does not speak SOCKS5");
      if (input_[1] == no_authentication) return ask();
      if (input_[1] != by_password || user_.empty()) return fail(user_.empty() ? "it wants a user and a password" : "it takes no password");
      output_ = std::string{1, byte_of(user_.size())} + user_ + byte_of(password_.size()) + password_;
      return expect(state::password, 2);
    case state::password:
      if (input_[1] != 0) return fail("it refused the user or the password");
      return ask();
    case state::request: {
      if (input_[0] != 5) return fail("it does not speak SOCKS5");
      if (input_[1] != 0) return fail(refusal_words(input_[1]));
      // Where it is connected from is of no use here, but it has to be read. A byte of it has been.
      const std::size_t port = 2;
      if (input_[3] == ipv4) return expect(state::address, 4 - 1 + port);
      if (input_[3] == ipv6) return expect(state::address, 16 - 1 + port);
      if (input_[3] == domain) return expect(state::address, static_cast<unsigned char>(input_[4]) + port);
      return fail("it answered with an unknown kind of address");
    }
    case state::address: return expect(state::done, 0);
    case state::done:
    case state::failed: return;
  }
}

}  // namespace stratumproxy::net
