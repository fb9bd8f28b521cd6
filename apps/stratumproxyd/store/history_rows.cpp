#include "history_rows.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "endpoint.hpp"
#include "text.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::metrics::share_counts;

constexpr std::int64_t fine = fine_period.count();
constexpr std::int64_t coarse = coarse_period.count();
constexpr std::size_t rows_a_statement = 100;

std::int64_t seconds_of(moment when) { return when.time_since_epoch().count(); }
std::int64_t period_of(std::int64_t when, std::int64_t length) { return when - when % length; }

/// Where a sum goes: proxy, account, pool, algorithm.
using history_key = std::tuple<std::string, std::string, std::string, std::string>;
struct history_sums {
  std::int64_t sent = 0, accepted = 0, rejected = 0, unknown = 0;
  double accepted_one = 0;
};

std::string upsert(std::size_t rows) {
  constexpr std::size_t columns = 11;
  std::string sql = "INSERT INTO history (proxy, account, pool, algorithm, seconds, start, sent, accepted, rejected, unknown, "
                    "accepted_one) VALUES ";
  std::size_t parameter = 0;
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t i = 0; i < columns; ++i) sql += fmt::format("{}{}", i > 0 ? ", $" : row > 0 ? "), ($" : "($", ++parameter);
  sql += ") ON CONFLICT (proxy, account, pool, algorithm, seconds, start) DO UPDATE SET ";
  const char* comma = "";
  for (const char* name : {"sent", "accepted", "rejected", "unknown", "accepted_one"})
    sql += fmt::format("{0}{1} = history.{1} + excluded.{1}", std::exchange(comma, ", "), name);
  return sql;
}

// In the order of the keys, so that no two writers wait for each other.
void add(sql_session& session, const std::map<history_key, history_sums>& rows, std::int64_t length, std::int64_t start) {
  std::vector<sql_value> parameters;
  std::size_t count = 0;
  const auto send = [&] {
    if (count > 0) (void)session.query(upsert(count), parameters);
    parameters.clear();
    count = 0;
  };
  for (const auto& [key, sums] : rows) {
    const auto& [proxy, account, pool, algorithm] = key;
    for (const auto& text : {proxy, account, pool, algorithm}) parameters.emplace_back(text);
    for (const auto number : {length, start, sums.sent, sums.accepted, sums.rejected, sums.unknown})
      parameters.emplace_back(number);
    parameters.emplace_back(sums.accepted_one);
    if (++count == rows_a_statement) send();
  }
  send();
}

std::optional<std::int64_t> oldest(sql_session& session, std::int64_t length) {
  const auto rows = session.query("SELECT MIN(start) FROM history WHERE seconds = $1", {length});
  return rows.empty() || is_null(rows[0][0]) ? std::nullopt : std::optional(integer_of(rows[0][0]));
}

}  // namespace

void write_history(sql_session& session, const std::string& proxy, const std::map<total_key, share_counts>& growth, moment now) {
  std::map<history_key, history_sums> rows;
  for (const auto& [key, counts] : growth) {
    const auto& [account, pool, algorithm] = key;
    rows[{proxy, account, pool, algorithm}] = {
        static_cast<std::int64_t>(counts.sent), static_cast<std::int64_t>(counts.accepted),
        static_cast<std::int64_t>(counts.rejected_total()), static_cast<std::int64_t>(counts.unknown), counts.accepted_one};
  }
  add(session, rows, fine, period_of(seconds_of(now), fine));
}

std::vector<history_point> read_history(sql_session& session, const history_filter& which) {
  std::vector<history_point> found;
  std::vector<sql_value> parameters{std::int64_t{which.step.count()}, seconds_of(which.from), seconds_of(which.to)};
  auto where = fmt::format("seconds IN ({}, {}) AND start >= $2 AND start < $3", fine, coarse);
  for (const auto& [column, wanted, limit] : {std::tuple("account", &which.account, longest_name),
                                              std::tuple("pool", &which.pool, longest_pool),
                                              std::tuple("algorithm", &which.algorithm, longest_name)}) {
    if (!*wanted) continue;
    if (!is_storable(**wanted, limit)) return found;
    parameters.emplace_back(**wanted);
    where += fmt::format(" AND {} = ${}", column, parameters.size());
  }
  for (const auto& row : session.query(
           "SELECT start - start % $1 AS first, SUM(sent), SUM(accepted), SUM(rejected), SUM(unknown), SUM(accepted_one) "
           "FROM history WHERE " + where + " GROUP BY 1 ORDER BY 1",
           parameters)) {
    const auto count = [&](std::size_t column) { return static_cast<std::uint64_t>(integer_of(row[column])); };
    found.push_back({moment(std::chrono::seconds(integer_of(row[0]))), count(1), count(2), count(3), count(4), number_of(row[5])});
  }
  return found;
}

bool thin_oldest_hour(sql_session& session, moment end) {
  const auto first = oldest(session, fine);
  if (!first) return false;
  const auto hour = period_of(*first, coarse);
  if (hour + coarse > seconds_of(end)) return false;
  std::map<history_key, history_sums> rows;
  // What is returned here is gone for everybody else, once this is committed.
  for (const auto& row : session.query("DELETE FROM history WHERE seconds = $1 AND start >= $2 AND start < $3 RETURNING "
                                       "proxy, account, pool, algorithm, sent, accepted, rejected, unknown, accepted_one",
                                       {fine, hour, hour + coarse})) {
    auto& sums = rows[{text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3])}];
    sums.sent += integer_of(row[4]);
    sums.accepted += integer_of(row[5]);
    sums.rejected += integer_of(row[6]);
    sums.unknown += integer_of(row[7]);
    sums.accepted_one += number_of(row[8]);
  }
  add(session, rows, coarse, hour);
  return true;
}

bool drop_oldest_hour(sql_session& session, moment end) {
  bool dropped = false;
  for (const auto length : {fine, coarse}) {
    const auto first = oldest(session, length);
    if (!first || *first >= seconds_of(end)) continue;
    (void)session.query("DELETE FROM history WHERE seconds = $1 AND start < $2",
                        {length, std::min(seconds_of(end), *first + coarse)});
    dropped = true;
  }
  return dropped;
}

}  // namespace stratumproxyd
