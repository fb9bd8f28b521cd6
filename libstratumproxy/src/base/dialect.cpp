#include "stratumproxy/dialect.hpp"

#include <array>
#include <utility>

namespace stratumproxy {
namespace {

constexpr std::array<std::pair<dialect, std::string_view>, 10> names{{
    {dialect::bitcoin, "bitcoin"},
    {dialect::ethereum_stratum, "ethereum_stratum"},
    {dialect::eth_proxy, "eth_proxy"},
    {dialect::zcash, "zcash"},
    {dialect::cryptonote, "cryptonote"},
    {dialect::kaspa, "kaspa"},
    {dialect::kadena, "kadena"},
    {dialect::kawpow, "kawpow"},
    {dialect::stratum_v2, "stratum_v2"},
    {dialect::other, "other"},
}};

}  // namespace

std::string_view name(dialect value) noexcept {
  for (const auto& [entry, text] : names) {
    if (entry == value) return text;
  }
  return "other";
}

result<dialect> dialect_from_name(std::string_view text) noexcept {
  for (const auto& [entry, entry_text] : names) {
    if (entry_text == text) return entry;
  }
  return errc::out_of_range;
}

}  // namespace stratumproxy
