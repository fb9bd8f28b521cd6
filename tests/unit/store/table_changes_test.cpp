#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "test_database.hpp"

using namespace stratumproxyd;
using store_test::add_account;
using store_test::test_database;
using store_test::tester;
using stratumproxy::link_mode;
using stratumproxy::verify_level;
using stratumproxy::algorithm::info;

namespace {

constexpr const char* pool = "btc.viabtc.io:3333";
constexpr const char* nowhere = "nowhere.example:1";

std::optional<pool_record> pool_of(store& tables, const std::string& name) {
  for (auto& row : tables.pools())
    if (row.pool == name) return row;
  return std::nullopt;
}

std::optional<info> algorithm_of(store& tables, const std::string& name) {
  for (auto& row : tables.algorithms())
    if (row.name == name) return row;
  return std::nullopt;
}

const auto unchecked = [](const auto&) {};

pool_edit sets_algorithm(const std::string& name) {
  return [=](pool_record& row) { row.algorithm = name; };
}

}  // namespace

TEST_CASE("a pool is changed in all its values but its name and source, and its accounts with it") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto name = add_account(*store, pool, "farm", "x").name;
  const auto before = *pool_of(*store, pool);
  const auto revision = store->user(name)->revision;
  CHECK(store->change_pool(tester, pool, [](pool_record&) {}).outcome == write_outcome::exists);
  CHECK(store
            ->change_pool(tester, pool,
                          [](pool_record& row) {
                            row.pool = nowhere;
                            row.source = "mine";
                          })
            .outcome == write_outcome::exists);
  CHECK(store->user(name)->revision == revision);

  const auto edit = [](pool_record& row) {
    row.algorithm = "SHA256";  // an alias
    row.divider = 2.5;
    row.login_template = "{user}";
    row.reconnect_hosts = {"B.example", "a.example"};
    row.mode = link_mode::shared;
    row.verify = verify_level::full;
    row.vardiff = true;
    row.rig_logins = true;
    row.tls.mode = stratumproxy::tls_mode::verify;
  };
  CHECK(store->change_pool(tester, "BTC.viabtc.io:3333", edit).outcome == write_outcome::changed);
  CHECK(store->change_pool(tester, pool, edit).outcome == write_outcome::exists);
  const auto after = *pool_of(*store, pool);
  CHECK(after.algorithm == "sha256d");
  CHECK(after.divider == 2.5);
  CHECK(after.login_template == "{user}");
  CHECK(after.reconnect_hosts == std::vector<std::string>{"b.example", "a.example"});
  CHECK(after.mode == link_mode::shared);
  CHECK(after.verify == verify_level::full);
  CHECK((after.vardiff && after.rig_logins && !after.fixed_difficulty));
  CHECK(after.tls == stratumproxy::pool_tls{.mode = stratumproxy::tls_mode::verify});
  CHECK(after.source == before.source);
  CHECK(store->user(name)->revision == revision + 1);
  CHECK(store->find_account(name)->routes[0].pool.divider == 2.5);
  CHECK(store->change_pool(tester, pool, [](pool_record& row) { row.divider.reset(); }).outcome == write_outcome::changed);
  CHECK_FALSE(pool_of(*store, pool)->divider);
}

TEST_CASE("a change of a pool that its values or its accounts do not bear is refused, and leaves it as it is") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  pool_record mine;
  mine.pool = "mine.example:1";
  mine.algorithm = "scrypt";
  mine.verify = verify_level::full;
  REQUIRE(store->add_pool(tester, mine) == write_outcome::created);
  const auto refused = [&](const pool_edit& edit, const std::string& name = "mine.example:1") {
    const auto result = store->change_pool(tester, name, edit);
    const auto now = *pool_of(*store, "mine.example:1");
    CHECK((now.algorithm == "scrypt" && now.verify == verify_level::full && now.mode == link_mode::dedicated));
    return result;
  };
  CHECK(refused([](auto&) {}, nowhere).outcome == write_outcome::unknown_pool);
  CHECK(refused([](auto&) {}, "nothing").outcome == write_outcome::unknown_pool);
  CHECK(refused(sets_algorithm("none")).outcome == write_outcome::unknown_algorithm);
  CHECK(refused(sets_algorithm("")).outcome == write_outcome::unknown_algorithm);
  const auto uncheckable = refused(sets_algorithm("x13"));
  CHECK(uncheckable.outcome == write_outcome::unsupported);
  CHECK(uncheckable.error == "pool mine.example:1: no hash function is known for x13: verify can be basic or off");
  CHECK_THROWS_AS(refused([](auto& row) { row.divider = 0; }), std::invalid_argument);
  CHECK_THROWS_AS(refused([](auto& row) { row.login_template = std::string(257, 'x'); }), std::invalid_argument);
  CHECK_THROWS_AS(refused([](auto&) { throw std::logic_error("not so"); }), std::logic_error);

  // What its accounts need of it.
  const auto shared = add_account(*store, mine.pool, "farm", "x", link_mode::shared).name;
  const auto basic = refused([](auto& row) { row.verify = verify_level::basic; });
  CHECK(basic.outcome == write_outcome::unsupported);
  CHECK(basic.error.find(shared) != std::string::npos);
  REQUIRE(store->remove_user(tester, shared).outcome == write_outcome::changed);
  const std::vector<route_record> two{{mine.pool, "farm", "x"}, {"ltc.viabtc.io:3333", "farm", "x"}};
  const auto both = store->register_user(tester, two).name;
  const auto mixed = refused(sets_algorithm("sha256d"));
  CHECK(mixed.outcome == write_outcome::unsupported);
  CHECK(mixed.error == "pool mine.example:1: accounts on it have pools of another algorithm than sha256d: " + both);
  REQUIRE(store->remove_user(tester, both).outcome == write_outcome::changed);
  const auto single = add_account(*store, mine.pool, "farm", "x").name;
  const auto unspoken = refused([](auto& row) {
    row.algorithm = "kawpow";
    row.verify = verify_level::basic;
  });
  CHECK(unspoken.outcome == write_outcome::unsupported);
  CHECK(unspoken.error.find("this proxy does not speak") != std::string::npos);
  CHECK(store->change_pool(tester, mine.pool, sets_algorithm("sha256d")).outcome == write_outcome::changed);
  CHECK(store->find_account(single)->routes[0].pool.algorithm == "sha256d");
}

