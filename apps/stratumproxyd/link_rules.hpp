#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <stratumproxy/account.hpp>

#include "store/store.hpp"

namespace stratumproxyd {

/// The words of the tables, the API and the metrics: dedicated, shared; off, basic, full; off, verify, pin, insecure.
[[nodiscard]] std::string_view name(stratumproxy::link_mode mode) noexcept;
[[nodiscard]] std::string_view name(stratumproxy::verify_level level) noexcept;
[[nodiscard]] std::optional<stratumproxy::link_mode> link_mode_from_name(std::string_view name) noexcept;
[[nodiscard]] std::optional<stratumproxy::verify_level> verify_level_from_name(std::string_view name) noexcept;
[[nodiscard]] std::string_view name(stratumproxy::tls_mode mode) noexcept;
[[nodiscard]] std::optional<stratumproxy::tls_mode> tls_mode_from_name(std::string_view name) noexcept;

/// Why the pool's values do not go together with links of this `mode`, the pool's own or the one an account has in its place;
/// empty when they do. For people. Whether shares can be checked is asked of the library's own algorithms, by the name in
/// `pool.algorithm`.
[[nodiscard]] std::string link_fault(const pool_record& pool, stratumproxy::link_mode mode);

}  // namespace stratumproxyd
