#include <memory>
#include <regex>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

#include <stratumproxy/bans.hpp>

#include "test_database.hpp"

using namespace stratumproxyd;
using store_test::test_database;
using store_test::tester;

TEST_CASE("a ban is kept, changed and lifted, and each of these is seen by its number") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  CHECK(store->bans().empty());
  auto seen = store->bans_revision();
  const auto is_news = [&] {
    const auto before = std::exchange(seen, store->bans_revision());
    return before != seen;
  };
  CHECK_FALSE(is_news());

  CHECK(store->add_ban(tester, {.subject = "10.0.0.0/8", .reason = "noisy"}) == write_outcome::created);
  CHECK(is_news());
  CHECK(store->add_ban(tester, {.subject = "alice", .reason = "dïd not pay", .seconds = 3'600}) == write_outcome::created);
  CHECK(is_news());
  auto rows = store->bans();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].subject == "10.0.0.0/8");
  CHECK(rows[0].reason == "noisy");
  CHECK_FALSE(rows[0].seconds);
  CHECK(std::regex_match(rows[0].created_at, std::regex("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")));
  CHECK(rows[1].reason == "dïd not pay");
  REQUIRE(rows[1].seconds);
  CHECK(*rows[1].seconds <= 3'600);
  CHECK(*rows[1].seconds > 3'500);
  CHECK_FALSE(is_news());

  CHECK(store->add_ban(tester, {.subject = "alice", .reason = "for good"}) == write_outcome::changed);
  CHECK(is_news());
  CHECK_FALSE(store->bans()[1].seconds);
  CHECK(store->bans()[1].reason == "for good");
  CHECK(store->remove_ban(tester, "alice"));
  CHECK(is_news());
  CHECK_FALSE(store->remove_ban(tester, "alice"));
  CHECK_FALSE(store->remove_ban(tester, std::string(1, '\0')));
  CHECK_FALSE(is_news());
  CHECK(store->bans().size() == 1);
  CHECK(database.open()->bans().size() == 1);
}

TEST_CASE("a ban whose time is over is none, and makes room") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  store->add_ban(tester, {.subject = "10.1.1.1", .reason = "x", .seconds = 60});
  const auto seen = store->bans_revision();
  database.run("UPDATE bans SET ends_at = 1000");
  CHECK(store->bans_revision() != seen);  // whoever writes is noticed
  CHECK(store->bans().empty());
  CHECK_FALSE(store->remove_ban(tester, "10.1.1.1"));
  CHECK(store->add_ban(tester, {.subject = "10.1.1.1", .reason = "again"}) == write_outcome::created);
  CHECK(store->bans().size() == 1);
}

TEST_CASE("the table of bans takes ten thousand") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  std::string rows;
  for (std::size_t i = 0; i + 1 < stratumproxy::ban_list::most; ++i) rows += (i ? ", ('b" : "('b") + std::to_string(i) + "', 'x')";
  database.run("INSERT INTO bans (subject, reason) VALUES " + rows);
  CHECK(store->add_ban(tester, {.subject = "last", .reason = "x"}) == write_outcome::created);
  CHECK(store->add_ban(tester, {.subject = "more", .reason = "x"}) == write_outcome::full);
  CHECK(store->add_ban(tester, {.subject = "last", .reason = "y"}) == write_outcome::changed);
  CHECK(store->bans().size() == stratumproxy::ban_list::most);
}

TEST_CASE("what a database could not keep is refused before it gets there") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  CHECK_THROWS_AS(store->add_ban(tester, {.subject = "a", .reason = std::string(300, 'x')}), std::invalid_argument);
  CHECK_THROWS_AS(store->add_ban(tester, {.subject = "a", .reason = "\xff"}), std::invalid_argument);
  CHECK_THROWS_AS(store->add_ban(tester, {.subject = std::string(65, 'a'), .reason = "x"}), std::invalid_argument);
  CHECK(store->bans().empty());
}
