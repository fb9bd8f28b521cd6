#include "seed_import.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "algorithm_name.hpp"
#include "audit_rows.hpp"
#include "endpoint.hpp"
#include "open_database.hpp"
#include "pool_rows.hpp"
#include "text.hpp"

namespace stratumproxyd {
namespace {

// A person waits; a file of a hundred thousand accounts takes its time over a network.
constexpr std::chrono::minutes patience{10};
constexpr std::size_t rows_a_statement = 256;

/// Ends the transaction of a report that is not to be written.
struct roll_back {};

// What a miner can log in with: letters, digits and -. Everything else begins a rig's name here; the Go program took hex digits only.
bool can_log_in(std::string_view name) {
  return !name.empty() && name.size() <= longest_name && std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

// For one line of a report: it may hold anything.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, longest_pool)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

class seed_importer {
 public:
  seed_importer(sql_session& session, seed_report& report) : session_(session), report_(report) {}

  void take(const seed_file& file) {
    for (const auto& row : file.hashes) take(row);
    for (const auto& row : file.pools) take(row);
    read_accounts();
    for (const auto& row : file.users) take(row);
    write_accounts();
  }

 private:
  void conflict(std::string text) { report_.conflicts.push_back(std::move(text)); }

  void take(const seed_file::hash& row) {
    const auto name = lower_case(row.name);
    if (!is_algorithm_name(name)) return conflict(fmt::format("hash {}: an algorithm cannot have that name", shown(row.name)));
    if (!std::isfinite(row.divider) || row.divider <= 0)
      return conflict(fmt::format("hash {}: its divider is not above 0", name));
    auto here = canonical_algorithm(session_, name);
    if (here.empty()) {
      stratumproxy::algorithm::info made;
      made.name = name;
      made.divider = row.divider;
      if (!insert_algorithm(session_, made))
        return conflict(fmt::format("hash {}: it is added by another program at this moment", name));
      ++report_.algorithms.created;
      here = name;
    } else if (here != name && !dialects_.contains(here) && is_unused(here)) {
      rename(here, name);
      report_.notes.push_back(fmt::format("algorithm {} is called {} now, as in the file", here, name));
      ++report_.algorithms.changed;
      here = name;
    } else {
      if (here != name)
        report_.notes.push_back(fmt::format("hash {} is called {} here, and stays so", name, here));
      ++report_.algorithms.unchanged;
    }
    const auto found = session_.query("SELECT divider, dialect FROM algorithms WHERE name = $1", {here}).at(0);
    algorithms_[row.id] = {here, row.divider, number_of(found[0]) == row.divider ? std::nullopt : std::optional(row.divider)};
    dialects_[here] = text_of(found[1]);
  }

  bool is_unused(const std::string& algorithm) {
    return session_
               .query("SELECT 1 FROM user_routes r JOIN pools p ON p.id = r.pool WHERE p.algorithm = $1 LIMIT 1", {algorithm})
               .empty() &&
           session_.query("SELECT 1 FROM totals WHERE algorithm = $1 LIMIT 1", {algorithm}).empty();
  }

  // The pools and aliases follow by their foreign keys.
  void rename(const std::string& from, const std::string& to) {
    (void)session_.query("DELETE FROM algorithm_aliases WHERE alias = $1", {to});
    (void)session_.query("UPDATE algorithms SET name = $2 WHERE name = $1", {from, to});
    (void)session_.query("INSERT INTO algorithm_aliases (alias, algorithm) VALUES ($1, $2)", {from, to});
  }

  void take(const seed_file::pool& row) {
    const auto text = fmt::format("{}:{}", shown(row.host), row.port);
    const auto address = parse_pool(fmt::format("{}:{}", row.host, row.port));
    if (!address) return conflict(fmt::format("pool {}: that is no HOST:PORT", text));
    const auto algorithm = algorithms_.find(row.hash);
    if (algorithm == algorithms_.end())
      return conflict(fmt::format("pool {}: its hash is not in the file, or not taken", text));
    const auto& [name, divider, own] = algorithm->second;
    const auto rows = session_.query(
        "SELECT p.id, p.algorithm, COALESCE(p.divider, a.divider), p.source FROM pools p JOIN algorithms a ON "
        "a.name = p.algorithm WHERE p.host = $1 AND p.port = $2",
        {address->host, std::int64_t{address->port}});
    if (rows.empty()) {
      pool_record made;
      made.divider = own;
      if (!insert_pool(session_, *address, name, made))
        return conflict(fmt::format("pool {}: it is added by another program at this moment", text));
      ++report_.pools.created;
    } else if (text_of(rows[0][1]) == name && number_of(rows[0][2]) == divider) {
      ++report_.pools.unchanged;
    } else if (!text_of(rows[0][3]).empty() && !has_accounts(rows[0][0])) {
      // It came along with this program; the operator knows better what he used.
      sql_value value;
      if (own) value = *own;
      (void)session_.query("UPDATE pools SET algorithm = $2, divider = $3, source = '' WHERE id = $1",
                           {rows[0][0], name, value});
      ++report_.pools.changed;
    } else {
      return conflict(fmt::format("pool {} is here with algorithm {} and divider {}, and in the file with {} and {}",
                                  address->text(), text_of(rows[0][1]), exact_text(number_of(rows[0][2])), name,
                                  exact_text(divider)));
    }
    const auto id =
        session_.query("SELECT id FROM pools WHERE host = $1 AND port = $2", {address->host, std::int64_t{address->port}})
            .at(0)[0];
    pools_[row.id] = {integer_of(id), address->text(), dialects_[name]};
  }

  bool has_accounts(const sql_value& pool) {
    return !session_.query("SELECT 1 FROM user_routes WHERE pool = $1 LIMIT 1", {integer_of(pool)}).empty();
  }

  void take(const seed_file::user& row) {
    const auto refuse = [&](std::string_view why) { conflict(fmt::format("account {}: {}", shown(row.name), why)); };
    if (!can_log_in(row.name)) return refuse("no miner can log in with that name: letters, digits and - are, 64 at most");
    const auto pool = pools_.find(row.pool);
    if (pool == pools_.end()) return refuse("its pool is not in the file, or not taken");
    const auto& [id, pool_name, dialect] = pool->second;
    if (dialect != "bitcoin")
      return refuse(fmt::format("pool {} speaks {}, which this proxy does not speak", pool_name, dialect));
    if (row.user.empty()) return refuse("its user is empty");
    if (!is_storable(row.user, longest_credential) || !is_storable(row.password, longest_credential))
      return refuse(fmt::format("its user or password is longer than {} bytes, or not plain UTF-8 text", longest_credential));
    const credential given{id, row.user, row.password};
    if (const auto there = accounts_.find(lower_case(row.name)); there != accounts_.end()) {
      const auto& here = there->second;
      if (here.name != row.name) return refuse(fmt::format("it is here as {}", here.name));
      if (here.routes != std::vector{given}) return refuse("it is here with another pool, user or password");
      ++report_.accounts.unchanged;
      return;
    }
    if (const auto taken = owners_.find(given); taken != owners_.end())
      return refuse(fmt::format("account {} has its pool, user and password here", taken->second));
    accounts_[lower_case(row.name)] = {row.name, {given}};
    owners_[given] = row.name;
    made_.emplace_back(row.name, given);
    ++report_.accounts.created;
  }

  void read_accounts() {
    for (const auto& row : session_.query("SELECT u.name, r.pool, r.pool_user, r.pool_password, r.position FROM users u "
                                          "LEFT JOIN user_routes r ON r.account = u.name ORDER BY u.name, r.position")) {
      const auto name = text_of(row[0]);
      auto& here = accounts_[lower_case(name)];
      here.name = name;
      if (is_null(row[1])) continue;
      const credential route{integer_of(row[1]), text_of(row[2]), text_of(row[3])};
      here.routes.push_back(route);
      if (integer_of(row[4]) == 0) owners_[route] = name;
    }
  }

  void write_accounts() {
    for (std::size_t first = 0; first < made_.size(); first += rows_a_statement) {
      std::string names, routes;
      std::vector<sql_value> name_values, route_values;
      for (std::size_t i = first; i < std::min(first + rows_a_statement, made_.size()); ++i) {
        const auto& [name, route] = made_[i];
        const auto at = route_values.size();
        const auto* const comma = i > first ? ", " : "";
        name_values.emplace_back(name);
        names += fmt::format("{}(${})", comma, name_values.size());
        for (sql_value value : {sql_value(name), sql_value(route.pool), sql_value(route.user), sql_value(route.password)})
          route_values.push_back(std::move(value));
        routes += fmt::format("{}(${}, 0, ${}, ${}, ${})", comma, at + 1, at + 2, at + 3, at + 4);
      }
      (void)session_.query("INSERT INTO users (name) VALUES " + names, name_values);
      (void)session_.query("INSERT INTO user_routes (account, position, pool, pool_user, pool_password) VALUES " + routes,
                           route_values);
    }
  }

  struct algorithm_of_file {
    std::string name;
    double divider = 1;
    std::optional<double> own;  // what its pools get, where the algorithm has another divider here
  };
  struct pool_of_file {
    std::int64_t id = 0;
    std::string name, dialect;
  };

  struct credential {
    std::int64_t pool = 0;
    std::string user, password;
    auto operator<=>(const credential&) const = default;
  };
  struct account_here {
    std::string name;
    std::vector<credential> routes;
  };

  sql_session& session_;
  seed_report& report_;
  // By their ids in the file: what stands for them here.
  std::map<std::int64_t, algorithm_of_file> algorithms_;
  std::map<std::int64_t, pool_of_file> pools_;
  std::map<std::string, std::string> dialects_;   // of algorithms that rows of the file stand for
  std::map<std::string, account_here> accounts_;  // by their names in lower case
  std::map<credential, std::string> owners_;      // of first routes
  std::vector<std::pair<std::string, credential>> made_;
};

std::string in_words(const seed_report& report) {
  const auto text = [](const char* what, const seed_report::counts& of) {
    return fmt::format("{}: {} created, {} changed, {} unchanged", what, of.created, of.changed, of.unchanged);
  };
  return fmt::format("{}; {}; {}; {} left out", text("algorithms", report.algorithms), text("pools", report.pools),
                     text("accounts", report.accounts), report.conflicts.size());
}

bool changes_something(const seed_report& report) {
  const auto any = [](const seed_report::counts& of) { return of.created + of.changed > 0; };
  return any(report.algorithms) || any(report.pools) || any(report.accounts);
}

}  // namespace

seed_report import_seed(const std::string& url, const std::string& migrations, const seed_file& file, seed_mode mode,
                        const author& by, const std::string& name) {
  const auto tables = open_database(url);
  (void)bring_up_to_date(*tables, migrations);
  seed_report report;
  try {
    tables->write(patience, [&](sql_session& session) {
      report = {};
      seed_importer(session, report).take(file);
      if (mode == seed_mode::dry_run || (mode == seed_mode::all_or_nothing && !report.conflicts.empty())) throw roll_back();
      if (changes_something(report)) write_audit(session, by, {"seed.import", name, in_words(report)});
    });
    report.is_written = true;
  } catch (const roll_back&) {
  }
  return report;
}

}  // namespace stratumproxyd
