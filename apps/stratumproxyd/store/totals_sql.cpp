#include "totals_sql.hpp"

#include <cstdint>
#include <iterator>

namespace stratumproxyd {
namespace {

using stratumproxy::metrics::reject_reason;
using stratumproxy::metrics::share_counts;

struct counter_column {
  const char* name;
  std::uint64_t share_counts::*counter;
};
constexpr counter_column counter_columns[] = {
    {"sent", &share_counts::sent}, {"accepted", &share_counts::accepted},           {"unknown", &share_counts::unknown},
    {"late", &share_counts::late}, {"pool_accepted", &share_counts::pool_accepted},
};

struct weight_column {
  const char* name;
  double share_counts::*weight;
};
constexpr weight_column weight_columns[] = {
    {"sent_one", &share_counts::sent_one},
    {"accepted_one", &share_counts::accepted_one},
    {"pool_accepted_one", &share_counts::pool_accepted_one},
};

struct rejected_column {
  const char* name;
  reject_reason reason;
};
constexpr rejected_column rejected_columns[] = {
    {"rejected_stale", reject_reason::stale},
    {"rejected_duplicate", reject_reason::duplicate},
    {"rejected_low_difficulty", reject_reason::low_difficulty},
    {"rejected_bad_time", reject_reason::bad_time},
    {"rejected_bad_version", reject_reason::bad_version},
    {"rejected_bad_extranonce", reject_reason::bad_extranonce},
    {"rejected_malformed", reject_reason::malformed},
    {"rejected_unauthorized", reject_reason::unauthorized},
    {"rejected_no_pool", reject_reason::no_pool},
    {"rejected_malformed_reply", reject_reason::malformed_reply},
    {"rejected_other", reject_reason::other},
};
static_assert(std::size(rejected_columns) == stratumproxy::metrics::reject_reasons,
              "a new reason needs a column here and a migration");

constexpr std::size_t key_columns = 4;
constexpr std::size_t columns =
    key_columns + std::size(counter_columns) + std::size(rejected_columns) + std::size(weight_columns);

// Every summed column, in the order of all statements here.
std::vector<std::string> summed() {
  std::vector<std::string> names;
  for (const auto& column : counter_columns) names.emplace_back(column.name);
  for (const auto& column : rejected_columns) names.emplace_back(column.name);
  for (const auto& column : weight_columns) names.emplace_back(column.name);
  return names;
}

std::string list_of_summed() {
  std::string list;
  for (const auto& name : summed()) list.append(", ").append(name);
  return list;
}

std::uint64_t counter_of(const sql_value& value) {
  return static_cast<std::uint64_t>(integer_of(value));
}

}  // namespace

std::string totals_upsert(std::size_t rows) {
  std::string sql = "INSERT INTO totals (proxy, account, pool, algorithm" + list_of_summed() + ") VALUES ";
  std::size_t parameter = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < columns; ++i)
      sql.append(i > 0 ? ", $" : row > 0 ? "), ($" : "($").append(std::to_string(++parameter));
  }
  sql += ") ON CONFLICT (proxy, account, pool, algorithm) DO UPDATE SET ";
  bool first = true;
  for (const auto& name : summed()) {
    if (!first) sql += ", ";
    first = false;
    sql.append(name).append(" = totals.").append(name).append(" + excluded.").append(name);
  }
  return sql;
}

void append_total(std::vector<sql_value>& parameters, const std::string& proxy, const total_key& key,
                  const share_counts& counts) {
  const auto& [account, pool, algorithm] = key;
  for (const auto& text : {proxy, account, pool, algorithm}) parameters.emplace_back(text);
  for (const auto& column : counter_columns) parameters.emplace_back(static_cast<std::int64_t>(counts.*column.counter));
  for (const auto& column : rejected_columns)
    parameters.emplace_back(static_cast<std::int64_t>(counts.rejected[static_cast<std::size_t>(column.reason)]));
  for (const auto& column : weight_columns) parameters.emplace_back(counts.*column.weight);
}

std::string totals_select() {
  return "SELECT account, pool, algorithm" + list_of_summed() +
         " FROM totals WHERE proxy = $1 ORDER BY account, pool, algorithm";
}

std::string totals_of_accounts(const std::string& list) {
  std::string sums;
  for (const auto& name : summed()) sums.append(", SUM(").append(name).append(")");
  return "SELECT account" + sums + " FROM totals WHERE account IN (" + list + ") GROUP BY account";
}

share_counts counts_from(sql_row::const_iterator first) {
  share_counts counts;
  for (const auto& wanted : counter_columns) counts.*wanted.counter = counter_of(*first++);
  for (const auto& wanted : rejected_columns) counts.rejected[static_cast<std::size_t>(wanted.reason)] = counter_of(*first++);
  for (const auto& wanted : weight_columns) counts.*wanted.weight = number_of(*first++);
  return counts;
}

total_record total_from(const sql_row& row) {
  return {text_of(row[0]), text_of(row[1]), text_of(row[2]), counts_from(row.begin() + 3)};
}

}  // namespace stratumproxyd
