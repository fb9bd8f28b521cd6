#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "store.hpp"

namespace stratumproxyd {

// What the audit log has of each change of the tables: what was done to which row, and what it was set to. No secret is in it.

[[nodiscard]] change_note user_registered(std::string_view name, std::span<const route_record> routes,
                                          std::optional<stratumproxy::link_mode> mode);
[[nodiscard]] change_note user_changed(std::string_view name, const user_change& change);
[[nodiscard]] change_note algorithm_added(const stratumproxy::algorithm::info& row);
[[nodiscard]] change_note algorithm_changed(const stratumproxy::algorithm::info& before, const stratumproxy::algorithm::info& after);
[[nodiscard]] change_note pool_added(const pool_record& row);
[[nodiscard]] change_note pool_changed(const pool_record& before, const pool_record& after);
[[nodiscard]] change_note ban_added(const ban_record& row);
[[nodiscard]] change_note token_added(const token_row& row);
/// One for all rows that are others now, with as many of their notes as there is room for.
[[nodiscard]] change_note tables_imported(std::span<const change_note> rows);

}  // namespace stratumproxyd