TEST_CASE("a pool is removed when no account has it, and who looks at it first may object") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  std::vector<std::string> users;
  for (int i = 0; i < 5; ++i) users.push_back(add_account(*store, pool, "farm" + std::to_string(i), "x").name);
  std::ranges::sort(users);
  const auto used = store->remove_pool(tester, pool, unchecked);
  CHECK(used.outcome == write_outcome::in_use);
  CHECK(used.error == "accounts have the pool: " + users[0] + ", " + users[1] + ", " + users[2] + " and 2 more");
  for (const auto& name : users) store->remove_user(tester, name);
  std::string shown;
  CHECK_THROWS_AS(store->remove_pool(tester, pool,
                                     [&](const pool_record& row) {
                                       shown = row.pool + ' ' + row.algorithm;
                                       throw std::logic_error("not so");
                                     }),
                  std::logic_error);
  CHECK(shown == std::string(pool) + " sha256d");
  CHECK(store->remove_pool(tester, pool, unchecked).outcome == write_outcome::changed);
  CHECK(store->remove_pool(tester, pool, unchecked).outcome == write_outcome::unknown_pool);
  CHECK_FALSE(pool_of(*database.open(), pool));  // also after a restart
}

TEST_CASE("an algorithm is changed, its aliases too, and the accounts that mine it with it") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto name = add_account(*store, pool, "farm", "x").name;
  const auto revision = store->user(name)->revision;
  const auto source = algorithm_of(*store, "sha256d")->source;
  CHECK(store->change_algorithm(tester, "sha256d", [](info&) {}).outcome == write_outcome::exists);
  CHECK(store
            ->change_algorithm(tester, "sha256d",
                               [](info& row) {
                                 row.name = "other";
                                 row.divider = 2;
                                 row.coinb1_index = 3;
                                 row.aliases = {"New", "new", "sha256d", "other/1"};
                               })
            .outcome == write_outcome::changed);
  const auto after = *algorithm_of(*store, "sha256d");
  CHECK(after.divider == 2);
  CHECK(after.coinb1_index == 3);
  CHECK(after.aliases == std::vector<std::string>{"new", "other/1"});
  CHECK(after.source == source);
  CHECK(store->user(name)->revision == revision + 1);
  CHECK(store->find_account(name)->routes[0].pool.divider == 2);
  CHECK_FALSE(algorithm_of(*store, "other"));

  const auto taken = store->change_algorithm(tester, "sha256d", [](info& row) { row.aliases = {"fine", "x11"}; });
  CHECK(taken.outcome == write_outcome::conflict);
  CHECK(taken.error == "algorithm sha256d: another algorithm has the name or alias x11");
  const auto silent = store->change_algorithm(tester, "sha256d", [](info& row) { row.speaks = stratumproxy::dialect::other; });
  CHECK(silent.outcome == write_outcome::unsupported);
  CHECK(silent.error.find(name) != std::string::npos);
  CHECK(store->change_algorithm(tester, "new", [](info&) {}).outcome == write_outcome::unknown_algorithm);
  CHECK(store->change_algorithm(tester, "", [](info&) {}).outcome == write_outcome::unknown_algorithm);
  CHECK_THROWS_AS(store->change_algorithm(tester, "sha256d", [](info& row) { row.divider = -1; }), std::invalid_argument);
  CHECK(algorithm_of(*store, "sha256d")->aliases == after.aliases);
}

