#include "sql_store.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "account_name.hpp"
#include "account_rows.hpp"
#include "audit_rows.hpp"
#include "ban_rows.hpp"
#include "change_notes.hpp"
#include "endpoint.hpp"
#include "history_rows.hpp"
#include "pool_rows.hpp"
#include "table_changes.hpp"
#include "text.hpp"
#include "totals_sql.hpp"
#include "user_rows.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::metrics::share_counts;

// A person or a miner waits for these, so that they end before a client's own patience does.
constexpr std::chrono::milliseconds patience{1800};
// Nobody waits for the totals, and they may be many.
constexpr std::chrono::seconds totals_patience{5};
constexpr std::size_t seen_a_statement = 512;
// Each in a transaction of its own; the rest is for the next call, for the totals wait meanwhile. An hour of a thousand accounts that is
// thinned is thirteen thousand rows.
constexpr int hours_dropped = 200;
constexpr int hours_thinned = 12;

bool same_links(const pool_record& a, const pool_record& b) {
  const auto values = [](const pool_record& of) {
    return std::tie(of.mode, of.verify, of.vardiff, of.fixed_difficulty, of.rig_logins);
  };
  return values(a) == values(b) && a.tls == b.tls;
}

stratumproxy::dialect dialect_of(const sql_value& column) {
  const auto known = stratumproxy::dialect_from_name(text_of(column));
  return known ? *known : stratumproxy::dialect::other;
}

sql_value mode_column(std::optional<stratumproxy::link_mode> mode) {
  return mode ? sql_value(std::string(name(*mode))) : sql_value();
}

std::vector<route_record> with_canonical_pools(std::vector<route_record> routes) {
  for (auto& route : routes)
    if (const auto address = parse_pool(route.pool)) route.pool = address->text();
  return routes;
}

std::vector<route_record> with_known_passwords(const std::vector<user_change::route>& wanted, const std::vector<route_record>& there) {
  std::vector<route_record> routes;
  for (const auto& each : wanted) routes.push_back({each.pool, each.user, each.password.value_or(""), each.weight});
  routes = with_canonical_pools(std::move(routes));
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (wanted[i].password) continue;
    const auto known = std::ranges::find_if(
        there, [&](const auto& route) { return route.pool == routes[i].pool && route.user == routes[i].user; });
    if (known == there.end())
      throw account_refused(write_outcome::conflict, fmt::format("a password for pool {} is not given, and not known", routes[i].pool));
    routes[i].password = known->password;
  }
  return routes;
}

// The account as it is. Locks the row in both databases, so that whoever comes second changes what the first one made of it.
user_record lock_user(sql_session& session, const std::string& account, std::optional<std::uint64_t> if_revision) {
  if (session.query("UPDATE users SET mode = mode WHERE name = $1 RETURNING name", {account}).empty())
    throw account_refused(write_outcome::unknown_user, "unknown user");
  auto there = read_user(session, account).value();
  if (if_revision.value_or(there.revision) != there.revision)
    throw account_refused(write_outcome::outdated, "the account was changed since");
  return there;
}

// One transaction that is rolled back when it throws account_refused.
registration write_account(database& tables, const std::function<registration(sql_session&)>& what) try {
  registration result;
  tables.write(patience, [&](sql_session& session) { result = what(session); });
  return result;
} catch (const account_refused& refused) {
  return {refused.outcome, {}, refused.what()};
}

// Likewise for a row of the other tables.
registration write_row(database& tables, std::string_view name, const std::function<write_outcome(sql_session&)>& what) try {
  registration result{write_outcome::changed, std::string(name), {}};
  tables.write(patience, [&](sql_session& session) { result.outcome = what(session); });
  return result;
} catch (const row_refused& refused) {
  return {refused.outcome, {}, refused.what()};
}

void write_totals(sql_session& session, const std::string& proxy, const std::map<total_key, share_counts>& sums) {
  std::vector<sql_value> parameters;
  std::size_t rows = 0;
  const auto send = [&] {
    if (rows > 0) (void)session.query(totals_upsert(rows), parameters);
    parameters.clear();
    rows = 0;
  };
  for (const auto& [key, counts] : sums) {
    append_total(parameters, proxy, key, counts);
    if (++rows == totals_rows_a_statement) send();
  }
  send();
}

}  // namespace

