#include "table_changes.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include <stratumproxy/dialect.hpp>

#include "change_notes.hpp"
#include "endpoint.hpp"
#include "link_rules.hpp"
#include "pool_rows.hpp"
#include "text.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::algorithm::info;

[[noreturn]] void refuse(write_outcome why, const std::string& text) { throw row_refused(why, text); }

// "a, b, c and 4 more"
std::string some_of(const std::vector<sql_row>& rows, const std::function<std::string(const sql_row&)>& name_of) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(rows.size(), shown); ++i) text += (i > 0 ? ", " : "") + name_of(rows[i]);
  return rows.size() > shown ? fmt::format("{} and {} more", text, rows.size() - shown) : text;
}

bool same(const pool_record& a, const pool_record& b) {
  const auto values = [](const pool_record& of) {
    return std::tie(of.algorithm, of.divider, of.login_template, of.reconnect_hosts, of.mode, of.verify, of.vardiff,
                    of.fixed_difficulty, of.rig_logins, of.source);
  };
  return values(a) == values(b) && a.tls == b.tls;
}

// Who else writes to the row waits from here on.
std::optional<std::int64_t> lock_pool(sql_session& session, const endpoint& address) {
  const auto rows = session.query("UPDATE pools SET port = port WHERE host = $1 AND port = $2 RETURNING id",
                                  {address.host, std::int64_t{address.port}});
  return rows.empty() ? std::nullopt : std::optional(integer_of(rows[0][0]));
}

pool_record read_pool(sql_session& session, const endpoint& address, std::int64_t id) {
  const auto rows = session.query(
      fmt::format("SELECT p.algorithm, p.divider, p.login_template, p.reconnect_hosts, p.source, {} FROM pools p WHERE p.id = $1",
                  link_columns),
      {id});
  const auto& row = rows.at(0);
  pool_record out;
  out.pool = address.text();
  out.algorithm = text_of(row[0]);
  if (!is_null(row[1])) out.divider = number_of(row[1]);
  out.login_template = text_of(row[2]);
  out.reconnect_hosts = words_of(text_of(row[3]));
  out.source = text_of(row[4]);
  read_link_columns(out, row.begin() + 5);
  return out;
}

endpoint address_of(std::string_view pool) {
  const auto address = parse_pool(pool);
  if (!address) refuse(write_outcome::unknown_pool, "unknown pool");
  return *address;
}

// The edit's result in the form of the table, with what the table cannot have refused.
void settle_pool(sql_session& session, pool_record& row) {
  if (row.divider && !(std::isfinite(*row.divider) && *row.divider > 0)) throw std::invalid_argument("the divider is not above 0");
  require_storable(row.login_template, longest_credential, "login template");
  require_storable(row.source, longest_source, "source");
  row.reconnect_hosts = words_of(host_list(row.reconnect_hosts));
  row.algorithm = is_storable(row.algorithm, longest_name) ? canonical_algorithm(session, lower_case(row.algorithm)) : "";
  if (row.algorithm.empty()) refuse(write_outcome::unknown_algorithm, fmt::format("pool {}: unknown algorithm", row.pool));
  if (const auto fault = link_fault(row, row.mode); !fault.empty())
    refuse(write_outcome::unsupported, fmt::format("pool {}: {}", row.pool, fault));
}

void require_fits_accounts(sql_session& session, std::int64_t id, const pool_record& before, const pool_record& after) {
  const auto account_of = [](const sql_row& row) { return text_of(row[0]); };
  if (const auto fault = link_fault(after, stratumproxy::link_mode::shared); !fault.empty()) {
    const auto shared = session.query(
        "SELECT DISTINCT u.name FROM users u JOIN user_routes r ON r.account = u.name WHERE r.pool = $1 AND u.mode = 'shared' "
        "ORDER BY u.name", {id});
    if (!shared.empty())
      refuse(write_outcome::unsupported,
             fmt::format("pool {}: {}, and accounts on it are shared: {}", after.pool, fault, some_of(shared, account_of)));
  }
  if (after.algorithm == before.algorithm) return;
  const auto users = session.query("SELECT DISTINCT account FROM user_routes WHERE pool = $1 ORDER BY account", {id});
  if (users.empty()) return;
  const auto dialect = text_of(session.query("SELECT dialect FROM algorithms WHERE name = $1", {after.algorithm}).at(0)[0]);
  if (dialect != "bitcoin")
    refuse(write_outcome::unsupported,
           fmt::format("pool {}: {} speaks {}, which this proxy does not speak, and accounts mine there: {}", after.pool,
                       after.algorithm, dialect, some_of(users, account_of)));
  const auto mixed = session.query(
      "SELECT DISTINCT r.account FROM user_routes r JOIN user_routes o ON o.account = r.account JOIN pools p ON p.id = o.pool "
      "WHERE r.pool = $1 AND o.pool <> $1 AND p.algorithm <> $2 ORDER BY r.account",
      {id, after.algorithm});
  if (!mixed.empty())
    refuse(write_outcome::unsupported, fmt::format("pool {}: accounts on it have pools of another algorithm than {}: {}",
                                                   after.pool, after.algorithm, some_of(mixed, account_of)));
}

