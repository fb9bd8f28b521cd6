#include <algorithm>
#include <future>
#include <memory>
#include <regex>
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

namespace {

constexpr const char* first_pool = "btc.viabtc.io:3333";
constexpr const char* second_pool = "bch.viabtc.io:3333";
constexpr const char* scrypt_pool = "ltc.viabtc.io:3333";
constexpr const char* kawpow_pool = "rvn.2miners.com:6060";

std::vector<route_record> two_routes() { return {{first_pool, "farm", "secret", 2}, {second_pool, "farm2", "secret2", 1}}; }

user_change to_routes(std::vector<user_change::route> routes) { return {.routes = std::move(routes), .mode = {}}; }
user_change to_mode(std::optional<link_mode> mode) { return {.routes = {}, .mode = {mode}}; }

std::uint64_t revision_of(store& tables, const std::string& name) { return tables.revisions(std::vector{name}).at(name); }

}  // namespace

TEST_CASE("an account has its routes in their order, with their weights") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  auto routes = two_routes();
  routes.push_back({first_pool, "other", "", 0});
  const auto made = store->register_user(tester, routes, link_mode::dedicated);
  REQUIRE(made.outcome == write_outcome::created);

  const auto account = store->find_account(made.name);
  REQUIRE(account);
  REQUIRE(account->routes.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(account->routes[i].pool.name() == routes[i].pool);
    CHECK(account->routes[i].user == routes[i].user);
    CHECK(account->routes[i].password == routes[i].password);
    CHECK(account->routes[i].weight == routes[i].weight);
  }
  const auto user = store->user(made.name);
  REQUIRE(user);
  CHECK(user->name == made.name);
  CHECK(user->revision == account->revision);
  CHECK(user->revision >= 1);
  CHECK(user->mode == link_mode::dedicated);
  CHECK(user->routes == routes);
  CHECK(std::regex_match(user->created_at, std::regex("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")));
  CHECK_FALSE(store->user("nobody"));
  CHECK_FALSE(store->user(std::string(1, '\0')));
}

TEST_CASE("the pools of an account stay of its algorithm") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto made = store->register_user(tester, two_routes());
  const auto before = store->user(made.name);
  const auto refused = store->change_user(tester, made.name, to_routes({{scrypt_pool, "farm", "x"}}));
  CHECK(refused.outcome == write_outcome::unsupported);
  CHECK(refused.error == "the account's miners mine sha256d, and not scrypt: register another account for that");
  CHECK(store->user(made.name)->routes == before->routes);
}

TEST_CASE("a route of another algorithm, which only plain SQL can make, is left out") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto made = store->register_user(tester, two_routes());
  database.run("UPDATE pools SET algorithm = 'scrypt' WHERE host = 'bch.viabtc.io' AND port = 3333");
  auto account = store->find_account(made.name);
  REQUIRE(account);
  REQUIRE(account->routes.size() == 1);
  CHECK(account->routes[0].pool.name() == first_pool);
  database.run("UPDATE user_routes SET position = 2 - position WHERE account = '" + made.name + "'");
  account = store->find_account(made.name);
  REQUIRE(account->routes.size() == 1);
  CHECK(account->routes[0].pool.algorithm == "scrypt");
}

TEST_CASE("the first route says whether an account is there; other routes or weights are a conflict, one route agrees with any") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto made = store->register_user(tester, two_routes());
  auto upper = two_routes();
  upper[0].pool = "BTC.ViaBTC.io:3333";
  for (const auto& same : {two_routes(), upper}) {
    const auto again = store->register_user(tester, same);
    CHECK(again.outcome == write_outcome::exists);
    CHECK(again.name == made.name);
  }
  CHECK(add_account(*store, first_pool, "farm", "secret").name == made.name);

  auto weights = two_routes();
  weights[1].weight = 7;
  auto fewer = two_routes();
  fewer.pop_back();
  for (const auto& other : {weights, fewer}) {
    const auto refused = store->register_user(tester, other);
    CHECK(refused.outcome == write_outcome::conflict);
    CHECK(refused.name.empty());
    CHECK(refused.error == "the account is there with other routes");
  }
  CHECK(store->user(made.name)->routes == two_routes());
}

