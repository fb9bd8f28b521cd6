#include <libpsl.h>

#include <algorithm>
#include <string>

#include "session/upstream_session.hpp"

namespace stratumproxy::session {
namespace {

[[nodiscard]] bool is_host_name(std::string_view host) noexcept {
  if (host.empty() || host.size() > 253) return false;
  const bool characters = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
  });
  // The last label of a name is never all digits; that of an IPv4 address always is. IPv6 has colons.
  const auto last = host.substr(host.rfind('.') + 1);
  const bool digits = std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
  return characters && !digits && host.front() != '.' && host.back() != '.';
}

[[nodiscard]] std::string_view registrable_domain(const std::string& host) {
  static const psl_ctx_t* const list = psl_builtin();
  const char* domain = list ? psl_registrable_domain(list, host.c_str()) : nullptr;
  return domain ? std::string_view(domain) : std::string_view{};
}

}  // namespace

bool may_redirect(const pool_info& pool, std::string_view host) {
  std::string wanted(host);
  std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c); });
  if (wanted == pool.host) return true;
  if (!is_host_name(wanted)) return false;
  if (std::find(pool.reconnect_hosts.begin(), pool.reconnect_hosts.end(), wanted) != pool.reconnect_hosts.end()) return true;
  if (!is_host_name(pool.host)) return false;
  if (wanted.ends_with("." + pool.host)) return true;
  const auto domain = registrable_domain(pool.host);
  return !domain.empty() && registrable_domain(wanted) == domain;
}

}  // namespace stratumproxy::session
