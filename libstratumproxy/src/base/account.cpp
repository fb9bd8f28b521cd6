#include "stratumproxy/account.hpp"

namespace stratumproxy {

std::string pool_info::name() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  std::string out;
  if (is_ipv6) out += '[';
  out += host;
  if (is_ipv6) out += ']';
  out += ':';
  out += std::to_string(port);
  return out;
}

}  // namespace stratumproxy
