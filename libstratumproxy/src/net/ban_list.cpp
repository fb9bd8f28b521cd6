#include <algorithm>
#include <optional>
#include <utility>

#include "net/ip_network.hpp"
#include "session/login.hpp"
#include "stratumproxy/bans.hpp"

namespace stratumproxy {
namespace {

[[nodiscard]] bool is_account(std::string_view text) { return session::is_account_name(text); }

}  // namespace

result<std::string> ban_list::canonical(std::string_view subject) {
  if (is_account(subject)) return std::string(subject);
  const auto network = net::ip_network::parse(subject);
  if (!network) return network.error();
  return network->text();
}

bool ban_list::covers_loopback(std::string_view subject) {
  const auto network = is_account(subject) ? result<net::ip_network>(errc::bad_address) : net::ip_network::parse(subject);
  if (!network) return false;
  const auto meets = [&](const net::ip_network& other) { return network->first <= other.last && other.first <= network->last; };
  return meets(*net::ip_network::parse("127.0.0.0/8")) || meets(*net::ip_network::parse("::1"));
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
    const auto found = net::ip_network::parse(one.subject);
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
  const auto wanted = networks_.empty() ? std::nullopt : net::parse_ip(address);
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
