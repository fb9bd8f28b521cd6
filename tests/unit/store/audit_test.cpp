#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "test_database.hpp"

using namespace stratumproxyd;
using store_test::test_database;
using store_test::tester;

namespace {

const std::string pool = "audit.example:3333";

/// Each change that the tables know, once, and what the audit log is to say of it. In this order each finds what it needs.
std::vector<std::pair<std::function<void(store&)>, std::string>> changes() {
  return {
      {[](store& s) { s.add_algorithm(tester, {.name = "audited", .aliases = {"heard"}, .divider = 256}); },
       "algorithm.add audited divider 256; aliases heard"},
      {[](store& s) { s.change_algorithm(tester, "audited", [](auto& row) { row.aliases.clear(); }); },
       "algorithm.change audited no aliases"},
      {[](store& s) { s.add_pool(tester, {.pool = pool, .algorithm = "sha256d", .login_template = "{user}", .reconnect_hosts = {"b.example"}}); },
       "pool.add " + pool + " algorithm sha256d; login template {user}; reconnect hosts b.example"},
      {[](store& s) { s.change_pool(tester, pool, [](pool_record& row) { row.divider = 2, row.reconnect_hosts.clear(); }); },
       "pool.change " + pool + " divider 2; no reconnect hosts"},
      {[](store& s) {
         s.import_tables(tester, {.algorithms = {{"imported", [](auto& row) { row.divider = 3; }}, {"audited", [](auto&) {}}},
                                  .pools = {{pool, [](pool_record& row) { row.verify = stratumproxy::verify_level::off; }}}});
       },
       "tables.import  algorithm.add imported divider 3; pool.change " + pool + " verify off"},
      {[](store& s) {
         s.register_user(tester, std::vector<route_record>{{pool, "farm", "canary", 3}}, stratumproxy::link_mode::dedicated);
       },
       "user.register * " + pool + " farm weight 3; mode dedicated"},
      {[](store& s) { s.change_user(tester, s.users({})[0].name, {.routes = {}, .mode = std::optional<stratumproxy::link_mode>(), .if_revision = {}}); },
       "user.change * mode of the pools"},
      {[](store& s) { s.change_user(tester, s.users({})[0].name, {.routes = {{{pool, "farm", "new canary", 0}}}, .mode = {}, .if_revision = {}}); },
       "user.change * " + pool + " farm password given"},
      {[](store& s) { s.remove_user(tester, s.users({})[0].name); }, "user.remove * "},
      {[](store& s) {
         store_test::add_account(s, pool, "farm", "canary");
         s.remove_unseen(automatic_author, moment(std::chrono::seconds(4'102'444'800)), {}, 1);
       },
       "user.remove * not seen for long"},
      {[](store& s) { s.remove_pool(tester, pool, [](const auto&) {}); }, "pool.remove " + pool + " "},
      {[](store& s) { s.remove_algorithm(tester, "audited", [](const auto&) {}); }, "algorithm.remove audited "},
      {[](store& s) { s.add_ban(tester, {.subject = "10.0.0.0/8", .reason = "noisy", .seconds = 60}); },
       "ban.add 10.0.0.0/8 noisy; 60 seconds"},
      {[](store& s) { s.remove_ban(tester, "10.0.0.0/8"); }, "ban.remove 10.0.0.0/8 "},
      {[](store& s) { s.access().add_token(tester, {"boss", "canary", token_role::admin, {}, {}}); }, "token.add boss role admin"},
      {[](store& s) { s.access().remove_token(tester, "boss", false); }, "token.remove boss "},
  };
}

/// "action subject detail"; the names of accounts are random.
std::string text_of(const audit_entry& entry) {
  const bool is_account = entry.change.action.starts_with("user.");
  return fmt::format("{} {} {}", entry.change.action, is_account ? "*" : entry.change.subject, entry.change.detail);
}

/// What the changes above may change: not the rows that every database begins with.
std::string contents(store& tables) {
  std::string out;
  const auto add = [&](const auto&... values) { ((out += fmt::format("{} ", values)), ...), out += '\n'; };
  for (const auto& row : tables.users({})) add(row.name, row.revision, row.mode.has_value());
  for (const auto& row : tables.pools())
    if (row.source.empty()) add(row.pool, row.divider.value_or(0), static_cast<int>(row.verify), row.reconnect_hosts.size());
  for (const auto& row : tables.algorithms())
    if (row.source.empty()) add(row.name, row.divider, row.aliases.size());
  for (const auto& row : tables.bans()) add(row.subject, row.reason);
  for (const auto& row : tables.access().tokens()) add(row.name);
  add(tables.access().audit({}).size());
  return out;
}

/// From now on an entry cannot be written; or it can, but the transaction it is part of cannot be committed.
void refuse_entries(const test_database& database, bool at_commit) {
  const bool is_sqlite = database.schema().empty();
  const std::string now = is_sqlite ? "SELECT RAISE(ABORT, 'no')" : "RAISE EXCEPTION 'no'";
  database.run("CREATE TABLE broken (account TEXT REFERENCES users (name) DEFERRABLE INITIALLY DEFERRED)");
  const auto action = at_commit ? "INSERT INTO broken VALUES ('nobody')" : now;
  if (is_sqlite) return database.run("CREATE TRIGGER refuse AFTER INSERT ON audit BEGIN " + action + "; END");
  database.run("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + action + "; RETURN NEW; END $$");
  database.run("CREATE TRIGGER refuse AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()");
}

void accept_entries(const test_database& database) {
  database.run(database.schema().empty() ? "DROP TRIGGER refuse" : "DROP FUNCTION refuse CASCADE");
  database.run("DROP TABLE broken");
}

}  // namespace

TEST_CASE("each change of the tables is one entry of the audit log, with who made it and without a secret") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  for (const auto& [change, expected] : changes()) {
    change(*store);
    const auto newest = store->access().audit({.limit = 1, .before = {}, .user = {}});
    REQUIRE(newest.size() == 1);
    CHECK(text_of(newest[0]) == expected);
    CHECK(newest[0].by.actor == (newest[0].change.detail == "not seen for long" ? "automatic" : "tester"));
  }
  const auto all = store->access().audit({});
  CHECK(all.size() == changes().size() + 1);  // one of them registers first
  for (const auto& each : all) CHECK(each.change.detail.find("canary") == std::string::npos);
}

TEST_CASE("what changes nothing, or is refused, leaves no entry") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const stratumproxy::algorithm::info algorithm{.name = "mine", .aliases = {}};
  const pool_record row{.pool = pool, .algorithm = "sha256d", .divider = {}, .reconnect_hosts = {}, .source = {}};
  REQUIRE(store->add_algorithm(tester, algorithm) == write_outcome::created);
  REQUIRE(store->add_pool(tester, row) == write_outcome::created);
  const auto name = store_test::add_account(*store, pool, "farm", "x").name;
  REQUIRE(store->access().add_token(tester, {"boss", "h", token_role::admin, {}, {}}));
  const auto before = contents(*store);

  CHECK(store->add_algorithm(tester, algorithm) == write_outcome::exists);
  CHECK(store->change_algorithm(tester, "mine", [](auto&) {}).outcome == write_outcome::exists);
  CHECK(store->change_algorithm(tester, "sha256d", [](auto& each) { each.aliases = {"mine"}; }).outcome == write_outcome::conflict);
  CHECK(store->add_pool(tester, row) == write_outcome::exists);
  CHECK(store->change_pool(tester, pool, [](auto&) {}).outcome == write_outcome::exists);
  CHECK(store->remove_pool(tester, pool, [](const auto&) {}).outcome == write_outcome::in_use);
  CHECK(store_test::add_account(*store, pool, "farm", "x").outcome == write_outcome::exists);
  CHECK(store->change_user(tester, name, {.routes = {}, .mode = std::optional<stratumproxy::link_mode>(), .if_revision = {}}).outcome == write_outcome::exists);
  CHECK(store->remove_user(tester, "nobody").outcome == write_outcome::unknown_user);
  CHECK(store->remove_unseen(tester, {}, {}, 10).empty());
  CHECK_FALSE(store->remove_ban(tester, "10.0.0.0/8"));
  CHECK_FALSE(store->access().add_token(tester, {"boss", "other", token_role::admin, {}, {}}));
  CHECK(store->access().remove_token(tester, "boss", true) == token_removal::last_admin);
  // The first row of the import is taken back with the second.
  const table_import rows{.algorithms = {{"new", [](auto& each) { each.divider = 2; }}},
                          .pools = {{"new.example:1", [](auto& each) { each.algorithm = "unheard of"; }}}};
  CHECK(store->import_tables(tester, rows).outcome == write_outcome::unknown_algorithm);
  CHECK(contents(*store) == before);
}

TEST_CASE("there is no change without its entry, and no entry without its change") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto at_commit = GENERATE(false, true);
  const auto store = database.open();
  for (const auto& [change, text] : changes()) {
    INFO(text);
    const auto before = contents(*store);
    refuse_entries(database, at_commit);
    CHECK_THROWS(change(*store));
    CHECK(contents(*store) == before);
    accept_entries(database);
    change(*store);
    CHECK(contents(*store) != before);
  }
}

TEST_CASE("an import of many rows is one entry that says how many it has no room for") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  table_import rows;
  for (int i = 0; i < 400; ++i)
    rows.pools.emplace_back(fmt::format("{:03}.example:1", i), [](pool_record& row) { row.algorithm = "sha256d"; });
  REQUIRE(store->import_tables(tester, rows).created == 400);
  const auto entries = store->access().audit({});
  REQUIRE(entries.size() == 1);
  const auto& detail = entries[0].change.detail;
  CHECK(detail.starts_with("pool.add 000.example:1 algorithm sha256d; pool.add 001.example:1 algorithm sha256d; "));
  const auto shown = std::count(detail.begin(), detail.end(), ';');
  CHECK(shown > 100);
  CHECK(detail.ends_with(fmt::format("; and {} rows more", 400 - shown)));
}
