#include "account_rows.hpp"

#include <cstddef>
#include <cstdint>

#include <fmt/format.h>

#include <stratumproxy/account.hpp>

#include "endpoint.hpp"
#include "link_rules.hpp"
#include "pool_rows.hpp"
#include "text.hpp"

namespace stratumproxyd {
void require_routes(std::span<const route_record> routes) {
  if (routes.empty() || routes.size() > stratumproxy::account::max_routes)
    throw std::invalid_argument(fmt::format("an account has 1 to {} routes", stratumproxy::account::max_routes));
  for (const auto& route : routes) {
    require_storable(route.user, longest_credential, "user");
    require_storable(route.password, longest_credential, "password");
    if (route.weight > highest_weight) throw std::invalid_argument(fmt::format("a weight is {} at most", highest_weight));
  }
}

std::vector<sql_value> pool_ids(sql_session& session, std::span<const route_record> routes,
                                std::optional<stratumproxy::link_mode> mode) {
  const auto refuse = [](write_outcome why, const std::string& text) { throw account_refused(why, text); };
  std::vector<sql_value> ids;
  std::string algorithm;
  for (const auto& route : routes) {
    const auto address = parse_pool(route.pool);
    if (!address) refuse(write_outcome::unknown_pool, "pool of that name is not known");
    const auto rows = session.query(
        fmt::format("SELECT p.id, p.algorithm, a.dialect, {} FROM pools p JOIN algorithms a ON a.name = p.algorithm "
                    "WHERE p.host = $1 AND p.port = $2",
                    link_columns),
        {address->host, std::int64_t{address->port}});
    if (rows.empty()) refuse(write_outcome::unknown_pool, fmt::format("pool {} is not known", route.pool));
    const auto& row = rows[0];
    if (const auto dialect = text_of(row[2]); dialect != "bitcoin")
      refuse(write_outcome::unsupported,
             fmt::format("pool {} speaks {}, which this proxy does not speak", route.pool, dialect));
    pool_record pool;
    pool.algorithm = text_of(row[1]);
    read_link_columns(pool, row.begin() + 3);
    if (ids.empty()) algorithm = pool.algorithm;
    if (pool.algorithm != algorithm)
      refuse(write_outcome::unsupported,
             fmt::format("pool {} mines {} and pool {} mines {}: the pools of an account mine the same", routes[0].pool, algorithm,
                         route.pool, pool.algorithm));
    if (mode == stratumproxy::link_mode::shared)
      if (const auto fault = link_fault(pool, *mode); !fault.empty())
        refuse(write_outcome::unsupported, fmt::format("pool {}: {}", route.pool, fault));
    ids.emplace_back(integer_of(row[0]));
    for (std::size_t i = 0; i + 1 < ids.size(); ++i)
      if (ids[i] == ids.back() && routes[i].user == route.user)
        refuse(write_outcome::conflict, fmt::format("pool {} is there twice with the same user", route.pool));
  }
  return ids;
}

void require_same_algorithm(sql_session& session, const std::string& account, const sql_value& pool) {
  const auto others = session.query(
      "SELECT o.algorithm, n.algorithm FROM user_routes r JOIN pools o ON o.id = r.pool JOIN pools n ON n.id = $2 "
      "WHERE r.account = $1 AND r.position = 0 AND o.algorithm <> n.algorithm",
      {account, pool});
  if (others.empty()) return;
  throw account_refused(write_outcome::unsupported,
                        fmt::format("the account's miners mine {}, and not {}: register another account for that",
                                    text_of(others[0][0]), text_of(others[0][1])));
}

std::string other_spelling(sql_session& session, const std::string& name) {
  const auto alike = session.query("SELECT name FROM users WHERE lower(name) = $1", {lower_case(name)});
  return alike.size() == 1 ? text_of(alike[0][0]) : std::string();
}

std::optional<user_record> read_user(sql_session& session, const std::string& name) {
  const auto rows = session.query(
      fmt::format("SELECT u.revision, {}, u.mode, p.host, p.port, r.pool_user, r.pool_password, r.weight, u.last_seen "
                  "FROM users u LEFT JOIN (user_routes r JOIN pools p ON p.id = r.pool) ON r.account = u.name "
                  "WHERE u.name = $1 ORDER BY r.position",
                  session.utc_text("u.created_at")),
      {name});
  if (rows.empty()) return std::nullopt;
  user_record found;
  found.name = name;
  found.revision = static_cast<std::uint64_t>(integer_of(rows[0][0]));
  found.created_at = text_of(rows[0][1]);
  found.mode = link_mode_from_name(text_of(rows[0][2]));
  if (!is_null(rows[0][8])) found.last_seen = moment(std::chrono::seconds(integer_of(rows[0][8])));
  for (const auto& row : rows)
    if (!is_null(row[3]))
      found.routes.push_back({pool_name(row[3], row[4]), text_of(row[5]), text_of(row[6]),
                              static_cast<unsigned>(integer_of(row[7]))});
  return found;
}

bool insert_routes(sql_session& session, const std::string& account, std::span<const route_record> routes,
                   std::span<const sql_value> pools) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const auto rows = session.query(
        "INSERT INTO user_routes (account, position, pool, pool_user, pool_password, weight) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING account",
        {account, static_cast<std::int64_t>(i), pools[i], routes[i].user, routes[i].password, std::int64_t{routes[i].weight}});
    if (!rows.empty()) continue;
    if (i == 0) return false;
    throw store_unavailable("the account's routes were changed at this moment");
  }
  return true;
}

}  // namespace stratumproxyd
