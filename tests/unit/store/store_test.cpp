#include <algorithm>
#include <cctype>
#include <cmath>
#include <chrono>
#include <filesystem>
#include <future>
#include <iterator>
#include <limits>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include "endpoint.hpp"
#include "store/known_pools.hpp"
#include "test_database.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using store_test::add_account;
using store_test::test_database;
using store_test::tester;
using stratumproxy::link_mode;
using stratumproxy::tls_mode;
using stratumproxy::verify_level;

namespace {

constexpr const char* pool = "btc.viabtc.io:3333";

}  // namespace

TEST_CASE("a new database knows the algorithms and at least 30 pools of 8 algorithms, each with its source") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();

  const auto algorithms = store->algorithms();
  REQUIRE(algorithms.size() == stratumproxy::algorithm::builtin().size());
  const auto sha = std::find_if(algorithms.begin(), algorithms.end(), [](const auto& a) { return a.name == "sha256d"; });
  REQUIRE(sha != algorithms.end());
  CHECK(std::count(sha->aliases.begin(), sha->aliases.end(), "sha256") == 1);
  CHECK(sha->divider == 1);
  CHECK_FALSE(sha->source.empty());
  for (const auto& shipped : stratumproxy::algorithm::builtin()) {
    const auto kept = std::find_if(algorithms.begin(), algorithms.end(), [&](const auto& a) { return a.name == shipped.name; });
    INFO(shipped.name);
    REQUIRE(kept != algorithms.end());
    CHECK(kept->divider == shipped.divider);
    CHECK(kept->speaks == shipped.speaks);
    CHECK(kept->coinb1_index == shipped.coinb1_index);
    CHECK(std::set(kept->aliases.begin(), kept->aliases.end()) == std::set(shipped.aliases.begin(), shipped.aliases.end()));
  }

  std::set<std::string> used;
  const auto pools = store->pools();
  for (const auto& shipped : known_pools()) {
    const auto kept = std::find_if(pools.begin(), pools.end(), [&](const auto& row) { return row.pool == shipped.pool; });
    INFO(shipped.pool);
    REQUIRE(kept != pools.end());
    used.insert(kept->algorithm);
    CHECK(kept->algorithm == shipped.algorithm);
    CHECK(kept->source == std::string(shipped.source.url) + ", " + std::string(shipped.source.date));
    CHECK(kept->login_template == "{user}.{rig}");
    CHECK(kept->mode == link_mode::dedicated);
    CHECK(kept->verify == verify_level::basic);
    CHECK_FALSE((kept->vardiff || kept->fixed_difficulty || kept->rig_logins));
  }
  CHECK(pools.size() == known_pools().size());
  CHECK(pools.size() >= 30);
  CHECK(used.size() >= 8);
}

TEST_CASE("every known pool is listed once, with host, port, a known algorithm, a page that states it and the page's date") {
  std::set<std::string_view> algorithms;
  for (const auto& info : stratumproxy::algorithm::builtin()) algorithms.insert(info.name);
  const std::regex page("https://[^ /]+\\.[a-z]+/[^ ]+");
  const std::regex date("20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])");
  std::set<std::string_view> seen;
  for (const auto& row : known_pools()) {
    INFO(row.pool);
    CHECK(seen.insert(row.pool).second);
    const auto address = parse_pool(row.pool);
    REQUIRE(address);
    CHECK(address->host + ":" + std::to_string(address->port) == row.pool);
    CHECK(address->host.find('.') != std::string::npos);
    CHECK(algorithms.contains(row.algorithm));
    CHECK(std::regex_match(row.source.url.begin(), row.source.url.end(), page));
    CHECK(std::regex_match(row.source.date.begin(), row.source.date.end(), date));
  }
}

