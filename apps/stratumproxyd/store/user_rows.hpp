#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "database.hpp"
#include "store.hpp"

namespace stratumproxyd {

/// "$1, $2, …" for at least one text, and the parameters: filled up with the last one, so that there are few different
/// statements, because each is kept prepared.
[[nodiscard]] std::string parameter_list(std::vector<sql_value>& parameters);

/// One page of accounts with their routes and totals. Accounts without a route are left out, but for one that
/// loses them at this moment.
[[nodiscard]] std::vector<user_record> list_users(sql_session& session, const user_filter& which);

void write_seen(sql_session& session, std::span<const std::string> names, moment now);

/// As store::remove_unseen.
[[nodiscard]] std::vector<std::string> delete_unseen(sql_session& session, moment since,
                                                     const std::set<std::string, std::less<>>& live, std::size_t most);

}  // namespace stratumproxyd