TEST_CASE("routes that no account can have are refused, and nothing is written") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto made = add_account(*store, first_pool, "farm", "x");
  const auto before = revision_of(*store, made.name);
  const auto refused = [&](const std::string& pool, const std::string& user, write_outcome outcome, const std::string& error) {
    const auto registered = store->register_user(tester, std::vector<route_record>{{first_pool, "new", "x"}, {pool, user, "y"}});
    const auto changed = store->change_user(tester, made.name, to_routes({{first_pool, "new", "x"}, {pool, user, "y"}}));
    for (const auto& result : {registered, changed}) {
      CHECK(result.outcome == outcome);
      CHECK(result.name.empty());
      CHECK(result.error == error);
    }
  };
  refused(scrypt_pool, "farm", write_outcome::unsupported,
          "pool btc.viabtc.io:3333 mines sha256d and pool ltc.viabtc.io:3333 mines scrypt: the pools of an account mine the same");
  refused(kawpow_pool, "farm", write_outcome::unsupported, "pool rvn.2miners.com:6060 speaks kawpow, which this proxy does not speak");
  refused("no.such.pool:1", "farm", write_outcome::unknown_pool, "pool no.such.pool:1 is not known");
  refused("not a pool", "farm", write_outcome::unknown_pool, "pool of that name is not known");
  refused(first_pool, "new", write_outcome::conflict, "pool btc.viabtc.io:3333 is there twice with the same user");

  std::vector<route_record> many;
  for (std::size_t i = 0; i <= stratumproxy::account::max_routes; ++i) many.push_back({first_pool, std::to_string(i), "x"});
  CHECK_THROWS_AS(store->register_user(tester, many), std::invalid_argument);
  CHECK_THROWS_AS(store->register_user(tester, {}), std::invalid_argument);
  CHECK_THROWS_AS(store->change_user(tester, made.name, to_routes({})), std::invalid_argument);
  CHECK_THROWS_AS(store->change_user(tester, made.name, to_routes({{first_pool, "farm", "x", 1001}})), std::invalid_argument);
  CHECK_THROWS_AS(store->change_user(tester, made.name, to_routes({{first_pool, std::string(257, 'u'), "x"}})), std::invalid_argument);
  CHECK(revision_of(*store, made.name) == before);
  CHECK(add_account(*store, first_pool, "new", "x").outcome == write_outcome::created);

  many.pop_back();
  CHECK(store->register_user(tester, many).outcome == write_outcome::created);
}

TEST_CASE("changed routes and modes are kept; a change to what is there already changes nothing") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto name = store->register_user(tester, two_routes()).name;
  auto revision = revision_of(*store, name);
  const auto apply = [&](const user_change& change) {
    const auto result = store->change_user(tester, name, change);
    CHECK(result.error.empty());
    CHECK(result.name == name);
    const auto now_is = revision_of(*store, name);
    CHECK((now_is > revision) == (result.outcome == write_outcome::changed));
    revision = now_is;
    return result.outcome;
  };
  CHECK(apply({}) == write_outcome::exists);
  CHECK(apply(to_mode(std::nullopt)) == write_outcome::exists);
  CHECK(apply(to_mode(link_mode::dedicated)) == write_outcome::changed);
  CHECK(apply(to_mode(link_mode::dedicated)) == write_outcome::exists);
  CHECK(store->user(name)->mode == link_mode::dedicated);
  CHECK(store->user(name)->routes == two_routes());
  CHECK(apply(to_mode(std::nullopt)) == write_outcome::changed);
  CHECK_FALSE(store->user(name)->mode);

  // Passwords that are not given stay, wherever the route goes.
  CHECK(apply(to_routes({{"BTC.viabtc.io:3333", "farm", {}, 2}, {second_pool, "farm2", {}, 1}})) == write_outcome::exists);
  CHECK(apply(to_routes({{second_pool, "farm2", {}, 5}, {first_pool, "farm", "new", 0}, {first_pool, "third", "", 1}})) ==
        write_outcome::changed);
  CHECK(store->user(name)->routes == std::vector<route_record>{{second_pool, "farm2", "secret2", 5},
                                                               {first_pool, "farm", "new", 0},
                                                               {first_pool, "third", "", 1}});
  CHECK(apply(to_routes({{second_pool, "fourth", "x"}})) == write_outcome::changed);
  CHECK(store->find_account(name)->routes.size() == 1);
}

TEST_CASE("a change is refused for an account that is not there, a password that is not known and a first route that is taken") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto name = add_account(*store, first_pool, "farm", "x").name;
  const auto other = add_account(*store, second_pool, "farm", "x").name;
  const auto before = store->revisions(std::vector{name, other});
  REQUIRE(before.size() == 2);

  for (const std::string& unknown : {std::string("nobody"), std::string(), std::string("\xff"), std::string(100, 'a')})
    CHECK(store->change_user(tester, unknown, to_mode(link_mode::dedicated)).outcome == write_outcome::unknown_user);
  const auto no_password = store->change_user(tester, name, to_routes({{first_pool, "farm", {}}, {first_pool, "other", {}}}));
  CHECK(no_password.outcome == write_outcome::conflict);
  CHECK(no_password.error == "a password for pool btc.viabtc.io:3333 is not given, and not known");
  const auto taken = store->change_user(tester, name, to_routes({{second_pool, "farm", "x"}}));
  CHECK(taken.outcome == write_outcome::conflict);
  CHECK(taken.error == "another account has this first route");
  CHECK(store->revisions(std::vector{name, other}) == before);
  CHECK(store->user(name)->routes == std::vector<route_record>{{first_pool, "farm", "x"}});

  // As a fall-back two accounts may have it.
  CHECK(store->change_user(tester, name, to_routes({{first_pool, "farm", "x"}, {second_pool, "farm", "x"}})).outcome == write_outcome::changed);
}

