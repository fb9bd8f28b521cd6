#include "sql_store.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "account_name.hpp"
#include "endpoint.hpp"
#include "link_rules.hpp"
#include "pool_rows.hpp"
#include "text.hpp"
#include "totals_sql.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::metrics::share_counts;

// A person or a miner waits for these, so that they end before a client's own patience does.
constexpr std::chrono::milliseconds patience{1800};
// Nobody waits for the totals, and they may be many.
constexpr std::chrono::seconds totals_patience{5};

void require_storable(std::string_view text, std::size_t limit, const char* what) {
  if (!is_storable(text, limit))
    throw std::invalid_argument(fmt::format("the {} is longer than {} bytes, or not plain UTF-8 text", what, limit));
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(' ', begin), text.size());
    if (end > begin) words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::string pool_name(const sql_value& host, const sql_value& port) {
  stratumproxy::pool_info pool;
  pool.host = text_of(host);
  pool.port = static_cast<std::uint16_t>(integer_of(port));
  return pool.name();
}

constexpr const char* link_columns = "p.mode, p.verify, p.vardiff, p.fixed_difficulty, p.rig_logins";

// `first` is the first of link_columns; To is a pool_record or a pool_info.
template <class To>
void read_link_columns(To& to, sql_row::const_iterator first) {
  to.mode = link_mode_from_name(text_of(first[0])).value_or(to.mode);
  to.verify = verify_level_from_name(text_of(first[1])).value_or(to.verify);
  to.vardiff = flag_of(first[2]);
  to.fixed_difficulty = flag_of(first[3]);
  to.rig_logins = flag_of(first[4]);
}

bool same_links(const pool_record& a, const pool_record& b) {
  const auto values = [](const pool_record& of) {
    return std::tie(of.mode, of.verify, of.vardiff, of.fixed_difficulty, of.rig_logins);
  };
  return values(a) == values(b);
}

stratumproxy::dialect dialect_of(const sql_value& column) {
  const auto known = stratumproxy::dialect_from_name(text_of(column));
  return known ? *known : stratumproxy::dialect::other;
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
  std::vector<sql_row> rows;
  tables_->read(patience, [&](sql_session& session) {
    rows = session.query(
        fmt::format("SELECT u.revision, r.pool_user, r.pool_password, p.host, p.port, a.name, COALESCE(p.divider, a.divider), "
                    "a.coinb1_index, p.login_template, p.reconnect_hosts, u.mode, {} "
                    "FROM users u JOIN user_routes r ON r.account = u.name JOIN pools p ON p.id = r.pool "
                    "JOIN algorithms a ON a.name = p.algorithm WHERE u.name = $1 ORDER BY r.position",
                    link_columns),
        {std::string(name)});
  });
  if (rows.empty()) return nullptr;
  auto found = std::make_shared<stratumproxy::account>();
  found->name = name;
  found->revision = static_cast<std::uint64_t>(integer_of(rows[0][0]));
  found->mode = link_mode_from_name(text_of(rows[0][10]));
  for (const auto& row : rows) {
    stratumproxy::account_route route;
    route.user = text_of(row[1]);
    route.password = text_of(row[2]);
    route.pool.host = text_of(row[3]);
    route.pool.port = static_cast<std::uint16_t>(integer_of(row[4]));
    route.pool.algorithm = text_of(row[5]);
    route.pool.divider = number_of(row[6]);
    route.pool.coinb1_index = static_cast<unsigned>(integer_of(row[7]));
    route.pool.login_template = text_of(row[8]);
    route.pool.reconnect_hosts = split(text_of(row[9]));
    read_link_columns(route.pool, row.begin() + 11);
    found->routes.push_back(std::move(route));
  }
  return found;
}

