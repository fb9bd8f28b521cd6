#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "store/sqlite_feed.hpp"
#include "test_database.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using store_test::add_account;
using store_test::test_database;
using store_test::tester;

namespace {

constexpr const char* pool = "btc.viabtc.io:3333";

/// Two accounts on two pools of two algorithms, and a feed that has told its first `any`.
struct bench {
  explicit bench(const std::string& kind) : database(kind) {
    feed = kind == "sqlite" ? watch_sqlite(database.file(), 5ms) : tables->changes();
    CHECK(store_test::tells(*feed));
  }
  [[nodiscard]] bool names_accounts() const { return !database.schema().empty(); }
  [[nodiscard]] std::uint64_t revision(const std::string& of) const {
    const auto found = tables->revisions(std::vector{of});
    return found.empty() ? 0 : found.at(of);
  }
  [[nodiscard]] bool tells(const std::string& of, std::chrono::milliseconds limit = 10s) const {
    return store_test::tells(*feed, names_accounts() ? of : std::string(), limit);
  }
  [[nodiscard]] bool tells_nothing() const { return !tells(name, 100ms); }

  test_database database;
  std::unique_ptr<store> tables = database.open();
  std::string name = add_account(*tables, pool, "farm", "x").name;
  std::string other = add_account(*tables, "ltc.viabtc.io:3333", "farm", "x").name;
  std::unique_ptr<change_feed> feed;
};

}  // namespace

TEST_CASE("whatever plain SQL changes of an account, its pools or their algorithm raises its revision and is told") {
  const bench b(GENERATE(from_range(store_test::kinds())));
  const std::string of_account = " WHERE account = '" + b.name + "'";
  const std::string of_pool = " WHERE host = 'btc.viabtc.io'";
  const auto untouched = b.revision(b.other);
  for (const std::string& sql : std::initializer_list<std::string>{
           "UPDATE users SET mode = 'dedicated' WHERE name = '" + b.name + "'",
           "UPDATE users SET mode = NULL WHERE name = '" + b.name + "'",
           "INSERT INTO user_routes (account, position, pool, pool_user, pool_password, weight) "
           "SELECT '" + b.name + "', 1, id, 'farm', 'x', 5 FROM pools WHERE host = 'bch.viabtc.io'",
           "UPDATE user_routes SET weight = 7" + of_account + " AND position = 1",
           "UPDATE user_routes SET pool_password = 'y'" + of_account,
           "UPDATE pools SET verify = 'full'" + of_pool,
           "UPDATE pools SET mode = 'shared'" + of_pool,
           "UPDATE pools SET vardiff = NOT vardiff" + of_pool,
           "UPDATE pools SET fixed_difficulty = NOT fixed_difficulty" + of_pool,
           "UPDATE pools SET rig_logins = NOT rig_logins" + of_pool,
           "UPDATE pools SET tls = 'insecure'" + of_pool,
           "UPDATE pools SET tls = 'pin', tls_fingerprint = '" + std::string(64, 'a') + "'" + of_pool,
           "UPDATE pools SET divider = 2" + of_pool,
           "UPDATE pools SET login_template = '{user}'" + of_pool,
           "UPDATE pools SET reconnect_hosts = 'a.example'" + of_pool,
           "UPDATE pools SET port = 3334 WHERE host = 'bch.viabtc.io' AND port = 3333",
           "UPDATE algorithms SET divider = 3 WHERE name = 'sha256d'",
           "UPDATE algorithms SET coinb1_index = 3 WHERE name = 'sha256d'",
           "DELETE FROM user_routes" + of_account + " AND position = 1",
           "UPDATE pools SET host = 'moved.example'" + of_pool}) {
    INFO(sql);
    const auto before = b.revision(b.name);
    b.database.run(sql);
    CHECK(b.revision(b.name) > before);
    CHECK(b.tells(b.name));
  }
  CHECK(b.tables->find_account(b.name)->routes[0].pool.name() == "moved.example:3333");
  CHECK(b.revision(b.other) == untouched);
  b.database.run("DELETE FROM users WHERE name = '" + b.name + "'");
  CHECK(b.tables->find_account(b.name) == nullptr);
  CHECK(b.tells(b.name));
  CHECK(b.tells_nothing());
}

