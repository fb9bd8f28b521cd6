#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "test_database.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using store_test::add_account;
using store_test::test_database;
using store_test::tester;

namespace {

constexpr const char* pool = "btc.viabtc.io:3333";
constexpr const char* second_pool = "ltc.viabtc.io:3333";

moment at(std::int64_t seconds) { return moment(std::chrono::seconds(seconds)); }

std::vector<std::string> names(const std::vector<user_record>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.name);
  return out;
}

user_filter only(const std::string& name) {
  user_filter which;
  which.search = name;
  return which;
}

total_record total(const std::string& account, std::uint64_t sent) {
  total_record row;
  row.account = account;
  row.pool = pool;
  row.algorithm = "sha256d";
  row.shares.sent = sent;
  row.shares.accepted = sent - 2;
  row.shares.unknown = 1;
  row.shares.rejected[3] = 1;
  row.shares.accepted_one = 0.25 * static_cast<double>(sent);
  return row;
}

}  // namespace

TEST_CASE("accounts are listed in pages, in the order of their names, with routes and the totals of all proxies") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  CHECK(store->users({}).empty());
  std::vector<std::string> made;
  for (int i = 0; i < 25; ++i) made.push_back(add_account(*store, pool, "farm" + std::to_string(i), "secret").name);
  const auto first = made[0];
  store->add_totals("a", std::vector{total(first, 10), total(made[1], 4)}, {});
  store->add_totals("b", std::vector{total(first, 100)}, {});
  auto elsewhere = total(first, 1'000);
  elsewhere.pool = second_pool;
  store->add_totals("a", std::vector{elsewhere}, {});
  std::ranges::sort(made);

  user_filter which;
  which.limit = 10;
  std::vector<std::string> seen;
  for (;;) {
    const auto page = store->users(which);
    for (const auto& row : page) {
      seen.push_back(row.name);
      REQUIRE(row.routes.size() == 1);
      CHECK(row.routes[0].pool == pool);
      CHECK(row.revision >= 1);
      CHECK(row.created_at.size() == 20);
      CHECK_FALSE(row.last_seen);
    }
    if (page.size() < which.limit) break;
    which.after = page.back().name;
  }
  CHECK(seen == made);

  const auto found = store->users(only(first));
  REQUIRE(found.size() == 1);
  for (const auto& totals : {found[0].totals, store->user(first)->totals}) {
    CHECK(totals.sent == 1'110);
    CHECK(totals.accepted == 1'104);
    CHECK(totals.rejected_total() == 3);
    CHECK(totals.unknown == 3);
    CHECK(totals.accepted_one == 277.5);
  }
}

TEST_CASE("accounts are found by pool, by algorithm, and by how their name or a pool user begins") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto one = add_account(*store, pool, "farm_1%", "x").name;
  const auto two = add_account(*store, pool, "farmX1%", "x").name;
  const std::vector<route_record> routes{{second_pool, "litecoin", "x"}, {"ltc.f2pool.com:3335", "färm", "x"}};
  if (const auto pools = store->pools(); std::ranges::find(pools, "ltc.f2pool.com:3335", &pool_record::pool) == pools.end()) {
    pool_record row;
    row.pool = "ltc.f2pool.com:3335";
    row.algorithm = "scrypt";
    REQUIRE(store->add_pool(tester, row) == write_outcome::created);
  }
  const auto three = store->register_user(tester, routes).name;
  const auto count = [&](auto&& change) {
    user_filter which;
    change(which);
    return names(store->users(which));
  };
  const auto sorted = [](std::vector<std::string> list) {
    std::ranges::sort(list);
    return list;
  };
  CHECK(count([](auto& which) { which.pool = "BTC.viabtc.io:3333"; }) == sorted({one, two}));
  CHECK(count([](auto& which) { which.pool = "ltc.f2pool.com:3335"; }) == std::vector{three});
  CHECK(count([](auto& which) { which.pool = "nowhere"; }).empty());
  CHECK(count([](auto& which) { which.algorithm = "sha256"; }) == sorted({one, two}));  // an alias
  CHECK(count([](auto& which) { which.algorithm = "scrypt"; }) == std::vector{three});
  CHECK(count([](auto& which) { which.algorithm = "none"; }).empty());
  CHECK(count([](auto& which) { which.search = "farm_"; }) == std::vector{one});
  CHECK(count([](auto& which) { which.search = "färm"; }) == std::vector{three});
  CHECK(count([](auto& which) { which.search = "farm%"; }).empty());
  CHECK(count([](auto& which) { which.search = "' OR 1=1 --"; }).empty());
  CHECK(count([&](auto& which) { which.search = two.substr(0, 12); }) == std::vector{two});
  CHECK(count([&](auto& which) {
          which.search = "lite";
          which.algorithm = "scrypt";
          which.pool = second_pool;
        }) == std::vector{three});
  CHECK(count([](auto& which) {
          which.search = "lite";
          which.pool = pool;
        }).empty());
  CHECK(count([](auto& which) { which.search = std::string("\xff"); }).empty());
}

TEST_CASE("that workers were seen is noted, and is no change of the account") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  std::vector<std::string> made;
  for (int i = 0; i < 3; ++i) made.push_back(add_account(*store, pool, "farm" + std::to_string(i), "x").name);
  const auto before = store->user(made[0])->revision;
  store->note_seen(std::vector{made[0], made[1], std::string("gone")}, at(1'767'323'045));
  store->note_seen(std::vector{made[1]}, at(1'767'323'100));
  store->note_seen(std::vector{made[1]}, at(1'767'323'099));  // another proxy's clock
  store->note_seen({}, at(1'767'323'200));
  CHECK(store->user(made[0])->last_seen == at(1'767'323'045));
  CHECK(store->users(only(made[1]))[0].last_seen == at(1'767'323'100));
  CHECK_FALSE(store->user(made[2])->last_seen);
  CHECK(store->user(made[0])->revision == before);
}

TEST_CASE("thousands of accounts are seen at once") {
  const test_database database("sqlite");
  const auto store = database.open();
  std::vector<std::string> many{add_account(*store, pool, "farm", "x").name};
  for (int i = 0; i < 1'500; ++i) many.insert(many.begin(), "other" + std::to_string(i));
  store->note_seen(many, at(7'000));
  CHECK(store->user(many.back())->last_seen == at(7'000));
}

TEST_CASE("accounts that nobody has seen for long are removed, but none that is young or has workers; totals stay") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto add = [&](const std::string& user, const std::string& created, std::optional<std::int64_t> seen) {
    const auto name = add_account(*store, pool, user, "x").name;
    database.run("UPDATE users SET created_at = '" + created + "', last_seen = " + (seen ? std::to_string(*seen) : "NULL") +
                 " WHERE name = '" + name + "'");
    return name;
  };
  const std::string zone = database.schema().empty() ? "" : "+00";
  const auto long_ago = "2020-01-02 03:04:05" + zone, today = "2026-01-02 03:04:05" + zone;
  const auto since = at(1'760'000'000);  // 2025-10-09
  const auto never = add("never", long_ago, std::nullopt);
  const auto unseen = add("unseen", long_ago, 1'759'999'999);
  const auto seen = add("seen", long_ago, 1'760'000'000);
  const auto young = add("young", today, std::nullopt);
  const auto live = add("live", long_ago, 5);
  store->add_totals("a", std::vector{total(unseen, 10)}, {});

  auto removed = store->remove_unseen(tester, since, {live, "x"}, 1);
  REQUIRE(removed.size() == 1);
  const auto rest = store->remove_unseen(tester, since, {live}, 100);
  removed.insert(removed.end(), rest.begin(), rest.end());
  std::ranges::sort(removed);
  std::vector<std::string> expected{never, unseen};
  std::ranges::sort(expected);
  CHECK(removed == expected);
  CHECK(store->remove_unseen(tester, since, {live}, 100).empty());
  for (const auto& name : {seen, young, live}) CHECK(store->user(name));
  CHECK_FALSE(store->find_account(unseen));
  CHECK(store->totals("a").size() == 1);
}

TEST_CASE("the accounts of a database from before last_seen count as seen when it was made newer") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const store_test::temporary_directory older;
  for (const std::string kind : {"sqlite", "postgresql"}) {
    std::filesystem::copy(std::filesystem::path(SPX_MIGRATIONS_SOURCE_DIR) / kind, older.path() / kind);
    for (const auto& entry : std::filesystem::directory_iterator(older.path() / kind))
      if (entry.path().filename() >= "0007") std::filesystem::remove(entry);
  }
  // Its tables are made; today's seeds do not fit into them.
  CHECK_THROWS(open_store(database.url(), older.path()));
  database.run("INSERT INTO algorithms (name, divider, dialect, coinb1_index, source) VALUES ('sha256d', 1, 'bitcoin', 2, '')");
  database.run("INSERT INTO pools (host, port, algorithm, source) VALUES ('btc.viabtc.io', 3333, 'sha256d', '')");
  database.run("INSERT INTO users (name, created_at, revision) VALUES ('0123456789abcdef', '2020-01-02 03:04:05', 7)");
  database.run(
      "INSERT INTO user_routes (account, position, pool, pool_user, pool_password) "
      "SELECT '0123456789abcdef', 0, id, 'farm', 'x' FROM pools WHERE host = 'btc.viabtc.io'");
  const auto store = database.open();
  const auto user = store->user("0123456789abcdef");
  REQUIRE(user);
  CHECK(user->revision == 8);                  // of the route
  CHECK(user->last_seen > at(1'735'689'600));  // 2025
  CHECK(store->remove_unseen(tester, at(1'735'689'600), {}, 10).empty());
}