sql_store::sql_store(std::unique_ptr<database> tables) : tables_(std::move(tables)) {}

std::shared_ptr<const stratumproxy::account> sql_store::find_account(std::string_view name) {
  if (name.empty() || !is_storable(name, longest_name)) return nullptr;
  std::string its_name(name);
  std::vector<sql_row> rows;
  tables_->read(patience, [&](sql_session& session) {
    const auto select = [&] {
      return session.query(
          fmt::format("SELECT u.revision, r.pool_user, r.pool_password, p.host, p.port, a.name, COALESCE(p.divider, a.divider), "
                      "a.coinb1_index, p.login_template, p.reconnect_hosts, u.mode, r.weight, {} "
                      "FROM users u JOIN user_routes r ON r.account = u.name JOIN pools p ON p.id = r.pool "
                      "JOIN algorithms a ON a.name = p.algorithm WHERE u.name = $1 ORDER BY r.position",
                      link_columns),
          {its_name});
    };
    its_name = name;
    rows = select();
    if (!rows.empty()) return;
    its_name = other_spelling(session, its_name);
    if (!its_name.empty()) rows = select();
  });
  if (rows.empty()) return nullptr;
  auto found = std::make_shared<stratumproxy::account>();
  found->name = its_name;
  found->revision = static_cast<std::uint64_t>(integer_of(rows[0][0]));
  found->mode = link_mode_from_name(text_of(rows[0][10]));
  for (const auto& row : rows) {
    // Plain SQL may have put it there: no miner can be moved to another algorithm, whatever becomes of its pool.
    if (text_of(row[5]) != text_of(rows[0][5])) continue;
    stratumproxy::account_route route;
    route.user = text_of(row[1]);
    route.password = text_of(row[2]);
    route.pool.host = text_of(row[3]);
    route.pool.port = static_cast<std::uint16_t>(integer_of(row[4]));
    route.pool.algorithm = text_of(row[5]);
    route.pool.divider = number_of(row[6]);
    route.pool.coinb1_index = static_cast<unsigned>(integer_of(row[7]));
    route.pool.login_template = text_of(row[8]);
    route.pool.reconnect_hosts = words_of(text_of(row[9]));
    route.weight = static_cast<unsigned>(integer_of(row[11]));
    read_link_columns(route.pool, row.begin() + 12);
    found->routes.push_back(std::move(route));
  }
  return found;
}

registration sql_store::register_user(const author& by, std::span<const route_record> routes,
                                      std::optional<stratumproxy::link_mode> mode) {
  require_routes(routes);
  const auto& first = routes[0];
  return write_account(*tables_, [&](sql_session& session) -> registration {
    const auto pools = pool_ids(session, routes, mode);
    const auto existing = [&] {
      return session.query(
          "SELECT account FROM user_routes WHERE pool = $1 AND pool_user = $2 AND pool_password = $3 AND position = 0",
          {pools[0], first.user, first.password});
    };
    auto rows = existing();
    if (rows.empty()) {
      const auto name = random_account_name();
      (void)session.query("INSERT INTO users (name, mode) VALUES ($1, $2)", {name, mode_column(mode)});
      // Waits for a transaction that inserts the same registration; if that one commits, nothing is inserted here.
      if (insert_routes(session, name, routes, pools)) {
        write_audit(session, by, user_registered(name, routes, mode));
        return {write_outcome::created, name, {}};
      }
      (void)session.query("DELETE FROM users WHERE name = $1", {name});
      rows = existing();
    }
    const auto there = rows.empty() ? std::nullopt : read_user(session, text_of(rows[0][0]));
    if (!there) throw store_unavailable("the account was removed at this moment");
    if (mode && there->mode != mode) throw account_refused(write_outcome::conflict, "the account is there with another mode");
    const bool any_routes = routes.size() == 1 && first.weight == 0;
    if (!any_routes && !std::ranges::equal(with_canonical_pools({routes.begin(), routes.end()}), there->routes))
      throw account_refused(write_outcome::conflict, "the account is there with other routes");
    return {write_outcome::exists, there->name, {}};
  });
}