TEST_CASE("what changes nothing of an account is not told") {
  const bench b(GENERATE(from_range(store_test::kinds())));
  const auto before = b.revision(b.name);
  for (const char* sql : {"UPDATE users SET mode = mode", "UPDATE user_routes SET weight = weight, pool_user = pool_user",
                          "UPDATE pools SET verify = verify, divider = divider", "UPDATE algorithms SET divider = divider",
                          "UPDATE pools SET source = 'me'", "UPDATE pools SET verify = 'full' WHERE host = 'bch.viabtc.io'",
                          "UPDATE algorithms SET divider = 2 WHERE name = 'x11'"})
    b.database.run(sql);
  total_record total;
  total.account = b.name;
  b.tables->add_totals("a", std::vector{total}, {});
  b.tables->note_seen(std::vector{b.name}, moment(std::chrono::seconds(1'767'323'045)));
  CHECK(b.tells_nothing());
  CHECK(b.revision(b.name) == before);
}

TEST_CASE("changes that the program itself makes are told as those of others are") {
  const bench b(GENERATE(from_range(store_test::kinds())));
  REQUIRE(b.tables->change_user(tester, b.name, {.routes = {}, .mode = {stratumproxy::link_mode::dedicated}}).outcome == write_outcome::changed);
  CHECK(b.tells(b.name));
  CHECK(b.tells(add_account(*b.tables, pool, "farm", "new").name));
  CHECK(b.tells(add_account(*b.database.open(), pool, "farm", "newer").name));
  REQUIRE(b.tables->remove_user(tester, b.name).outcome == write_outcome::changed);
  CHECK(b.tells(b.name));
}

TEST_CASE("an algorithm that is renamed and an account that is renamed are told") {
  const bench b(GENERATE(from_range(store_test::kinds())));
  const std::string begin = b.names_accounts() ? "" : "PRAGMA foreign_keys = ON;";
  const auto before = b.revision(b.name);
  b.database.run(begin + "UPDATE algorithms SET name = 'renamed' WHERE name = 'sha256d'");
  CHECK(b.revision(b.name) > before);
  CHECK(b.tables->find_account(b.name)->routes[0].pool.algorithm == "renamed");
  CHECK(b.tells(b.name));

  b.database.run(begin + "UPDATE users SET name = 'new' WHERE name = '" + b.name + "'");
  CHECK(b.tells("new"));
  CHECK(b.tables->find_account("new"));
}

TEST_CASE("an account that the sqlite3 command line deletes leaves no route behind") {
  const bench b("sqlite");
  b.database.run("DELETE FROM users WHERE name = '" + b.name + "'");
  CHECK(add_account(*b.tables, pool, "farm", "x").outcome == write_outcome::created);
}

TEST_CASE("a writer with another search_path raises revisions too, and a TRUNCATE is told") {
  if (store_test::postgresql_url().empty()) return;
  const bench b("postgresql");
  const auto before = b.revision(b.name);
  b.database.run("SET search_path = pg_catalog; UPDATE " + b.database.schema() + ".pools SET verify = 'off' WHERE host = 'btc.viabtc.io'");
  CHECK(b.revision(b.name) > before);
  CHECK(b.tells(b.name));

  b.database.run("TRUNCATE user_routes");
  CHECK(b.tells(b.other));
  b.database.run("TRUNCATE users CASCADE");
  CHECK(store_test::tells(*b.feed));
}

TEST_CASE("a feed ends its wait in time when there is nothing to tell") {
  const bench b(GENERATE(from_range(store_test::kinds())));
  const auto before = std::chrono::steady_clock::now();
  CHECK(b.tells_nothing());
  CHECK(std::chrono::steady_clock::now() - before < 2s);
}

TEST_CASE("an SQLite feed waits for a file that cannot be opened yet") {
  const test_database database("sqlite");
  const auto feed = watch_sqlite(database.file(), 5ms);
  CHECK_FALSE(store_test::tells(*feed, {}, 30ms));
  const auto store = database.open();
  CHECK(store_test::tells(*feed));
}