TEST_CASE("a registration gives 16 hex digits that lead to the pool, its algorithm and the credentials") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto made = add_account(*store, "ltc.viabtc.io:3333", "farm", "secret");
  CHECK(made.outcome == write_outcome::created);
  CHECK(made.error.empty());
  REQUIRE(made.name.size() == 16);
  CHECK(made.name.find_first_not_of("0123456789abcdef") == std::string::npos);

  const auto account = store->find_account(made.name);
  REQUIRE(account);
  CHECK(account->name == made.name);
  REQUIRE(account->routes.size() == 1);
  CHECK(account->routes[0].user == "farm");
  CHECK(account->routes[0].password == "secret");
  CHECK(account->routes[0].pool.name() == "ltc.viabtc.io:3333");
  CHECK(account->routes[0].pool.algorithm == "scrypt");
  CHECK(account->routes[0].pool.divider == 65536);
  CHECK(account->routes[0].pool.coinb1_index == 2);
}

TEST_CASE("the same pool, user and password again give the same name, another password or user another") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto first = add_account(*store, pool, "farm", "x");
  const auto again = add_account(*store, "BTC.ViaBTC.io:3333", "farm", "x");
  CHECK(again.outcome == write_outcome::exists);
  CHECK(again.name == first.name);
  const auto other_password = add_account(*store, pool, "farm", "X");
  const auto other_user = add_account(*store, pool, "Farm", "x");
  const auto other_pool = add_account(*store, "bch.viabtc.io:3333", "farm", "x");
  CHECK(std::set<std::string>{first.name, other_password.name, other_user.name, other_pool.name}.size() == 4);
  CHECK(add_account(*store, pool, "", "").outcome == write_outcome::created);
}

TEST_CASE("registering on an unknown pool or one of a dialect that is not built says why") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto unknown = add_account(*store, "no.such.pool:1", "farm", "secret-canary");
  CHECK(unknown.outcome == write_outcome::unknown_pool);
  CHECK(unknown.name.empty());
  CHECK(unknown.error.find("no.such.pool:1") != std::string::npos);
  CHECK(unknown.error.find("canary") == std::string::npos);
  CHECK(add_account(*store, "not a pool", "farm", "x").outcome == write_outcome::unknown_pool);

  const auto unsupported = add_account(*store, "rvn.2miners.com:6060", "farm", "secret-canary");
  CHECK(unsupported.outcome == write_outcome::unsupported);
  CHECK(unsupported.name.empty());
  CHECK(unsupported.error == "pool rvn.2miners.com:6060 speaks kawpow, which this proxy does not speak");
}

TEST_CASE("100 identical registrations at once through two stores give one name") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const std::unique_ptr<store> stores[] = {database.open(), database.open()};
  std::promise<void> start;
  const auto go = start.get_future().share();
  std::vector<std::future<registration>> results;
  for (int i = 0; i < 100; ++i)
    results.push_back(std::async(std::launch::async, [&, i] {
      go.wait();
      return add_account(*stores[i % 2], pool, "farm", "secret");
    }));
  start.set_value();
  std::set<std::string> names;
  int created = 0;
  for (auto& result : results) {
    const auto made = result.get();
    names.insert(made.name);
    created += made.outcome == write_outcome::created;
  }
  CHECK(names.size() == 1);
  CHECK(created == 1);
  CHECK(stores[0]->find_account(*names.begin()));
}

TEST_CASE("two proxies that open an empty database at once both find the tables complete") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  std::promise<void> start;
  const auto go = start.get_future().share();
  std::vector<std::future<std::size_t>> counts;
  for (int i = 0; i < 4; ++i)
    counts.push_back(std::async(std::launch::async, [&] {
      go.wait();
      return database.open()->pools().size();
    }));
  start.set_value();
  for (auto& count : counts) CHECK(count.get() >= 30);
}

TEST_CASE("texts of any content are kept as they are, or refused before they reach the database") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  for (const std::string text :
       {"'; DROP TABLE users; --", "$1 $2", "100%s\\", "grün \xf0\x9f\x98\x80", " x ", "\"", "a\nb\x01"}) {
    const auto made = add_account(*store, pool, text, text);
    REQUIRE(made.outcome == write_outcome::created);
    const auto account = store->find_account(made.name);
    REQUIRE(account);
    CHECK(account->routes[0].user == text);
    CHECK(account->routes[0].password == text);
  }
  const std::string longest(256, 'u');
  CHECK(add_account(*store, pool, longest, longest).outcome == write_outcome::created);
  using namespace std::string_literals;
  for (const std::string& text : {"nul\0"s, "\xff"s, "\xc0\x80"s, "\xed\xa0\x80"s, std::string(257, 'u')}) {
    CHECK_THROWS_AS(add_account(*store, pool, text, "canary-1"), std::invalid_argument);
    CHECK_THROWS_AS(add_account(*store, pool, "farm", text), std::invalid_argument);
    CHECK(store->find_account(text) == nullptr);
  }
  for (const auto& name : {""s, "' OR 1=1 --"s, "%"s, std::string(10000, 'a')}) CHECK(store->find_account(name) == nullptr);
}