std::optional<user_record> sql_store::user(std::string_view name) {
  std::optional<user_record> found;
  if (!is_storable(name, longest_name)) return found;
  tables_->read(patience, [&](sql_session& session) {
    found = read_user(session, std::string(name));
    for (const auto& row : session.query(totals_of_accounts("$1"), {std::string(name)}))
      if (found) found->totals = counts_from(row.begin() + 1);
  });
  if (found && found->routes.empty()) found.reset();
  return found;
}

registration sql_store::change_user(const author& by, std::string_view name, const user_change& change) {
  const std::string account(is_storable(name, longest_name) ? name : std::string_view());
  return write_account(*tables_, [&](sql_session& session) -> registration {
    const auto there = lock_user(session, account, change.if_revision);
    const auto routes = change.routes ? with_known_passwords(*change.routes, there.routes) : there.routes;
    const auto mode = change.mode.value_or(there.mode);
    if (routes == there.routes && mode == there.mode) return {write_outcome::exists, account, {}};
    require_routes(routes);
    const auto pools = pool_ids(session, routes, mode);
    require_same_algorithm(session, account, pools[0]);
    if (mode != there.mode)
      (void)session.query("UPDATE users SET mode = $2 WHERE name = $1", {account, mode_column(mode)});
    if (routes != there.routes) {
      (void)session.query("DELETE FROM user_routes WHERE account = $1", {account});
      if (!insert_routes(session, account, routes, pools))
        throw account_refused(write_outcome::conflict, "another account has this first route");
    }
    write_audit(session, by, user_changed(account, change));
    return {write_outcome::changed, account, {}};
  });
}

registration sql_store::remove_user(const author& by, std::string_view name, std::optional<std::uint64_t> if_revision) {
  const std::string account(is_storable(name, longest_name) ? name : std::string_view());
  return write_account(*tables_, [&](sql_session& session) -> registration {
    (void)lock_user(session, account, if_revision);
    (void)session.query("DELETE FROM users WHERE name = $1", {account});
    write_audit(session, by, {"user.remove", account});
    return {write_outcome::changed, account, {}};
  });
}

std::vector<user_record> sql_store::users(const user_filter& which) {
  std::vector<user_record> found;
  tables_->read(patience, [&](sql_session& session) { found = list_users(session, which); });
  return found;
}

// Apart from the totals, whose transaction shall not wait for somebody who changes an account.
void sql_store::note_seen(std::span<const std::string> names, moment now) {
  for (std::size_t first = 0; first < names.size(); first += seen_a_statement)
    tables_->write(totals_patience, [&](sql_session& session) {
      write_seen(session, names.subspan(first, std::min(seen_a_statement, names.size() - first)), now);
    });
}

std::vector<std::string> sql_store::remove_unseen(const author& by, moment since,
                                                  const std::set<std::string, std::less<>>& live, std::size_t most) {
  std::vector<std::string> removed;
  tables_->write(totals_patience, [&](sql_session& session) {
    removed = delete_unseen(session, since, live, most);
    for (const auto& name : removed) write_audit(session, by, {"user.remove", name, "not seen for long"});
  });
  return removed;
}

std::map<std::string, std::uint64_t> sql_store::revisions(std::span<const std::string> names) {
  std::map<std::string, std::uint64_t> found;
  if (names.empty()) return found;
  std::vector<sql_value> parameters(names.begin(), names.end());
  const auto list = parameter_list(parameters);
  tables_->read(patience, [&](sql_session& session) {
    for (const auto& row : session.query(fmt::format("SELECT name, revision FROM users WHERE name IN ({})", list), parameters))
      found[text_of(row[0])] = static_cast<std::uint64_t>(integer_of(row[1]));
  });
  return found;
}