TEST_CASE("an algorithm is removed with its aliases when no pool has it, and stays away") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto used = store->remove_algorithm(tester, "sha256d", unchecked);
  CHECK(used.outcome == write_outcome::in_use);
  CHECK(used.error.starts_with("pools have the algorithm: "));
  info mine;
  mine.name = "mine";
  mine.aliases = {"myown"};
  REQUIRE(store->add_algorithm(tester, mine) == write_outcome::created);
  CHECK_THROWS_AS(store->remove_algorithm(tester, "mine", [](const info&) { throw std::logic_error("not so"); }), std::logic_error);
  CHECK(store->remove_algorithm(tester, "MINE", unchecked).outcome == write_outcome::changed);
  CHECK(store->remove_algorithm(tester, "mine", unchecked).outcome == write_outcome::unknown_algorithm);
  mine.name = "myown";
  mine.aliases = {};
  CHECK(store->add_algorithm(tester, mine) == write_outcome::created);
}

TEST_CASE("an import makes all its rows or none, and a second time changes nothing") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  table_import rows;
  rows.algorithms = {{"mine",
                      [](info& row) {
                        row.divider = 3;
                        row.aliases = {"myown"};
                        row.source = "page";
                      }},
                     {"scrypt", [](info& row) { row.coinb1_index = 4; }},
                     {"sha256d", [](info&) {}}};
  rows.pools = {{"mine.example:1",
                 [](pool_record& row) {
                   row.algorithm = "myown";
                   row.source = "page, 2026";
                 }},
                {pool, [](pool_record& row) { row.login_template = "{user}"; }}};
  const auto first = store->import_tables(tester, rows);
  CHECK(first.outcome == write_outcome::changed);
  CHECK((first.created == 2 && first.changed == 2 && first.unchanged == 1));
  const auto second = store->import_tables(tester, rows);
  CHECK(second.outcome == write_outcome::exists);
  CHECK((second.created == 0 && second.changed == 0 && second.unchanged == 5));
  CHECK(algorithm_of(*store, "mine")->source == "page");
  CHECK(algorithm_of(*store, "mine")->aliases == std::vector<std::string>{"myown"});
  CHECK(pool_of(*store, "mine.example:1")->algorithm == "mine");
  CHECK(pool_of(*store, "mine.example:1")->source == "page, 2026");

  const auto refused = [&](write_outcome why, const std::string& text) {
    rows.algorithms.insert(rows.algorithms.begin(), {"brandnew", [](info& row) { row.divider = 1; }});
    const auto result = store->import_tables(tester, rows);
    CHECK(result.outcome == why);
    CHECK(result.error == text);
    CHECK(result.created == 0);
    CHECK_FALSE(algorithm_of(*store, "brandnew"));
  };
  rows = {};
  rows.algorithms = {{"myown", [](info&) {}}};
  refused(write_outcome::conflict, "algorithm myown: it is an alias of another algorithm");
  rows = {};
  rows.algorithms = {{"second", [](info& row) { row.aliases = {"myown"}; }}};
  refused(write_outcome::conflict, "algorithm second: another algorithm has the name or alias myown");
  rows = {};
  rows.pools = {{nowhere, sets_algorithm("none")}};
  refused(write_outcome::unknown_algorithm, "pool nowhere.example:1: unknown algorithm");
  rows = {};
  rows.pools = {{nowhere, [](pool_record& row) {
                   row.algorithm = "sha256d";
                   row.mode = link_mode::shared;
                 }}};
  refused(write_outcome::unsupported, "pool nowhere.example:1: mode shared needs verify = full, or fixed_difficulty = true");
}

TEST_CASE("what one database has another one takes over, and then has the same") {
  const auto kind = GENERATE(from_range(store_test::kinds()));
  const test_database from(kind), into(kind);
  const auto source = from.open(), target = into.open();
  REQUIRE(source->change_pool(tester, pool, [](pool_record& row) { row.divider = 7; }).outcome == write_outcome::changed);
  REQUIRE(target->remove_pool(tester, "ltc.viabtc.io:3333", unchecked).outcome == write_outcome::changed);
  table_import rows;
  for (const auto& each : source->algorithms()) rows.algorithms.emplace_back(each.name, [each](info& row) { row = each; });
  for (const auto& each : source->pools()) rows.pools.emplace_back(each.pool, [each](pool_record& row) { row = each; });
  const auto result = target->import_tables(tester, rows);
  CHECK(result.error.empty());
  CHECK((result.created == 1 && result.changed == 1));
  CHECK(result.unchanged + 2 == rows.algorithms.size() + rows.pools.size());
  CHECK(source->import_tables(tester, rows).outcome == write_outcome::exists);
  CHECK(pool_of(*target, pool)->divider == 7);
}