TEST_CASE("an account is found by its name in another case, too, but by nothing else") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto made = add_account(*store, pool, "farm", "x");
  auto upper = made.name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto found = store->find_account(upper);
  REQUIRE(found);
  CHECK(found->name == made.name);
  CHECK(store->find_account(made.name + " ") == nullptr);
  CHECK(store->find_account(made.name + std::string(1, '\0')) == nullptr);
}

TEST_CASE("adding an algorithm tells whether it is new, there already, or another one's name") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  stratumproxy::algorithm::info mine;
  mine.name = "MyHash";
  mine.divider = 0.1;
  mine.aliases = {"mh", "scrypt"};
  CHECK(store->add_algorithm(tester, mine) == write_outcome::created);
  CHECK(store->add_algorithm(tester, mine) == write_outcome::exists);
  auto other = mine;
  other.divider = 2;
  CHECK(store->add_algorithm(tester, other) == write_outcome::conflict);
  other = mine;
  other.speaks = stratumproxy::dialect::zcash;
  CHECK(store->add_algorithm(tester, other) == write_outcome::conflict);
  other = mine;
  other.coinb1_index = 3;
  CHECK(store->add_algorithm(tester, other) == write_outcome::conflict);
  mine.name = "sha256";
  mine.divider = 1;
  CHECK(store->add_algorithm(tester, mine) == write_outcome::exists);
  mine.divider = 2;
  CHECK(store->add_algorithm(tester, mine) == write_outcome::conflict);
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    mine.divider = bad;
    CHECK_THROWS_AS(store->add_algorithm(tester, mine), std::invalid_argument);
  }

  const auto all = store->algorithms();
  const auto kept = std::find_if(all.begin(), all.end(), [](const auto& a) { return a.name == "myhash"; });
  REQUIRE(kept != all.end());
  CHECK(kept->divider == 0.1);
  CHECK(kept->aliases == std::vector<std::string>{"mh"});  // "scrypt" is another algorithm
}

TEST_CASE("a pool of the operator's is found in any case, by alias, with its divider, template and hosts") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  pool_record mine;
  mine.pool = "[2001:DB8::1]:3333";
  mine.algorithm = "SHA256";
  mine.divider = 3.5;
  mine.login_template = "{user}/{rig}";
  mine.reconnect_hosts = {"a.example", "b.example"};
  CHECK(store->add_pool(tester, mine) == write_outcome::created);
  CHECK(store->add_pool(tester, mine) == write_outcome::exists);
  auto other = mine;
  other.divider.reset();
  CHECK(store->add_pool(tester, other) == write_outcome::exists);
  other.divider = 4;
  CHECK(store->add_pool(tester, other) == write_outcome::conflict);
  other = mine;
  other.login_template = "{user}";
  CHECK(store->add_pool(tester, other) == write_outcome::conflict);
  other = mine;
  other.reconnect_hosts = {"a.example"};
  CHECK(store->add_pool(tester, other) == write_outcome::conflict);
  other = mine;
  other.algorithm = "scrypt";
  CHECK(store->add_pool(tester, other) == write_outcome::conflict);
  other.algorithm = "no such";
  CHECK(store->add_pool(tester, other) == write_outcome::unknown_algorithm);
  other = mine;
  for (const char* bad : {"", "host", "host:", "host:0", "host:65536", "host:1x", ":1", "a b:1", "2001:db8::1:3333"}) {
    INFO(bad);
    other.pool = bad;
    CHECK_THROWS_AS(store->add_pool(tester, other), std::invalid_argument);
  }

  pool_record plain;
  plain.pool = "plain.example:1";
  plain.algorithm = "scrypt";
  CHECK(store->add_pool(tester, plain) == write_outcome::created);
  plain.divider = 65536;  // the algorithm's
  CHECK(store->add_pool(tester, plain) == write_outcome::exists);
  plain.divider = 1;
  CHECK(store->add_pool(tester, plain) == write_outcome::conflict);

  const auto pools = store->pools();
  const auto kept = std::find_if(pools.begin(), pools.end(), [](const auto& p) { return p.pool == "[2001:db8::1]:3333"; });
  REQUIRE(kept != pools.end());
  CHECK(kept->algorithm == "sha256d");
  CHECK(kept->divider == 3.5);
  CHECK(kept->source.empty());

  const auto made = add_account(*store, "[2001:db8::1]:3333", "farm", "x");
  const auto account = store->find_account(made.name);
  REQUIRE(account);
  const auto& route = account->routes[0].pool;
  CHECK(route.host == "2001:db8::1");
  CHECK(route.name() == "[2001:db8::1]:3333");
  CHECK(route.divider == 3.5);
  CHECK(route.login_template == "{user}/{rig}");
  CHECK(route.reconnect_hosts == mine.reconnect_hosts);
}