std::unique_ptr<change_feed> sql_store::changes() { return tables_->changes(); }

std::vector<stratumproxy::algorithm::info> sql_store::algorithms() {
  std::vector<stratumproxy::algorithm::info> found;
  tables_->read(patience, [&](sql_session& session) {
    found.clear();
    for (const auto& row : session.query("SELECT name, divider, dialect, coinb1_index, source FROM algorithms ORDER BY name")) {
      stratumproxy::algorithm::info info;
      info.name = text_of(row[0]);
      info.divider = number_of(row[1]);
      info.speaks = dialect_of(row[2]);
      info.coinb1_index = static_cast<unsigned>(integer_of(row[3]));
      info.source = text_of(row[4]);
      found.push_back(std::move(info));
    }
    for (const auto& row : session.query("SELECT alias, algorithm FROM algorithm_aliases ORDER BY alias"))
      for (auto& info : found)
        if (info.name == text_of(row[1])) info.aliases.push_back(text_of(row[0]));
  });
  return found;
}

write_outcome sql_store::add_algorithm(const author& by, const stratumproxy::algorithm::info& value) {
  require_storable(value.name, longest_name, "name");
  if (value.name.empty() || !std::isfinite(value.divider) || value.divider <= 0)
    throw std::invalid_argument("an algorithm needs a name, and a divider above 0");
  auto info = value;
  info.name = lower_case(info.name);
  auto outcome = write_outcome::created;
  tables_->write(patience, [&](sql_session& session) {
    if (insert_algorithm(session, info)) {
      write_audit(session, by, algorithm_added(info));
      outcome = write_outcome::created;
      return;
    }
    const auto there = session.query(
        "SELECT divider, dialect, coinb1_index FROM algorithms WHERE name = $1 "
        "OR name = (SELECT algorithm FROM algorithm_aliases WHERE alias = $1)",
        {info.name});
    const bool same = !there.empty() && number_of(there[0][0]) == info.divider && dialect_of(there[0][1]) == info.speaks &&
                      integer_of(there[0][2]) == info.coinb1_index;
    outcome = same ? write_outcome::exists : write_outcome::conflict;
  });
  return outcome;
}

std::vector<pool_record> sql_store::pools() {
  std::vector<sql_row> rows;
  tables_->read(patience, [&](sql_session& session) {
    rows = session.query(fmt::format(
        "SELECT p.host, p.port, p.algorithm, p.divider, p.login_template, p.reconnect_hosts, p.source, {} FROM pools p "
        "ORDER BY p.host, p.port",
        link_columns));
  });
  std::vector<pool_record> found;
  for (const auto& row : rows) {
    pool_record record;
    record.pool = pool_name(row[0], row[1]);
    record.algorithm = text_of(row[2]);
    if (!is_null(row[3])) record.divider = number_of(row[3]);
    record.login_template = text_of(row[4]);
    record.reconnect_hosts = words_of(text_of(row[5]));
    record.source = text_of(row[6]);
    read_link_columns(record, row.begin() + 7);
    found.push_back(std::move(record));
  }
  return found;
}

write_outcome sql_store::add_pool(const author& by, const pool_record& value) {
  const auto address = parse_pool(value.pool);
  if (!address) throw std::invalid_argument("a pool is host:port");
  if (value.divider && !(std::isfinite(*value.divider) && *value.divider > 0))
    throw std::invalid_argument("the divider is not above 0");
  require_storable(value.login_template, longest_credential, "login template");
  if (!is_storable(value.algorithm, longest_name)) return write_outcome::unknown_algorithm;
  auto row = value;
  row.pool = address->text();
  auto outcome = write_outcome::created;
  tables_->write(patience, [&](sql_session& session) {
    row.algorithm = canonical_algorithm(session, lower_case(value.algorithm));
    if (row.algorithm.empty()) {
      outcome = write_outcome::unknown_algorithm;
      return;
    }
    outcome = write_outcome::created;
    if (insert_pool(session, *address, row.algorithm, row)) return write_audit(session, by, pool_added(row));
    const auto there =
        session.query(fmt::format("SELECT p.algorithm, COALESCE(p.divider, a.divider), p.login_template, p.reconnect_hosts, {} "
                                  "FROM pools p JOIN algorithms a ON a.name = p.algorithm WHERE p.host = $1 AND p.port = $2",
                                  link_columns),
                      {address->host, std::int64_t{address->port}});
    if (there.empty()) throw store_unavailable("the pool was removed at this moment");
    const auto& columns = there[0];
    pool_record links;
    read_link_columns(links, columns.begin() + 4);
    const bool same = text_of(columns[0]) == row.algorithm && (!row.divider || number_of(columns[1]) == *row.divider) &&
                      text_of(columns[2]) == row.login_template && text_of(columns[3]) == host_list(row.reconnect_hosts) &&
                      same_links(links, row);
    outcome = same ? write_outcome::exists : write_outcome::conflict;
  });
  return outcome;
}

