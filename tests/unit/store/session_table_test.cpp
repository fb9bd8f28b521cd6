#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "test_database.hpp"

using namespace stratumproxyd;
using store_test::test_database;
using stratumproxy::session_record;

namespace {

session_record record(const std::string& id, double difficulty = 1e-7) { return {id, "alice", "rig", difficulty, "0a", 3}; }

}  // namespace

TEST_CASE("a session is claimed as it was last written, by one proxy and once") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto one = database.open(), other = database.open();
  one->sessions().write(std::vector{record("a"), record("b"), record("c")}, {});
  const session_record last{"a", "bob", "", 65536.25, "00ff", 8};
  one->sessions().write(std::vector{last}, std::vector<std::string>{"b", "z"});

  const std::vector<std::string> wanted{"c", "a", "b", "unknown"};
  auto found = other->sessions().claim(wanted);
  std::ranges::sort(found, {}, &session_record::id);
  CHECK(found == std::vector{last, record("c")});
  CHECK(other->sessions().claim(wanted).empty());
  CHECK(one->sessions().claim(wanted).empty());
  CHECK(one->sessions().claim({}).empty());

  // The proxy that had it goes on to say what it has.
  one->sessions().write(std::vector{record("a")}, {});
  CHECK(other->sessions().claim(wanted).empty());
}

TEST_CASE("a session that was not written for long cannot be claimed, and is removed") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  store->sessions().write(std::vector{record("old"), record("new"), record("used")}, {});
  REQUIRE(store->sessions().claim(std::vector<std::string>{"used"}).size() == 1);
  database.run("UPDATE sessions SET expires_at = 1000 WHERE id <> 'new'");
  CHECK(store->sessions().claim(std::vector<std::string>{"old"}).empty());
  CHECK(store->sessions().prune() == 2);
  CHECK(store->sessions().prune() == 0);
  CHECK(store->sessions().claim(std::vector<std::string>{"new"}).size() == 1);
}

TEST_CASE("many sessions are written and claimed in one go") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  std::vector<session_record> all;
  std::vector<std::string> ids;
  for (int i = 0; i < 1'234; ++i) {
    all.push_back(record(std::to_string(i), i));
    ids.push_back(all.back().id);
  }
  store->sessions().write(all, {});
  store->sessions().write(all, {});
  auto found = store->sessions().claim(ids);
  CHECK(found.size() == all.size());
  store->sessions().write({}, ids);
  store->sessions().write(all, {});  // after its removal an id is as new
  CHECK(store->sessions().claim(ids).size() == all.size());
}

TEST_CASE("what a database cannot keep is left out, and the rest is written") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  auto odd = record("odd");
  odd.rig = std::string("a\0b", 3);
  auto cut = record("cut");
  cut.account = "\xff";
  store->sessions().write(std::vector{odd, record("good"), cut}, {});
  CHECK(store->sessions().claim(std::vector<std::string>{"odd", "good", "cut"}).size() == 1);
}

TEST_CASE("of proxies that claim the same sessions at once each session goes to one") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto first = database.open();
  std::vector<session_record> all;
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) {
    all.push_back(record(std::to_string(i)));
    ids.push_back(all.back().id);
  }
  first->sessions().write(all, {});
  std::atomic<std::size_t> claimed{0};
  std::vector<std::thread> proxies;
  for (int i = 0; i < 3; ++i) {
    proxies.emplace_back([&, store = std::shared_ptr(database.open())] {
      for (std::size_t at = 0; at < ids.size();) try {
        claimed += store->sessions().claim(std::vector<std::string>{ids[at]}).size();
        ++at;
      } catch (const store_unavailable&) {  // SQLite: the others write all the time
      }
    });
  }
  for (auto& each : proxies) each.join();
  CHECK(claimed == ids.size());
}