TEST_CASE("what a pool says of its links is kept, found with its accounts, and compared value by value") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  pool_record mine;
  mine.pool = "mine.example:1";
  mine.algorithm = "sha256d";
  mine.mode = link_mode::shared;
  mine.verify = verify_level::full;
  mine.vardiff = true;
  mine.rig_logins = true;
  mine.tls = {.mode = tls_mode::pin, .fingerprint = std::string(64, 'b')};
  CHECK(store->add_pool(tester, mine) == write_outcome::created);
  CHECK(store->add_pool(tester, mine) == write_outcome::exists);
  const auto conflicts = [&](auto&& change) {
    auto other = mine;
    change(other);
    return store->add_pool(tester, other) == write_outcome::conflict;
  };
  CHECK(conflicts([](auto& row) { row.mode = link_mode::dedicated; }));
  CHECK(conflicts([](auto& row) { row.verify = verify_level::off; }));
  CHECK(conflicts([](auto& row) { row.vardiff = false; }));
  CHECK(conflicts([](auto& row) { row.fixed_difficulty = true; }));
  CHECK(conflicts([](auto& row) { row.rig_logins = false; }));
  CHECK(conflicts([](auto& row) { row.tls = {.mode = tls_mode::verify}; }));
  CHECK(conflicts([](auto& row) { row.tls.fingerprint = std::string(64, 'c'); }));

  auto fixed = mine;
  fixed.pool = "fixed.example:1";
  fixed.verify = verify_level::off;
  fixed.vardiff = fixed.rig_logins = false;
  fixed.fixed_difficulty = true;
  fixed.tls = {.mode = tls_mode::insecure};
  CHECK(store->add_pool(tester, fixed) == write_outcome::created);

  for (const auto& wanted : {mine, fixed}) {
    const auto rows = store->pools();
    const auto kept = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.pool == wanted.pool; });
    REQUIRE(kept != rows.end());
    const auto account = store->find_account(add_account(*store, wanted.pool, "farm", "x").name);
    REQUIRE(account);
    CHECK_FALSE(account->mode);
    const auto same = [&](const auto& found) {
      return found.mode == wanted.mode && found.verify == wanted.verify && found.vardiff == wanted.vardiff &&
             found.fixed_difficulty == wanted.fixed_difficulty && found.rig_logins == wanted.rig_logins && found.tls == wanted.tls;
    };
    CHECK(same(*kept));
    CHECK(same(account->routes[0].pool));
  }
}