std::vector<ban_record> sql_store::bans() {
  std::vector<ban_record> found;
  tables_->read(patience, [&](sql_session& session) { found = read_bans(session); });
  return found;
}

std::uint64_t sql_store::bans_revision() {
  std::uint64_t number = 0;
  tables_->read(patience, [&](sql_session& session) { number = ban_changes(session); });
  return number;
}

write_outcome sql_store::add_ban(const author& by, const ban_record& value) {
  auto outcome = write_outcome::created;
  tables_->write(patience, [&](sql_session& session) {
    outcome = write_ban(session, value);
    if (outcome != write_outcome::full) write_audit(session, by, ban_added(value));
  });
  return outcome;
}

bool sql_store::remove_ban(const author& by, std::string_view subject) {
  bool removed = false;
  if (!is_storable(subject, longest_subject)) return removed;
  tables_->write(patience, [&](sql_session& session) {
    removed = erase_ban(session, std::string(subject));
    if (removed) write_audit(session, by, {"ban.remove", std::string(subject)});
  });
  return removed;
}

registration sql_store::change_pool(const author& by, std::string_view pool, const pool_edit& edit) {
  return write_row(*tables_, pool, [&](sql_session& session) {
    const auto [outcome, note] = put_pool(session, pool, edit, if_missing::refuse);
    if (note) write_audit(session, by, *note);
    return outcome;
  });
}

registration sql_store::remove_pool(const author& by, std::string_view pool,
                                    const std::function<void(const pool_record&)>& check) {
  return write_row(*tables_, pool, [&](sql_session& session) {
    write_audit(session, by, delete_pool(session, pool, check));
    return write_outcome::changed;
  });
}

registration sql_store::change_algorithm(const author& by, std::string_view name, const algorithm_edit& edit) {
  return write_row(*tables_, name, [&](sql_session& session) {
    const auto [outcome, note] = put_algorithm(session, name, edit, if_missing::refuse);
    if (note) write_audit(session, by, *note);
    return outcome;
  });
}

registration sql_store::remove_algorithm(const author& by, std::string_view name,
                                         const std::function<void(const stratumproxy::algorithm::info&)>& check) {
  return write_row(*tables_, name, [&](sql_session& session) {
    write_audit(session, by, delete_algorithm(session, name, check));
    return write_outcome::changed;
  });
}

import_result sql_store::import_tables(const author& by, const table_import& rows) {
  import_result result;
  std::vector<change_note> notes;
  const auto count = [&](const row_change& row) {
    if (row.outcome == write_outcome::created) ++result.created;
    else if (row.outcome == write_outcome::changed) ++result.changed;
    else ++result.unchanged;
    if (row.note) notes.push_back(*row.note);
  };
  const auto done = write_row(*tables_, {}, [&](sql_session& session) {
    result = {};
    notes.clear();
    for (const auto& [name, edit] : rows.algorithms) count(put_algorithm(session, name, edit, if_missing::create));
    for (const auto& [name, edit] : rows.pools) count(put_pool(session, name, edit, if_missing::create));
    if (notes.empty()) return write_outcome::exists;
    write_audit(session, by, tables_imported(notes));
    return write_outcome::changed;
  });
  if (done.outcome != write_outcome::changed && done.outcome != write_outcome::exists) result = {};
  result.outcome = done.outcome;
  result.error = done.error;
  return result;
}

