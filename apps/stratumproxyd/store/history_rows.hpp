#pragma once

#include <map>
#include <string>
#include <vector>

#include "database.hpp"
#include "store.hpp"
#include "totals_sql.hpp"

namespace stratumproxyd {

/// Adds what the totals grow by to the rows of the period of `now`. Belongs into the transaction of the totals.
void write_history(sql_session& session, const std::string& proxy,
                   const std::map<total_key, stratumproxy::metrics::share_counts>& growth, moment now);

/// As store::history.
[[nodiscard]] std::vector<history_point> read_history(sql_session& session, const history_filter& which);

/// Makes one row of the short ones of each hour that began before `end`, for the oldest such hour. False when there is none. A row
/// that two proxies take at once is with one of them.
[[nodiscard]] bool thin_oldest_hour(sql_session& session, moment end);

/// Drops the oldest hour's rows that began before `end`. False when there are none.
[[nodiscard]] bool drop_oldest_hour(sql_session& session, moment end);

}  // namespace stratumproxyd
