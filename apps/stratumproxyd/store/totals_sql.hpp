#pragma once

#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include <stratumproxy/metrics.hpp>

#include "database.hpp"

namespace stratumproxyd {

using total_key = std::tuple<std::string, std::string, std::string>;  ///< account, pool, algorithm

/// Few round trips for thousands of rows, and far below what either database takes in parameters.
inline constexpr std::size_t totals_rows_a_statement = 100;

/// A statement that adds `rows` rows to the table; no two of them may have the same key.
[[nodiscard]] std::string totals_upsert(std::size_t rows);
void append_total(std::vector<sql_value>& parameters, const std::string& proxy, const total_key& key,
                  const stratumproxy::metrics::share_counts& counts);

/// All rows of the proxy $1.
[[nodiscard]] std::string totals_select();
[[nodiscard]] total_record total_from(const sql_row& row);

/// The account, and its sums over everything, for the accounts in this list of parameters; counts_from reads from the second column on.
[[nodiscard]] std::string totals_of_accounts(const std::string& list);
[[nodiscard]] stratumproxy::metrics::share_counts counts_from(sql_row::const_iterator first);

}  // namespace stratumproxyd