bool lock_algorithm(sql_session& session, const std::string& name) {
  return !session.query("UPDATE algorithms SET source = source WHERE name = $1 RETURNING name", {name}).empty();
}

info read_algorithm(sql_session& session, const std::string& name) {
  const auto rows = session.query("SELECT divider, dialect, coinb1_index, source FROM algorithms WHERE name = $1", {name});
  const auto& row = rows.at(0);
  info out;
  out.name = name;
  out.divider = number_of(row[0]);
  const auto dialect = stratumproxy::dialect_from_name(text_of(row[1]));
  out.speaks = dialect ? *dialect : stratumproxy::dialect::other;
  out.coinb1_index = static_cast<unsigned>(integer_of(row[2]));
  out.source = text_of(row[3]);
  for (const auto& alias : session.query("SELECT alias FROM algorithm_aliases WHERE algorithm = $1 ORDER BY alias", {name}))
    out.aliases.push_back(text_of(alias[0]));
  return out;
}

void settle_algorithm(info& row) {
  if (!std::isfinite(row.divider) || row.divider <= 0) throw std::invalid_argument("the divider is not above 0");
  require_storable(row.source, longest_source, "source");
  for (auto& alias : row.aliases) {
    require_storable(alias, longest_name, "alias");
    alias = lower_case(alias);
  }
  std::erase(row.aliases, row.name);
  std::ranges::sort(row.aliases);
  row.aliases.erase(std::unique(row.aliases.begin(), row.aliases.end()), row.aliases.end());
}

void write_aliases(sql_session& session, const info& row) {
  (void)session.query("DELETE FROM algorithm_aliases WHERE algorithm = $1", {row.name});
  for (const auto& alias : row.aliases) {
    const bool taken = !canonical_algorithm(session, alias).empty() ||
                       session.query("INSERT INTO algorithm_aliases (alias, algorithm) VALUES ($1, $2) "
                                     "ON CONFLICT DO NOTHING RETURNING alias", {alias, row.name}).empty();
    if (taken)
      refuse(write_outcome::conflict,
             fmt::format("algorithm {}: another algorithm has the name or alias {}", row.name, alias));
  }
}

void require_speaks(sql_session& session, const info& row) {
  if (row.speaks == stratumproxy::dialect::bitcoin) return;
  const auto users = session.query(
      "SELECT DISTINCT r.account FROM user_routes r JOIN pools p ON p.id = r.pool WHERE p.algorithm = $1 ORDER BY r.account",
      {row.name});
  if (!users.empty())
    refuse(write_outcome::unsupported,
           fmt::format("algorithm {}: this proxy does not speak {}, and accounts mine it: {}", row.name,
                       stratumproxy::name(row.speaks), some_of(users, [](const sql_row& user) { return text_of(user[0]); })));
}

}  // namespace