TEST_CASE("an account's own mode is kept; the same account with another mode is a conflict that changes nothing") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  pool_record checked;
  checked.pool = "checked.example:1";
  checked.algorithm = "scrypt";
  checked.verify = verify_level::full;
  REQUIRE(store->add_pool(tester, checked) == write_outcome::created);

  const auto made = add_account(*store, checked.pool, "farm", "x", link_mode::shared);
  CHECK(made.outcome == write_outcome::created);
  for (const std::optional<link_mode> mode : {std::optional<link_mode>(), std::optional(link_mode::shared)}) {
    const auto again = add_account(*store, checked.pool, "farm", "x", mode);
    CHECK(again.outcome == write_outcome::exists);
    CHECK(again.name == made.name);
  }
  const auto other = add_account(*store, checked.pool, "farm", "x", link_mode::dedicated);
  CHECK(other.outcome == write_outcome::conflict);
  CHECK(other.name.empty());
  CHECK(other.error == "the account is there with another mode");
  CHECK(store->find_account(made.name)->mode == link_mode::shared);

  const auto plain = add_account(*store, checked.pool, "plain", "x");
  CHECK(add_account(*store, checked.pool, "plain", "x", link_mode::dedicated).outcome == write_outcome::conflict);
  CHECK_FALSE(store->find_account(plain.name)->mode);
}

TEST_CASE("an account with a mode of shared at a pool whose links cannot be shared is refused") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto refused = add_account(*store, pool, "farm", "x", link_mode::shared);
  CHECK(refused.outcome == write_outcome::unsupported);
  CHECK(refused.name.empty());
  CHECK(refused.error == "pool btc.viabtc.io:3333: mode shared needs verify = full, or fixed_difficulty = true");
  CHECK(add_account(*store, pool, "farm", "x", link_mode::dedicated).outcome == write_outcome::created);
  CHECK(add_account(*store, "rvn.2miners.com:6060", "farm", "x", link_mode::shared).error ==
        "pool rvn.2miners.com:6060 speaks kawpow, which this proxy does not speak");
}

TEST_CASE("a database from before the link modes keeps its rows, and their links as they were") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const store_test::temporary_directory older;
  for (const std::string kind : {"sqlite", "postgresql"}) {
    std::filesystem::create_directory(older.path() / kind);
    for (const std::string file : {"0001_pools_and_accounts.sql", "0002_totals.sql"})
      std::filesystem::copy_file(std::filesystem::path(SPX_MIGRATIONS_SOURCE_DIR) / kind / file, older.path() / kind / file);
  }
  CHECK_THROWS(open_store(database.url(), older.path()));  // its tables are made; this program's statements want newer ones
  database.run("INSERT INTO algorithms (name, divider, dialect) VALUES ('sha256d', 1, 'bitcoin')");
  database.run("INSERT INTO pools (host, port, algorithm) VALUES ('old.example', 1, 'sha256d')");
  database.run("INSERT INTO users (name) VALUES ('0123456789abcdef')");
  database.run("INSERT INTO user_routes (account, position, pool, pool_user, pool_password) "
               "VALUES ('0123456789abcdef', 0, (SELECT id FROM pools), 'farm', 'x')");

  const auto account = database.open()->find_account("0123456789abcdef");
  REQUIRE(account);
  CHECK_FALSE(account->mode);
  const auto& kept = account->routes[0].pool;
  CHECK(kept.name() == "old.example:1");
  CHECK(kept.mode == link_mode::dedicated);
  CHECK(kept.verify == verify_level::basic);
  CHECK_FALSE((kept.vardiff || kept.fixed_difficulty || kept.rig_logins));
}