registration sql_store::register_user(std::string_view pool, std::string_view user, std::string_view password,
                                      std::optional<stratumproxy::link_mode> mode) {
  require_storable(user, longest_credential, "user");
  require_storable(password, longest_credential, "password");
  const auto address = parse_pool(pool);
  registration result;
  result.outcome = write_outcome::unknown_pool;
  result.error = fmt::format("pool {} is not known", address ? pool : std::string_view("of that name"));
  if (!address) return result;

  tables_->write(patience, [&](sql_session& session) {
    const auto pools = session.query(
        fmt::format("SELECT p.id, p.algorithm, a.dialect, {} FROM pools p JOIN algorithms a ON a.name = p.algorithm "
                    "WHERE p.host = $1 AND p.port = $2",
                    link_columns),
        {address->host, std::int64_t{address->port}});
    if (pools.empty()) return;
    if (const auto dialect = text_of(pools[0][2]); dialect != "bitcoin") {
      result.outcome = write_outcome::unsupported;
      result.error = fmt::format("pool {} speaks {}, which this proxy does not speak", pool, dialect);
      return;
    }
    if (mode == stratumproxy::link_mode::shared) {
      pool_record row;
      row.algorithm = text_of(pools[0][1]);
      read_link_columns(row, pools[0].begin() + 3);
      if (const auto fault = link_fault(row, *mode); !fault.empty()) {
        result.outcome = write_outcome::unsupported;
        result.error = fmt::format("pool {}: {}", pool, fault);
        return;
      }
    }
    const sql_value id = integer_of(pools[0][0]);
    const auto existing = [&] {
      return session.query(
          "SELECT r.account, u.mode FROM user_routes r JOIN users u ON u.name = r.account "
          "WHERE r.pool = $1 AND r.pool_user = $2 AND r.pool_password = $3 AND r.position = 0",
          {id, std::string(user), std::string(password)});
    };
    auto rows = existing();
    result.outcome = write_outcome::exists;
    if (rows.empty()) {
      const auto name = random_account_name();
      (void)session.query("INSERT INTO users (name, mode) VALUES ($1, $2)",
                          {name, mode ? sql_value(std::string(stratumproxyd::name(*mode))) : sql_value()});
      // Waits for a transaction that inserts the same registration; if that one commits, nothing is inserted here.
      rows = session.query(
          "INSERT INTO user_routes (account, position, pool, pool_user, pool_password) "
          "VALUES ($1, 0, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING account",
          {name, id, std::string(user), std::string(password)});
      result.outcome = write_outcome::created;
      if (rows.empty()) {
        (void)session.query("DELETE FROM users WHERE name = $1", {name});
        rows = existing();
        result.outcome = write_outcome::exists;
      }
    }
    if (rows.empty()) throw store_unavailable("the account was removed at this moment");
    if (mode && result.outcome == write_outcome::exists && link_mode_from_name(text_of(rows[0][1])) != mode) {
      result.outcome = write_outcome::conflict;
      result.error = "the account is there with another mode";
      return;
    }
    result.name = text_of(rows[0][0]);
    result.error.clear();
  });
  return result;
}

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

write_outcome sql_store::add_algorithm(const stratumproxy::algorithm::info& value) {
  require_storable(value.name, longest_name, "name");
  if (value.name.empty() || !std::isfinite(value.divider) || value.divider <= 0)
    throw std::invalid_argument("an algorithm needs a name, and a divider above 0");
  auto info = value;
  info.name = lower_case(info.name);
  auto outcome = write_outcome::created;
  tables_->write(patience, [&](sql_session& session) {
    if (insert_algorithm(session, info)) {
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
    record.reconnect_hosts = split(text_of(row[5]));
    record.source = text_of(row[6]);
    read_link_columns(record, row.begin() + 7);
    found.push_back(std::move(record));
  }
  return found;
}

write_outcome sql_store::add_pool(const pool_record& value) {
  const auto address = parse_pool(value.pool);
  if (!address) throw std::invalid_argument("a pool is host:port");
  if (value.divider && !(std::isfinite(*value.divider) && *value.divider > 0))
    throw std::invalid_argument("the divider is not above 0");
  require_storable(value.login_template, longest_credential, "login template");
  if (!is_storable(value.algorithm, longest_name)) return write_outcome::unknown_algorithm;
  auto outcome = write_outcome::created;
  tables_->write(patience, [&](sql_session& session) {
    const auto algorithm = canonical_algorithm(session, lower_case(value.algorithm));
    if (algorithm.empty()) {
      outcome = write_outcome::unknown_algorithm;
      return;
    }
    outcome = write_outcome::created;
    if (insert_pool(session, *address, algorithm, value)) return;
    const auto there =
        session.query(fmt::format("SELECT p.algorithm, COALESCE(p.divider, a.divider), p.login_template, p.reconnect_hosts, {} "
                                  "FROM pools p JOIN algorithms a ON a.name = p.algorithm WHERE p.host = $1 AND p.port = $2",
                                  link_columns),
                      {address->host, std::int64_t{address->port}});
    if (there.empty()) throw store_unavailable("the pool was removed at this moment");
    const auto& row = there[0];
    pool_record links;
    read_link_columns(links, row.begin() + 4);
    const bool same = text_of(row[0]) == algorithm && (!value.divider || number_of(row[1]) == *value.divider) &&
                      text_of(row[2]) == value.login_template && text_of(row[3]) == host_list(value.reconnect_hosts) &&
                      same_links(links, value);
    outcome = same ? write_outcome::exists : write_outcome::conflict;
  });
  return outcome;
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

void sql_store::add_totals(std::string_view tag, std::span<const total_record> deltas) {
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

void sql_store::ping() {
  tables_->read(patience, [](sql_session& session) { (void)session.query("SELECT 1"); });
}

}  // namespace stratumproxyd
