#include <catch2/catch.hpp>

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "admin/access_upkeep.hpp"
#include "admin/tokens.hpp"
#include "collecting_log.hpp"
#include "memory_store.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using stratumproxy::test::collecting_log;
using stratumproxy::test::memory_store;
using stratumproxy::test::tester;

namespace {

token_row row(const std::string& name, const std::string& token, token_role role = token_role::admin) {
  return {name, token_hash(token), role, {}, {}};
}

/// A store, and what keeps the tokens as it has them; ticks when the test says so.
struct bench {
  memory_store database;
  known_tokens tokens;
  collecting_log log;
  access_upkeep::time_point now{1h};
  std::optional<access_upkeep> upkeep;

  void start() { upkeep.emplace(database.access(), tokens, log); }
  void tick(std::chrono::seconds later = 2s) { upkeep->tick(now += later); }
  std::string last_used(const std::string& name) {
    for (const auto& each : database.access().tokens())
      if (each.name == name) return each.last_used_at;
    return "gone";
  }
};

}  // namespace

TEST_CASE("tokens are 256 random bits, and their hash is SHA-256") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto token = random_token();
    CHECK(token.size() == 68);
    CHECK(token.starts_with("spx_"));
    CHECK(token.find_first_not_of("0123456789abcdef", 4) == std::string::npos);
    seen.insert(token);
  }
  CHECK(seen.size() == 100);
  CHECK(token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a token is found by its text alone, with its name and role") {
  known_tokens tokens;
  CHECK_FALSE(tokens.any());
  CHECK_FALSE(tokens.find("one"));
  tokens.replace({row("first", "one"), row("second", "two", token_role::read_only)}, tokens.generation());
  REQUIRE(tokens.find("two"));
  CHECK(tokens.find("two")->name == "second");
  CHECK(tokens.find("two")->role == token_role::read_only);
  for (const std::string wrong : {"", "first", "on", "onee", "ONE"}) CHECK_FALSE(tokens.find(wrong));
  CHECK_FALSE(tokens.find(token_hash("one")));  // whoever reads the database has no token
  CHECK(tokens.take_used() == std::vector<std::string>{"second"});
  CHECK(tokens.take_used().empty());
}

TEST_CASE("a list that was read before a change of our own changes nothing") {
  known_tokens tokens;
  const auto before_add = tokens.generation();
  tokens.add(row("mine", "one"));
  tokens.replace({}, before_add);
  CHECK(tokens.find("one"));
  const auto before_removal = tokens.generation();
  tokens.remove("mine");
  tokens.replace({row("mine", "one")}, before_removal);
  CHECK_FALSE(tokens.find("one"));
  tokens.replace({row("mine", "one")}, tokens.generation());
  CHECK(tokens.find("one"));
}

TEST_CASE("tokens of other daemons come and go with a tick, and stay while the database is away") {
  bench b;
  b.database.access().add_token(tester, row("early", "one"));
  b.start();
  CHECK(b.tokens.find("one"));
  b.database.access().add_token(tester, row("late", "two"));
  CHECK_FALSE(b.tokens.find("two"));
  b.tick();
  CHECK(b.tokens.find("two"));

  b.database.access().remove_token(tester, "early", false);
  b.database.down = true;
  b.tick();
  b.tick();
  CHECK(b.tokens.find("one"));
  CHECK(b.tokens.find("two"));
  CHECK(b.log.lines().size() == 1);
  b.database.down = false;
  b.tick();
  CHECK_FALSE(b.tokens.find("one"));
  CHECK(b.tokens.find("two"));
}

TEST_CASE("without its tokens no daemon starts") {
  bench b;
  b.database.down = true;
  CHECK_THROWS_AS(b.start(), store_unavailable);
}

TEST_CASE("the use of a token is written once a minute, later when the database is away, and in the end") {
  bench b;
  b.database.access().add_token(tester, row("used", "one"));
  b.database.access().add_token(tester, row("unused", "two"));
  b.start();
  const auto use = [&] { CHECK(b.tokens.find("one")); };
  use();
  CHECK(b.last_used("used").empty());
  b.tick();
  CHECK(b.last_used("used") == "use 1");
  use();
  b.tick();
  CHECK(b.last_used("used") == "use 1");
  b.tick(60s);
  CHECK(b.last_used("used") == "use 2");
  b.tick(120s);
  CHECK(b.last_used("used") == "use 2");
  use();
  b.database.down = true;
  b.tick();
  b.database.down = false;
  b.tick();
  CHECK(b.last_used("used") == "use 3");
  use();
  b.upkeep.reset();
  CHECK(b.last_used("used") == "use 4");
  CHECK(b.last_used("unused").empty());
}

TEST_CASE("the audit log is pruned at the start and every hour, unless it is kept for ever") {
  bench b;
  auto& tables = b.database.access_in_memory();
  b.start();
  b.upkeep->keep_audit(std::chrono::days(7));
  b.tick();
  b.tick();
  CHECK(tables.pruned() == std::vector{std::chrono::days(7)});
  b.tick(3600s);
  CHECK(tables.pruned().size() == 2);
  b.upkeep->keep_audit(std::chrono::days(0));
  b.tick(7200s);
  CHECK(tables.pruned().size() == 2);
}

TEST_CASE("a started upkeep ticks by itself") {
  bench b;
  b.start();
  b.upkeep->start(1ms);
  b.database.access().add_token(tester, row("late", "two"));
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!b.tokens.find("two") && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(b.tokens.find("two"));
}