void sql_store::hold_tag(std::string_view tag) {
  const std::string proxy(tag);
  {
    const std::lock_guard guard(totals_mutex_);
    auto& held = held_[proxy];
    if (!held) held = tables_->for_holder_of(proxy);
  }
  tables_of(proxy).read(patience, [](sql_session& session) { (void)session.query("SELECT 1"); });
}

void sql_store::release_tag(std::string_view tag) {
  const std::lock_guard guard(totals_mutex_);
  held_.erase(std::string(tag));
}

database& sql_store::tables_of(const std::string& tag) {
  const std::lock_guard guard(totals_mutex_);
  const auto held = held_.find(tag);
  return held == held_.end() ? *tables_ : *held->second;
}

void sql_store::require_settled(sql_session& session, const std::string& tag) {
  std::string mark;
  {
    const std::lock_guard guard(totals_mutex_);
    const auto found = in_doubt_.find(tag);
    if (found == in_doubt_.end()) return;
    mark = found->second;
  }
  if (!session.has_ended(mark)) throw store_unavailable("the database has not finished an earlier transaction");
  const std::lock_guard guard(totals_mutex_);
  if (const auto found = in_doubt_.find(tag); found != in_doubt_.end() && found->second == mark) in_doubt_.erase(found);
}

void sql_store::add_totals(std::string_view tag, std::span<const total_record> deltas, moment now) {
  const std::string proxy(tag);
  // One row a key, as a statement can take it, and in the order of the keys, so that no two writers wait for each other.
  std::map<total_key, share_counts> sums;
  for (const auto& delta : deltas) sums[{delta.account, delta.pool, delta.algorithm}] += delta.shares;
  std::string mark;
  try {
    tables_of(proxy).write(totals_patience, [&](sql_session& session) {
      require_settled(session, proxy);
      mark = session.transaction_mark();
      write_totals(session, proxy, sums);
      write_history(session, proxy, sums, now);
    });
  } catch (const commit_in_doubt&) {
    const std::lock_guard guard(totals_mutex_);
    in_doubt_[proxy] = mark;
    throw;
  }
}

std::vector<total_record> sql_store::totals(std::string_view tag) {
  const std::string proxy(tag);
  std::vector<sql_row> rows;
  tables_of(proxy).read(totals_patience, [&](sql_session& session) {
    require_settled(session, proxy);
    rows = session.query(totals_select(), {proxy});
  });
  std::vector<total_record> found;
  found.reserve(rows.size());
  for (const auto& row : rows) found.push_back(total_from(row));
  return found;
}

std::vector<history_point> sql_store::history(const history_filter& which) {
  std::vector<history_point> found;
  // Of all accounts it may be a million rows, and nobody else can read an SQLite file meanwhile: a day at a time.
  const auto day = std::chrono::seconds(86'400) / which.step * which.step;
  const auto piece = which.account ? which.to - which.from : std::max(which.step, day);
  auto part = which;
  for (; part.from < which.to; part.from = part.to) {
    part.to = std::min(part.from + piece, which.to);
    std::vector<history_point> points;
    tables_->read(totals_patience, [&](sql_session& session) { points = read_history(session, part); });
    found.insert(found.end(), points.begin(), points.end());
  }
  return found;
}

void sql_store::tend_history(moment now, std::chrono::hours keep) {
  const auto repeat = [&](const auto& hour, moment end, int most) {
    bool more = true;
    for (int i = 0; more && i < most; ++i)
      tables_->write(totals_patience, [&](sql_session& session) { more = hour(session, end); });
  };
  repeat(drop_oldest_hour, now - keep, hours_dropped);
  repeat(thin_oldest_hour, now - fine_history, hours_thinned);
}

void sql_store::ping() {
  tables_->read(patience, [](sql_session& session) { (void)session.query("SELECT 1"); });
}

}  // namespace stratumproxyd
