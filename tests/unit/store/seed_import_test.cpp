#include <catch2/catch.hpp>

#include <string>

#include "store/seed_file.hpp"
#include "store/seed_import.hpp"
#include "test_database.hpp"

using namespace stratumproxyd;
using store_test::test_database;
using store_test::tester;

namespace {

seed_report import(const test_database& to, const seed_file& file, seed_mode mode = seed_mode::all_or_nothing) {
  return import_seed(to.url(), SPX_MIGRATIONS_SOURCE_DIR, file, mode, {"command line, user test", "local"}, "proxy.db");
}

pool_record pool_of(store& tables, const std::string& name) {
  for (const auto& row : tables.pools())
    if (row.pool == name) return row;
  FAIL("no pool " << name);
  return {};
}

seed_file farm() {
  seed_file file;
  file.hashes = {{1, "Sha256", 1}, {2, "sha256", 8}, {3, "Home-Made", 256}};
  file.pools = {{4, "One.Example", 3333, 1}, {5, "two.example", 3333, 2}, {6, "three.example", 3333, 3}};
  file.users = {{"00000000000000aa", 4, "w1", "p1"}, {"BB", 5, "w2", ""}, {"c", 6, "w3", "p3"}};
  return file;
}

}  // namespace

TEST_CASE("rows of the Go program keep their names, passwords and dividers") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto report = import(database, farm());
  CHECK(report.is_written);
  CHECK(report.conflicts.empty());
  CHECK(report.accounts.created == 3);
  CHECK(report.pools.created == 3);
  CHECK(report.algorithms.created == 1);
  CHECK(report.algorithms.changed == 1);  // sha256d is called sha256 now

  const auto tables = database.open();
  CHECK(pool_of(*tables, "one.example:3333").algorithm == "sha256");
  CHECK(pool_of(*tables, "one.example:3333").divider == std::nullopt);
  CHECK(pool_of(*tables, "two.example:3333").divider == 8);
  const auto found = tables->find_account("BB");
  REQUIRE(found);
  CHECK(found->routes[0].password.empty());
  CHECK(found->routes[0].pool.divider == 8);
  CHECK(tables->find_account("c")->routes[0].pool.algorithm == "home-made");
  CHECK(tables->find_account("c")->routes[0].pool.divider == 256);
  CHECK(tables->access().audit({}).size() == 1);

  SECTION("a second time nothing happens") {
    const auto again = import(database, farm());
    CHECK(again.is_written);
    CHECK(again.algorithms.created + again.algorithms.changed + again.pools.created + again.pools.changed +
              again.accounts.created ==
          0);
    CHECK(again.accounts.unchanged == 3);
    CHECK(tables->access().audit({}).size() == 1);
  }
  SECTION("sha256d is its alias, and known pools mine it under the new name") {
    pool_record more;
    more.pool = "four.example:1";
    more.algorithm = "sha256d";
    CHECK(tables->add_pool(tester, more) == write_outcome::created);
    CHECK(pool_of(*tables, "four.example:1").algorithm == "sha256");
    CHECK(pool_of(*tables, "btc.viabtc.io:3333").algorithm == "sha256");
  }
  SECTION("an account that was changed since is a conflict, and nothing is done") {
    auto file = farm();
    file.users[0].password = "other";
    file.users.push_back({"dd", 4, "w4", "p4"});
    const auto refused = import(database, file);
    CHECK_FALSE(refused.is_written);
    REQUIRE(refused.conflicts.size() == 1);
    CHECK(refused.conflicts[0] == "account 00000000000000aa: it is here with another pool, user or password");
    CHECK_FALSE(tables->find_account("dd"));
    CHECK(import(database, file, seed_mode::leave_conflicts).is_written);
    CHECK(tables->find_account("dd"));
    CHECK(tables->find_account("00000000000000aa")->routes[0].password == "p1");
  }
}

TEST_CASE("a trial says what would be done, and does nothing") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto tables = database.open();
  const auto report = import(database, farm(), seed_mode::dry_run);
  CHECK_FALSE(report.is_written);
  CHECK(report.accounts.created == 3);
  CHECK(tables->users({}).empty());
  CHECK(tables->access().audit({}).empty());
}

TEST_CASE("an algorithm that accounts mine keeps its name") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  seed_file earlier;
  earlier.hashes = {{1, "sha256d", 1}};
  earlier.pools = {{1, "zero.example", 1, 1}};
  earlier.users = {{"ee", 1, "w", "x"}};
  CHECK(import(database, earlier).is_written);
  const auto report = import(database, farm());
  CHECK(report.is_written);
  CHECK(report.algorithms.changed == 0);
  CHECK(report.notes.size() == 2);  // one a row of that hash
  CHECK(pool_of(*database.open(), "two.example:3333").algorithm == "sha256d");
}

TEST_CASE("a known pool that nobody uses becomes what the file says of it") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  auto file = farm();
  file.pools.push_back({7, "btc.viabtc.io", 3333, 3});
  CHECK(import(database, file).pools.changed == 1);
  const auto tables = database.open();
  CHECK(pool_of(*tables, "btc.viabtc.io:3333").algorithm == "home-made");
  CHECK(pool_of(*tables, "btc.viabtc.io:3333").source.empty());
  CHECK(import(database, file).pools.unchanged == 4);
}

TEST_CASE("a login is found without case where no account has just that name") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  auto file = farm();
  file.users = {{"aBc", 4, "w1", "x"}};
  (void)import(database, file);
  const auto tables = database.open();
  for (const char* spelled : {"aBc", "abc", "ABC"}) {
    const auto found = tables->find_account(spelled);
    REQUIRE(found);
    CHECK(found->name == "aBc");
  }
  CHECK_FALSE(tables->find_account("ab"));
  database.run("INSERT INTO users (name) VALUES ('ABC')");
  CHECK_FALSE(tables->find_account("abc"));  // which of the two is not known
  CHECK(tables->find_account("aBc"));
}
