#include "user_rows.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "endpoint.hpp"
#include "link_rules.hpp"
#include "moment_text.hpp"
#include "pool_rows.hpp"
#include "text.hpp"
#include "totals_sql.hpp"

namespace stratumproxyd {
namespace {

// Far below what either database takes in parameters.
constexpr std::size_t names_a_statement = 4'096;

/// Conditions on `users u`, and what stands for their $n.
struct conditions {
  std::string sql = "EXISTS (SELECT 1 FROM user_routes r WHERE r.account = u.name)";
  std::vector<sql_value> parameters;

  std::string parameter(sql_value value) {
    parameters.push_back(std::move(value));
    return fmt::format("${}", parameters.size());
  }
  void add(const std::string& condition) { sql += " AND " + condition; }
};

bool can_be_kept(const user_filter& which) {
  const auto good = [](const auto& text, std::size_t limit) { return !text || is_storable(*text, limit); };
  return good(which.algorithm, longest_name) && good(which.search, longest_credential) &&
         is_storable(which.after, longest_name) && (!which.pool || parse_pool(*which.pool));
}

conditions conditions_of(const user_filter& which) {
  conditions out;
  if (!which.after.empty()) out.add("u.name > " + out.parameter(which.after));
  if (which.pool) {
    const auto address = *parse_pool(*which.pool);
    const auto host = out.parameter(address.host);
    const auto port = out.parameter(std::int64_t{address.port});
    out.add(fmt::format("EXISTS (SELECT 1 FROM user_routes r JOIN pools p ON p.id = r.pool "
                        "WHERE r.account = u.name AND p.host = {} AND p.port = {})", host, port));
  }
  if (which.algorithm) {
    const auto name = out.parameter(*which.algorithm);
    out.add(fmt::format("EXISTS (SELECT 1 FROM user_routes r JOIN pools p ON p.id = r.pool WHERE r.account = u.name AND "
                        "p.algorithm IN (SELECT name FROM algorithms WHERE name = {0} UNION ALL "
                        "SELECT algorithm FROM algorithm_aliases WHERE alias = {0}))", name));
  }
  if (which.search && !which.search->empty()) {
    // Not LIKE: the text may hold % and _.
    const auto text = out.parameter(*which.search);
    out.add(fmt::format("(substr(u.name, 1, length({0})) = {0} OR EXISTS (SELECT 1 FROM user_routes r WHERE r.account = u.name "
                        "AND substr(r.pool_user, 1, length({0})) = {0}))",
                        fmt::format("CAST({} AS TEXT)", text)));
  }
  return out;
}

void add_routes_and_totals(sql_session& session, std::span<user_record> users) {
  std::map<std::string, user_record*, std::less<>> by_name;
  std::vector<sql_value> names;
  for (auto& each : users) {
    by_name[each.name] = &each;
    names.emplace_back(each.name);
  }
  const auto list = parameter_list(names);
  for (const auto& row :
       session.query(fmt::format("SELECT r.account, p.host, p.port, r.pool_user, r.pool_password, r.weight FROM user_routes r "
                                 "JOIN pools p ON p.id = r.pool WHERE r.account IN ({}) ORDER BY r.account, r.position", list),
                     names))
    if (const auto found = by_name.find(text_of(row[0])); found != by_name.end())
      found->second->routes.push_back({pool_name(row[1], row[2]), text_of(row[3]), text_of(row[4]),
                                       static_cast<unsigned>(integer_of(row[5]))});
  for (const auto& row : session.query(totals_of_accounts(list), names))
    if (const auto found = by_name.find(text_of(row[0])); found != by_name.end())
      found->second->totals = counts_from(row.begin() + 1);
}

}  // namespace

std::string parameter_list(std::vector<sql_value>& parameters) {
  parameters.resize(std::bit_ceil(parameters.size()), parameters.back());
  std::string list;
  for (std::size_t i = 1; i <= parameters.size(); ++i) list += fmt::format("{}${}", i > 1 ? ", " : "", i);
  return list;
}

std::vector<user_record> list_users(sql_session& session, const user_filter& which) {
  std::vector<user_record> found;
  if (!can_be_kept(which)) return found;
  auto wanted = conditions_of(which);
  const auto limit = wanted.parameter(static_cast<std::int64_t>(which.limit));
  for (const auto& row :
       session.query(fmt::format("SELECT u.name, u.revision, {}, u.mode, u.last_seen FROM users u WHERE {} "
                                 "ORDER BY u.name LIMIT {}",
                                 session.utc_text("u.created_at"), wanted.sql, limit),
                     wanted.parameters)) {
    auto& user = found.emplace_back();
    user.name = text_of(row[0]);
    user.revision = static_cast<std::uint64_t>(integer_of(row[1]));
    user.created_at = text_of(row[2]);
    user.mode = link_mode_from_name(text_of(row[3]));
    if (!is_null(row[4])) user.last_seen = moment(std::chrono::seconds(integer_of(row[4])));
  }
  for (std::size_t first = 0; first < found.size(); first += names_a_statement)
    add_routes_and_totals(session, std::span(found).subspan(first, std::min(names_a_statement, found.size() - first)));
  return found;
}

void write_seen(sql_session& session, std::span<const std::string> names, moment now) {
  std::vector<sql_value> parameters(names.begin(), names.end());
  const auto list = parameter_list(parameters);
  parameters.emplace_back(std::int64_t{now.time_since_epoch().count()});
  (void)session.query(fmt::format("UPDATE users SET last_seen = ${0} WHERE name IN ({1}) "
                                  "AND (last_seen IS NULL OR last_seen < ${0})",
                                  parameters.size(), list),
                      parameters);
}

std::vector<std::string> delete_unseen(sql_session& session, moment since, const std::set<std::string, std::less<>>& live,
                                       std::size_t most) {
  // The texts of two moments are in their order.
  const std::vector<sql_value> bounds{std::int64_t{since.time_since_epoch().count()}, utc_text(since)};
  const auto unseen = fmt::format("COALESCE(last_seen, 0) < $1 AND {} < $2", session.utc_text("created_at"));
  std::vector<std::string> removed;
  for (const auto& row : session.query("SELECT name FROM users WHERE " + unseen + " ORDER BY name", bounds)) {
    if (removed.size() == most) break;
    const auto name = text_of(row[0]);
    if (live.contains(name)) continue;
    // Asked again, because another proxy may have seen it since.
    auto parameters = bounds;
    parameters.emplace_back(name);
    if (!session.query("DELETE FROM users WHERE " + unseen + " AND name = $3 RETURNING name", parameters).empty())
      removed.push_back(name);
  }
  return removed;
}

}  // namespace stratumproxyd