TEST_CASE("a database from before the weights keeps its accounts, whose changes are seen from then on") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const store_test::temporary_directory older;
  for (const std::string kind : {"sqlite", "postgresql"}) {
    std::filesystem::copy(std::filesystem::path(SPX_MIGRATIONS_SOURCE_DIR) / kind, older.path() / kind);
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(SPX_MIGRATIONS_SOURCE_DIR) / kind))
      if (entry.path().filename() >= "0004") std::filesystem::remove(older.path() / kind / entry.path().filename());
  }
  CHECK_THROWS(open_store(database.url(), older.path()));  // as above
  database.run("INSERT INTO algorithms (name, divider, dialect) VALUES ('sha256d', 1, 'bitcoin')");
  database.run("INSERT INTO pools (host, port, algorithm) VALUES ('btc.viabtc.io', 3333, 'sha256d')");
  database.run("INSERT INTO users (name, revision, mode) VALUES ('0123456789abcdef', 7, 'dedicated')");
  database.run("INSERT INTO user_routes (account, position, pool, pool_user, pool_password) "
               "SELECT '0123456789abcdef', 0, id, 'farm', 'x' FROM pools WHERE host = 'btc.viabtc.io'");

  const auto store = database.open();
  const auto account = store->find_account("0123456789abcdef");
  REQUIRE(account);
  CHECK(account->revision == 7);
  CHECK(account->mode == link_mode::dedicated);
  CHECK(account->routes[0].weight == 0);
  database.run("UPDATE user_routes SET weight = 1");
  CHECK(store->find_account("0123456789abcdef")->revision == 8);
  CHECK_THROWS(database.run("UPDATE user_routes SET weight = 1001"));
  CHECK_THROWS(database.run("UPDATE user_routes SET weight = -1"));
}

TEST_CASE("the tables take no word that the program does not know") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto name = add_account(*database.open(), pool, "farm", "x").name;
  for (const std::string change : {"pools SET mode = 'Shared'", "pools SET mode = NULL", "pools SET verify = 'yes'",
                                   "users SET mode = ''", "pools SET vardiff = NULL"})
    CHECK_THROWS(database.run("UPDATE " + change));
  database.run("UPDATE users SET mode = 'shared'");
  CHECK(database.open()->find_account(name)->mode == link_mode::shared);
}

TEST_CASE("seeded rows that the operator deleted or changed stay so after a restart") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto before = database.open()->pools().size();
  database.run("DELETE FROM pools WHERE host = 'mine.ocean.xyz'");
  database.run("UPDATE pools SET algorithm = 'x11' WHERE host = 'public-pool.io'");
  database.run("UPDATE algorithms SET divider = 42 WHERE name = 'x13'");
  database.run("DELETE FROM algorithms WHERE name = 'tribus'");

  const auto store = database.open();
  const auto pools = store->pools();
  CHECK(pools.size() == before - 1);
  const auto changed = std::find_if(pools.begin(), pools.end(), [](const auto& row) { return row.pool == "public-pool.io:3333"; });
  REQUIRE(changed != pools.end());
  CHECK(changed->algorithm == "x11");
  for (const auto& row : pools) CHECK(row.pool != "mine.ocean.xyz:3334");
  for (const auto& row : store->algorithms()) {
    CHECK(row.name != "tribus");
    if (row.name == "x13") CHECK(row.divider == 42);
  }
}

TEST_CASE("a database of a newer version is refused, with the versions, and left as it is") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto account = add_account(*database.open(), pool, "farm", "x").name;
  database.run("INSERT INTO stratumproxy_schema (version, name, applied_at) VALUES (99, 'future', 'now')");
  const std::filesystem::directory_iterator files(SPX_MIGRATIONS_SOURCE_DIR "/sqlite");
  const auto known = std::distance(begin(files), end(files));
  CHECK_THROWS_WITH(database.open(), Catch::Contains("version 99") && Catch::Contains("knows " + std::to_string(known)));
  database.run("DELETE FROM stratumproxy_schema WHERE version = 99");
  CHECK(database.open()->find_account(account));
}

