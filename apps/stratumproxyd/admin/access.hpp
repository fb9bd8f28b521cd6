#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/access_policy.hpp"
#include "admin/http.hpp"
#include "admin/rate_limit.hpp"
#include "admin/tokens.hpp"
#include "endpoint.hpp"

namespace stratumproxyd {

/// Who may ask what: bearer tokens and their roles, and what keeps a web page in somebody's browser from asking in their place.
/// Thread: any.
class access_rules {
 public:
  using time_point = rate_limit::time_point;

  /// `bound` is the address that is served; `hosts` are further names for it. The tokens are borrowed.
  access_rules(const endpoint& bound, std::vector<std::string> hosts, known_tokens& tokens);

  void set_policy(const access_policy& policy);
  /// Further names from now on, in place of those before.
  void set_hosts(const std::vector<std::string>& hosts);

  /// An answer when the request must not be served; else its actor and role are set.
  [[nodiscard]] std::optional<http_response> check(http_request& request, time_point now = std::chrono::steady_clock::now());

  /// Requests with a wrong token, since the start.
  [[nodiscard]] std::uint64_t failed_logins() const noexcept { return failed_; }

 private:
  [[nodiscard]] bool is_known_host(std::string_view host) const;
  [[nodiscard]] std::optional<http_response> check_site(const http_request& request) const;
  [[nodiscard]] std::optional<http_response> check_registration(http_request& request, const std::optional<token_bearer>& bearer,
                                                                time_point now);
  [[nodiscard]] std::optional<http_response> refuse_stranger(const http_request& request, time_point now);
  [[nodiscard]] std::optional<token_bearer> bearer_of(const http_request& request, time_point now);

  const bool loopback_;
  const std::string bound_host_;
  mutable std::mutex mutex_;  // guards hosts_
  std::vector<std::string> hosts_;
  known_tokens& tokens_;
  std::atomic<registration_policy> registration_{registration_policy::open};
  rate_limit registrations_{access_policy{}.registrations};
  rate_limit failed_logins_{access_policy{}.failed_logins};
  std::atomic<std::uint64_t> failed_{0};
};

/// Whether that can be a bearer token: 8 to 512 printable characters.
[[nodiscard]] bool is_token(std::string_view text);

/// Reads a token: one line of 8 to 512 printable characters. Throws config_error, which never shows it.
[[nodiscard]] std::string read_token(const std::filesystem::path& file);

/// Whether others than the owner and the group may read the file.
[[nodiscard]] bool is_world_readable(const std::filesystem::path& file);

}  // namespace stratumproxyd
