#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "session/login.hpp"
#include "stratumproxy/bans.hpp"

namespace stratumproxy {
namespace {

using bytes = std::array<std::uint8_t, 16>;

constexpr unsigned ipv4_bits = 96;  // before an IPv4 address in an IPv6 one

struct range {
  bytes first{}, last{};
  unsigned prefix = 0;  // of 128
};

[[nodiscard]] bool is_ipv4(const bytes& address) noexcept {
  constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(mapped.begin(), mapped.end(), address.begin());
}

[[nodiscard]] std::optional<bytes> parse_address(std::string_view text) {
  text = text.substr(0, text.find('%'));  // the interface of a link-local address
  char plain[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof plain) return std::nullopt;
  std::memcpy(plain, text.data(), text.size());
  plain[text.size()] = 0;
  bytes found{};
  if (text.find(':') != std::string_view::npos) {
    if (::inet_pton(AF_INET6, plain, found.data()) != 1) return std::nullopt;
    return found;
  }
  found[10] = found[11] = 0xff;
  if (::inet_pton(AF_INET, plain, found.data() + 12) != 1) return std::nullopt;
  return found;
}

[[nodiscard]] range range_of(const bytes& address, unsigned prefix) noexcept {
  range found{.first = address, .last = address, .prefix = prefix};
  for (unsigned bit = prefix; bit < 128; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    found.first[bit / 8] = static_cast<std::uint8_t>(found.first[bit / 8] & ~mask);
    found.last[bit / 8] = static_cast<std::uint8_t>(found.last[bit / 8] | mask);
  }
  return found;
}

[[nodiscard]] result<range> parse_range(std::string_view text) {
  const auto slash = text.find('/');
  const auto host = text.substr(0, slash);
  const auto address = host.find('%') == std::string_view::npos ? parse_address(host) : std::nullopt;
  if (!address) return errc::bad_address;
  if (slash == std::string_view::npos) return range_of(*address, 128);
  const auto digits = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return errc::bad_address;
  const unsigned before = host.find(':') == std::string_view::npos ? ipv4_bits : 0;
  if (prefix > 128 - before) return errc::out_of_range;
  const auto found = range_of(*address, before + prefix);
  if (found.first != *address) return errc::out_of_range;
  return found;
}

[[nodiscard]] std::string text_of(const range& network) {
  char text[INET6_ADDRSTRLEN];
  const bool is_v4 = network.prefix >= ipv4_bits && is_ipv4(network.first);
  ::inet_ntop(is_v4 ? AF_INET : AF_INET6, network.first.data() + (is_v4 ? 12 : 0), text, sizeof text);
  std::string out(text);
  if (network.prefix < 128) out.append("/").append(std::to_string(network.prefix - (is_v4 ? ipv4_bits : 0)));
  return out;
}

[[nodiscard]] bool is_account(std::string_view text) { return session::is_account_name(text); }

}  // namespace

result<std::string> ban_list::canonical(std::string_view subject) {
  if (is_account(subject)) return std::string(subject);
  const auto network = parse_range(subject);
  if (!network) return network.error();
  return text_of(*network);
}

bool ban_list::covers_loopback(std::string_view subject) {
  const auto network = is_account(subject) ? result<range>(errc::bad_address) : parse_range(subject);
  if (!network) return false;
  const auto meets = [&](const range& other) { return network->first <= other.last && other.first <= network->last; };
  return meets(*parse_range("127.0.0.0/8")) || meets(*parse_range("::1"));
}

result<std::shared_ptr<const ban_list>> ban_list::make(std::span<const ban> bans) {
  if (bans.size() > most) return errc::out_of_range;
  auto made = std::make_shared<ban_list>();
  std::vector<network> networks;
  for (const auto& one : bans) {
    if (is_account(one.subject)) {
      made->accounts_.emplace(one.subject, one.reason);
      continue;
    }
    const auto found = parse_range(one.subject);
    if (!found) return found.error();
    networks.push_back({found->first, found->last, one.reason});
  }
  // Two networks are apart, or one holds the other: what begins behind the end of the one before is in none.
  std::stable_sort(networks.begin(), networks.end(), [](const network& a, const network& b) {
    return a.first != b.first ? a.first < b.first : a.last > b.last;
  });
  for (auto& next : networks) {
    if (made->networks_.empty() || made->networks_.back().last < next.first) made->networks_.push_back(std::move(next));
  }
  return std::shared_ptr<const ban_list>(std::move(made));
}

const std::string* ban_list::of_address(std::string_view address) const {
  const auto wanted = networks_.empty() ? std::nullopt : parse_address(address);
  if (!wanted) return nullptr;
  const auto behind = std::upper_bound(networks_.begin(), networks_.end(), *wanted,
                                       [](const bytes& value, const network& each) { return value < each.first; });
  if (behind == networks_.begin() || std::prev(behind)->last < *wanted) return nullptr;
  return &std::prev(behind)->reason;
}

const std::string* ban_list::of_account(std::string_view name) const {
  const auto found = accounts_.find(name);
  return found == accounts_.end() ? nullptr : &found->second;
}

}  // namespace stratumproxy