TEST_CASE("totals add up for each tag, account, pool and algorithm, to the last digit") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  CHECK(store->totals("a").empty());
  total_record delta;
  delta.account = "one";
  delta.pool = pool;
  delta.algorithm = "sha256d";
  delta.shares.sent = 10;
  delta.shares.accepted = 6;
  delta.shares.unknown = 1;
  delta.shares.late = 2;
  delta.shares.pool_accepted = 5;
  for (std::size_t i = 0; i < delta.shares.rejected.size(); ++i) delta.shares.rejected[i] = i + 1;
  delta.shares.sent_one = 0.1;
  delta.shares.accepted_one = 1e300;
  delta.shares.pool_accepted_one = 4503599627370497.5;
  auto other = delta;
  other.account = "two";
  store->add_totals("a", std::vector{delta, other, delta}, {});
  store->add_totals("b", std::vector{delta}, {});
  store->add_totals("a", std::vector{delta}, {});
  store->add_totals("a", {}, {});

  const auto rows = store->totals("a");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].account == "one");
  CHECK(rows[0].pool == pool);
  CHECK(rows[0].algorithm == "sha256d");
  CHECK(rows[0].shares.sent == 30);
  CHECK(rows[0].shares.accepted == 18);
  CHECK(rows[0].shares.unknown == 3);
  CHECK(rows[0].shares.late == 6);
  CHECK(rows[0].shares.pool_accepted == 15);
  for (std::size_t i = 0; i < delta.shares.rejected.size(); ++i) CHECK(rows[0].shares.rejected[i] == 3 * (i + 1));
  CHECK(rows[0].shares.sent_one == 0.1 + 0.1 + 0.1);
  CHECK(rows[1].shares.sent == 10);
  CHECK(rows[1].shares.sent_one == 0.1);
  CHECK(rows[1].shares.accepted_one == 1e300);
  CHECK(rows[1].shares.pool_accepted_one == 4503599627370497.5);
  CHECK(store->totals("b").size() == 1);
  CHECK(database.open()->totals("a").size() == 2);
}

TEST_CASE("totals of 1,000 accounts from two proxies at once all arrive") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const std::unique_ptr<store> stores[] = {database.open(), database.open()};
  std::vector<total_record> deltas(1000);
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    deltas[i].account = "account" + std::to_string((i * 7919) % deltas.size());
    deltas[i].pool = pool;
    deltas[i].algorithm = "sha256d";
    deltas[i].shares.sent = i;
  }
  std::vector<std::future<void>> writers;
  for (int proxy = 0; proxy < 2; ++proxy)
    writers.push_back(std::async(std::launch::async, [&, proxy] {
      for (int round = 0; round < 3; ++round) stores[proxy]->add_totals(proxy ? "b" : "a", deltas, {});
    }));
  for (auto& writer : writers) writer.get();
  for (const char* tag : {"a", "b"}) {
    const auto rows = stores[0]->totals(tag);
    CHECK(rows.size() == 1000);
    std::uint64_t sum = 0;
    for (const auto& row : rows) sum += row.shares.sent;
    CHECK(sum == 3 * 1000 * 999 / 2);
  }
}

TEST_CASE("a tag belongs to one store at a time, and to the next one when that ends") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  auto first = database.open();
  const auto second = database.open();
  first->hold_tag("a");
  CHECK_NOTHROW(first->hold_tag("a"));
  CHECK_THROWS_AS(second->hold_tag("a"), tag_taken);
  CHECK_THROWS_WITH(second->totals("a"), Catch::Contains("another stratumproxyd of this database has the tag a"));
  CHECK_NOTHROW(second->hold_tag("b"));
  total_record delta;
  delta.account = "one";
  delta.shares.sent = 7;
  CHECK_THROWS_AS(second->add_totals("a", std::vector{delta}, {}), tag_taken);
  first->add_totals("a", std::vector{delta}, {});
  CHECK(first->totals("a").size() == 1);

  first.reset();
  CHECK(store_test::held_within(*second, "a", 10s));
  CHECK(second->totals("a").size() == 1);
}

TEST_CASE("a tag that is released is another store's, and can be had again") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto first = database.open(), second = database.open();
  first->release_tag("a");  // which it has not
  first->hold_tag("a");
  first->release_tag("a");
  CHECK(store_test::held_within(*second, "a", 10s));
  CHECK_THROWS_AS(first->hold_tag("a"), tag_taken);
  second->release_tag("a");
  CHECK(store_test::held_within(*first, "a", 10s));
}

TEST_CASE("databases know nothing of each other's tags") {
  const auto kind = GENERATE(from_range(store_test::kinds()));
  const test_database one(kind), other(kind);
  const auto first = one.open(), second = other.open();
  first->hold_tag("a");
  CHECK_NOTHROW(second->hold_tag("a"));
}

TEST_CASE("an open store answers a ping") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  CHECK_NOTHROW(database.open()->ping());
}
