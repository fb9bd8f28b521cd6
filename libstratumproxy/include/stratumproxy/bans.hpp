#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stratumproxy/result.hpp"

namespace stratumproxy {

/// One who is not served: an address ("10.1.2.3", "2001:db8::1"), a network ("10.0.0.0/8", "2001:db8::/32") or the name of an account.
struct ban {
  std::string subject;
  std::string reason;  ///< the miner reads it
};

/// Who is not served. Immutable: may be asked by any thread. A look-up by address is one binary search, by account one in a tree.
class ban_list {
 public:
  static constexpr std::size_t most = 10'000;

  /// bad_address where one of them is no subject, out_of_range where there are more than `most`.
  [[nodiscard]] static result<std::shared_ptr<const ban_list>> make(std::span<const ban> bans);

  /// The one way to write it: "10.1.2.3/32" and "::ffff:10.1.2.3" are "10.1.2.3", IPv6 is short and in lower case. bad_address where it
  /// is neither an address nor a network nor the name that an account may have; out_of_range for a network with bits behind its prefix,
  /// or a prefix that is too long.
  [[nodiscard]] static result<std::string> canonical(std::string_view subject);
  /// Whether it has a part of 127.0.0.0/8, or ::1. False for what is no subject.
  [[nodiscard]] static bool covers_loopback(std::string_view subject);

  /// The reason, or null. `address`: a host alone, without brackets; whatever is no IP address is not banned. Of several networks that
  /// hold it the largest one's.
  [[nodiscard]] const std::string* of_address(std::string_view address) const;
  [[nodiscard]] const std::string* of_account(std::string_view name) const;
  [[nodiscard]] bool is_empty() const noexcept { return networks_.empty() && accounts_.empty(); }

 private:
  using bytes = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d
  struct network {
    bytes first, last;
    std::string reason;
  };
  std::vector<network> networks_;  // in order, none in another
  std::map<std::string, std::string, std::less<>> accounts_;
};

}  // namespace stratumproxy
