#include <chrono>
#include <future>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "test_database.hpp"

using namespace stratumproxyd;
using store_test::test_database;
using store_test::tester;

namespace {

token_row row(const std::string& name, token_role role = token_role::admin) { return {name, "hash of " + name, role, {}, {}}; }

std::vector<std::string> names(access_tables& tables) {
  std::vector<std::string> out;
  for (const auto& each : tables.tokens()) out.push_back(each.name);
  return out;
}

change_note note(const std::string& action, const std::string& subject) {
  return {action, subject, "d\u00e9tail of " + subject};
}

}  // namespace

TEST_CASE("roles have names that are read again") {
  for (const auto role : {token_role::admin, token_role::read_only, token_role::register_only})
    CHECK(token_role_from_name(name(role)) == role);
  CHECK(name(token_role::read_only) == "read-only");
  CHECK_FALSE(token_role_from_name("root"));
}

TEST_CASE("tokens are kept with their hash and role, and seen through every connection") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  auto& tables = store->access();
  CHECK(tables.tokens().empty());
  CHECK(tables.add_token(tester, row("eyes", token_role::read_only)));
  CHECK(tables.add_token(tester, row("boss")));
  CHECK_FALSE(tables.add_token(tester, {"boss", "another", token_role::read_only, {}, {}}));
  CHECK_THROWS_AS(tables.add_token(tester, row(std::string(65, 'n'))), std::invalid_argument);

  const auto again = database.open();
  const auto rows = again->access().tokens();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].name == "boss");
  CHECK(rows[0].hash == "hash of boss");
  CHECK(rows[0].role == token_role::admin);
  CHECK(rows[1].role == token_role::read_only);
  const std::regex time("20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z");
  CHECK(std::regex_match(rows[0].created_at, time));
  CHECK(rows[0].last_used_at.empty());

  again->access().touch_tokens(std::vector<std::string>{"eyes", "nobody"});
  CHECK(tables.tokens()[0].last_used_at.empty());
  CHECK(std::regex_match(tables.tokens()[1].last_used_at, time));
}

TEST_CASE("a token is removed, but not the last admin's where one is to stay") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  auto& tables = store->access();
  for (const std::string name : {"a", "b"}) tables.add_token(tester, row(name));
  tables.add_token(tester, row("eyes", token_role::read_only));
  CHECK(tables.remove_token(tester, "nobody", true) == token_removal::unknown);
  CHECK(tables.remove_token(tester, std::string("a\0b", 3), true) == token_removal::unknown);
  CHECK(tables.remove_token(tester, "a", true) == token_removal::removed);
  CHECK(tables.remove_token(tester, "b", true) == token_removal::last_admin);
  CHECK(tables.remove_token(tester, "eyes", true) == token_removal::removed);
  CHECK(names(tables) == std::vector<std::string>{"b"});
  CHECK(tables.remove_token(tester, "b", false) == token_removal::removed);
  CHECK(tables.tokens().empty());
}

TEST_CASE("of two who remove the last two admins at once, one is refused") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto first = database.open(), second = database.open();
  for (int round = 0; round < 20; ++round) {
    for (const std::string name : {"a", "b"}) first->access().add_token(tester, row(name));
    auto other = std::async(std::launch::async, [&] { return second->access().remove_token(tester, "b", true); });
    const auto mine = first->access().remove_token(tester, "a", true);
    const auto theirs = other.get();
    CHECK((mine == token_removal::removed) != (theirs == token_removal::removed));
    CHECK(names(first->access()).size() == 1);
  }
}

TEST_CASE("a role that this program does not know opens nothing") {
  const test_database database("sqlite");
  const auto store = database.open();
  database.run("PRAGMA ignore_check_constraints = ON; INSERT INTO tokens (name, hash, role) VALUES ('new', 'h', 'auditor')");
  CHECK(store->access().tokens().empty());
}

TEST_CASE("the audit log is read newest first, in pages, and for one account") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  auto& tables = store->access();
  CHECK(tables.audit({}).empty());
  for (int i = 0; i < 5; ++i) tables.add_audit(tester, note("user.change", i % 2 ? "odd" : "even"));
  tables.add_audit(tester, note("token.add", "odd"));
  CHECK_THROWS_AS(tables.add_audit(tester, note("user.change", "a\xff")), std::invalid_argument);

  const auto all = tables.audit({});
  REQUIRE(all.size() == 6);
  CHECK(all[0].change.action == "token.add");
  CHECK(all[1].change.subject == "even");
  CHECK(all[1].by.actor == "tester");
  CHECK(all[1].by.address == "192.0.2.1");
  CHECK(all[1].change.detail == "d\u00e9tail of even");
  CHECK(all[1].at.ends_with('Z'));
  for (std::size_t i = 1; i < all.size(); ++i) CHECK(all[i].id < all[i - 1].id);

  const auto page = tables.audit({.limit = 2, .before = all[1].id, .user = {}});
  REQUIRE(page.size() == 2);
  CHECK(page[0].id == all[2].id);
  CHECK(page[1].id == all[3].id);
  const auto odd = tables.audit({.before = {}, .user = "odd"});
  REQUIRE(odd.size() == 2);
  CHECK(odd[0].change.action == "user.change");
  CHECK(tables.audit({.before = odd[1].id, .user = "odd"}).empty());
  CHECK(tables.audit({.before = {}, .user = "nobody"}).empty());
  CHECK(tables.audit({.before = {}, .user = std::string("a\0b", 3)}).empty());
}

TEST_CASE("what is older than the audit log is kept goes, in however many steps, and ids are not used again") {
  const auto kind = GENERATE(from_range(store_test::kinds()));
  const test_database database(kind);
  const auto store = database.open();
  auto& tables = store->access();
  const std::string old = kind == "sqlite" ? "datetime('now', '-8 days')" : "now() - interval '8 days'";
  const std::string young = kind == "sqlite" ? "datetime('now', '-6 days')" : "now() - interval '6 days'";
  const auto add = [&](const std::string& at, const std::string& subject, int count) {
    database.run(
        "INSERT INTO audit (at, actor, address, action, subject, detail) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + "
        "1 "
        "FROM n WHERE i < " +
        std::to_string(count) + ") SELECT " + at + ", 'a', '', 'user.change', '" + subject + "', '' FROM n");
  };
  add(old, "old", 10'001);
  add(young, "young", 3);
  CHECK(tables.prune_audit(std::chrono::days(7)) == 10'001);
  CHECK(tables.prune_audit(std::chrono::days(7)) == 0);
  const auto left = tables.audit({});
  REQUIRE(left.size() == 3);
  CHECK(left[2].change.subject == "young");
  CHECK(tables.prune_audit(std::chrono::days(5)) == 3);
  tables.add_audit(tester, note("user.change", "new"));
  CHECK(tables.audit({})[0].id > left[0].id);
}
