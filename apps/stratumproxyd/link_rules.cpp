#include "link_rules.hpp"

#include <stratumproxy/algorithm.hpp>
#include <stratumproxy/algorithm/share_check.hpp>

namespace stratumproxyd {
namespace {

using stratumproxy::link_mode;
using stratumproxy::tls_mode;
using stratumproxy::verify_level;

bool can_check(std::string_view algorithm) {
  static const stratumproxy::algorithm::registry known;
  const auto* found = known.find(algorithm);
  return found && stratumproxy::algorithm::can_check(*found);
}

}  // namespace

std::string_view name(link_mode mode) noexcept {
  switch (mode) {
    case link_mode::dedicated: return "dedicated";
    case link_mode::shared: return "shared";
  }
  return {};
}

std::string_view name(verify_level level) noexcept {
  switch (level) {
    case verify_level::off: return "off";
    case verify_level::basic: return "basic";
    case verify_level::full: return "full";
  }
  return {};
}

std::string_view name(tls_mode mode) noexcept {
  switch (mode) {
    case tls_mode::off: return "off";
    case tls_mode::verify: return "verify";
    case tls_mode::pin: return "pin";
    case tls_mode::insecure: return "insecure";
  }
  return {};
}

std::optional<tls_mode> tls_mode_from_name(std::string_view text) noexcept {
  for (const auto mode : {tls_mode::off, tls_mode::verify, tls_mode::pin, tls_mode::insecure})
    if (text == name(mode)) return mode;
  return std::nullopt;
}

std::optional<link_mode> link_mode_from_name(std::string_view text) noexcept {
  for (const auto mode : {link_mode::dedicated, link_mode::shared})
    if (text == name(mode)) return mode;
  return std::nullopt;
}

std::optional<verify_level> verify_level_from_name(std::string_view text) noexcept {
  for (const auto level : {verify_level::off, verify_level::basic, verify_level::full})
    if (text == name(level)) return level;
  return std::nullopt;
}

// Without a difficulty of each worker's own, the pool's would follow the sum of all, and a single hashrate drown in noise.
std::string link_fault(const pool_record& pool, link_mode mode) {
  const auto no_hash = "no hash function is known for " + pool.algorithm;
  const bool checkable = can_check(pool.algorithm);
  if (pool.tls.mode == tls_mode::pin && pool.tls.fingerprint.empty()) return "tls pin needs tls_fingerprint";
  if (pool.tls.mode != tls_mode::pin && !pool.tls.fingerprint.empty()) return "tls_fingerprint needs tls = pin";
  if (pool.verify == verify_level::full && !checkable) return no_hash + ": verify can be basic or off";
  if (pool.vardiff && pool.fixed_difficulty) return "vardiff and fixed_difficulty exclude each other";
  if (pool.vardiff && !checkable) return no_hash + ", which vardiff needs";
  if (pool.vardiff && pool.verify != verify_level::full) return "vardiff needs verify = full";
  if (mode == link_mode::dedicated || pool.fixed_difficulty) return {};
  if (!checkable) return no_hash + ": mode shared needs fixed_difficulty = true";
  if (pool.verify != verify_level::full) return "mode shared needs verify = full, or fixed_difficulty = true";
  return {};
}

}  // namespace stratumproxyd