row_change put_pool(sql_session& session, std::string_view pool, const pool_edit& edit, if_missing otherwise) {
  const auto address = address_of(pool);
  auto id = lock_pool(session, address);
  pool_record before;
  if (!id) {
    if (otherwise == if_missing::refuse) refuse(write_outcome::unknown_pool, "unknown pool");
    before.pool = address.text();
  } else {
    before = read_pool(session, address, *id);
  }
  auto after = before;
  edit(after);
  after.pool = before.pool;
  if (otherwise == if_missing::refuse) after.source = before.source;
  settle_pool(session, after);
  if (!id) {
    if (!insert_pool(session, address, after.algorithm, after)) throw store_unavailable("the pool was added at this moment");
    return {write_outcome::created, pool_added(after)};
  }
  if (same(before, after)) return {};
  require_fits_accounts(session, *id, before, after);
  sql_value divider;
  if (after.divider) divider = *after.divider;
  (void)session.query(
      "UPDATE pools SET algorithm = $2, divider = $3, login_template = $4, reconnect_hosts = $5, source = $6, mode = $7, "
      "verify = $8, vardiff = $9, fixed_difficulty = $10, rig_logins = $11, tls = $12, tls_fingerprint = $13 WHERE id = $1",
      {*id, after.algorithm, divider, after.login_template, host_list(after.reconnect_hosts), after.source,
       std::string(name(after.mode)), std::string(name(after.verify)), std::int64_t{after.vardiff},
       std::int64_t{after.fixed_difficulty}, std::int64_t{after.rig_logins}, std::string(name(after.tls.mode)),
       after.tls.fingerprint});
  return {write_outcome::changed, pool_changed(before, after)};
}

row_change put_algorithm(sql_session& session, std::string_view wanted, const algorithm_edit& edit, if_missing otherwise) {
  const std::string name = is_storable(wanted, longest_name) ? lower_case(wanted) : std::string();
  const bool there = !name.empty() && lock_algorithm(session, name);
  info before;
  if (there) {
    before = read_algorithm(session, name);
  } else {
    if (otherwise == if_missing::refuse || name.empty()) refuse(write_outcome::unknown_algorithm, "unknown algorithm");
    before.name = name;
  }
  auto after = before;
  edit(after);
  after.name = before.name;
  if (otherwise == if_missing::refuse) after.source = before.source;
  settle_algorithm(after);
  if (!there) {
    auto bare = after;
    bare.aliases.clear();
    if (!insert_algorithm(session, bare))
      refuse(write_outcome::conflict, fmt::format("algorithm {}: it is an alias of another algorithm", name));
    write_aliases(session, after);
    return {write_outcome::created, algorithm_added(after)};
  }
  const auto values = [](const info& of) { return std::tie(of.divider, of.speaks, of.coinb1_index, of.source, of.aliases); };
  if (values(before) == values(after)) return {};
  require_speaks(session, after);
  (void)session.query("UPDATE algorithms SET divider = $2, dialect = $3, coinb1_index = $4, source = $5 WHERE name = $1",
                      {name, after.divider, std::string(stratumproxy::name(after.speaks)), std::int64_t{after.coinb1_index},
                       after.source});
  if (before.aliases != after.aliases) write_aliases(session, after);
  return {write_outcome::changed, algorithm_changed(before, after)};
}

change_note delete_pool(sql_session& session, std::string_view pool, const std::function<void(const pool_record&)>& check) {
  const auto address = address_of(pool);
  const auto id = lock_pool(session, address);
  if (!id) refuse(write_outcome::unknown_pool, "unknown pool");
  check(read_pool(session, address, *id));
  const auto users = session.query("SELECT DISTINCT account FROM user_routes WHERE pool = $1 ORDER BY account", {*id});
  if (!users.empty())
    refuse(write_outcome::in_use,
           "accounts have the pool: " + some_of(users, [](const sql_row& row) { return text_of(row[0]); }));
  (void)session.query("DELETE FROM pools WHERE id = $1", {*id});
  return {"pool.remove", address.text()};
}

change_note delete_algorithm(sql_session& session, std::string_view wanted, const std::function<void(const info&)>& check) {
  const std::string name = is_storable(wanted, longest_name) ? lower_case(wanted) : std::string();
  if (name.empty() || !lock_algorithm(session, name)) refuse(write_outcome::unknown_algorithm, "unknown algorithm");
  check(read_algorithm(session, name));
  const auto pools = session.query("SELECT host, port FROM pools WHERE algorithm = $1 ORDER BY host, port", {name});
  if (!pools.empty())
    refuse(write_outcome::in_use,
           "pools have the algorithm: " + some_of(pools, [](const sql_row& row) { return pool_name(row[0], row[1]); }));
  (void)session.query("DELETE FROM algorithms WHERE name = $1", {name});
  return {"algorithm.remove", name};
}

}  // namespace stratumproxyd
