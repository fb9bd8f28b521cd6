#pragma once

#include <cstdint>
#include <string_view>

#include "stratumproxy/result.hpp"

namespace stratumproxy {

/// How a pool speaks. Only `bitcoin` is built.
enum class dialect : std::uint8_t {
  bitcoin, ethereum_stratum, eth_proxy, zcash, cryptonote, kaspa, kadena, kawpow, stratum_v2, other
};
[[nodiscard]] std::string_view name(dialect value) noexcept;
[[nodiscard]] result<dialect> dialect_from_name(std::string_view text) noexcept;

}  // namespace stratumproxy