TEST_CASE("mode shared wants pools that can share their links, whether the mode comes first or the pools") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  database.run("UPDATE pools SET verify = 'full' WHERE host = 'btc.viabtc.io'");
  const std::string fault = "pool bch.viabtc.io:3333: mode shared needs verify = full, or fixed_difficulty = true";
  CHECK(store->register_user(tester, two_routes(), link_mode::shared).error == fault);

  const auto name = store->register_user(tester, two_routes()).name;
  const auto refused = store->change_user(tester, name, to_mode(link_mode::shared));
  CHECK(refused.outcome == write_outcome::unsupported);
  CHECK(refused.error == fault);

  CHECK(store->change_user(tester, name, {.routes = {{{first_pool, "farm", {}, 0}}}, .mode = {link_mode::shared}}).outcome ==
        write_outcome::changed);
  CHECK(store->change_user(tester, name, to_routes({{first_pool, "farm", {}}, {second_pool, "farm", "x"}})).error == fault);
  CHECK(store->find_account(name)->routes.size() == 1);
}

TEST_CASE("a removed account is gone, its routes are free, and its totals stay") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto name = store->register_user(tester, two_routes()).name;
  total_record total;
  total.account = name;
  total.shares.sent = 1;
  store->add_totals("a", std::vector{total}, {});
  const auto revision = store->user(name)->revision;
  CHECK(store->remove_user(tester, name, revision + 1).outcome == write_outcome::outdated);
  CHECK(store->user(name)->revision == revision);
  CHECK(store->remove_user(tester, name, revision).outcome == write_outcome::changed);
  CHECK(store->remove_user(tester, name).outcome == write_outcome::unknown_user);
  CHECK(store->remove_user(tester, name, revision).outcome == write_outcome::unknown_user);
  CHECK(store->remove_user(tester, "\xff").outcome == write_outcome::unknown_user);
  CHECK_FALSE(store->user(name));
  CHECK(store->find_account(name) == nullptr);
  CHECK(store->revisions(std::vector{name}).empty());
  CHECK(store->totals("a").size() == 1);
  CHECK(store->register_user(tester, two_routes()).outcome == write_outcome::created);
}

TEST_CASE("revisions are told of as many accounts as are asked for, and of none that is not there") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  CHECK(store->revisions({}).empty());
  std::vector<std::string> names;
  for (int i = 0; i < 600; ++i) names.push_back("none" + std::to_string(i));
  names.push_back(add_account(*store, first_pool, "farm", "x").name);
  names.push_back(add_account(*store, first_pool, "farm", "y").name);
  const auto found = store->revisions(names);
  REQUIRE(found.size() == 2);
  CHECK(found.at(names[600]) == store->find_account(names[600])->revision);
}

TEST_CASE("of changes at once each is whole, and one account gets a first route that several want") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const std::unique_ptr<store> stores[] = {database.open(), database.open()};
  constexpr int count = 16;
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(add_account(*stores[0], first_pool, "farm", std::to_string(i)).name);
  std::promise<void> start;
  const auto go = start.get_future().share();
  std::vector<std::future<write_outcome>> same_account, same_route;
  for (int i = 0; i < count; ++i) {
    same_account.push_back(std::async(std::launch::async, [&, i] {
      go.wait();
      const auto text = std::to_string(i);
      return stores[i % 2]->change_user(tester, names[0], to_routes({{first_pool, "one", text}, {second_pool, "two", text}})).outcome;
    }));
    if (i > 0)
      same_route.push_back(std::async(std::launch::async, [&, i] {
        go.wait();
        return stores[i % 2]->change_user(tester, names[static_cast<std::size_t>(i)], to_routes({{first_pool, "wanted", "x"}})).outcome;
      }));
  }
  start.set_value();
  for (auto& result : same_account) CHECK(result.get() == write_outcome::changed);
  int changed = 0;
  for (auto& result : same_route) {
    const auto outcome = result.get();
    CHECK((outcome == write_outcome::changed || outcome == write_outcome::conflict));
    changed += outcome == write_outcome::changed;
  }
  CHECK(changed == 1);
  const auto routes = stores[0]->user(names[0])->routes;
  REQUIRE(routes.size() == 2);
  CHECK(routes[0].password == routes[1].password);
}
