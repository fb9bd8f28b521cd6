#include "session_keeper.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "memory_session_table.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using stratumproxy::session_record;
using stratumproxy::test::collecting_log;
using stratumproxy::test::memory_session_table;

namespace {

constexpr session_keeper_options at_once{.interval = 1ms};
constexpr session_keeper_options never{.interval = std::chrono::hours(1)};  // but when it is told to

session_record record(const std::string& id, double difficulty = 8) { return {id, "alice", "rig", difficulty, "0a", 3}; }

bool within_time(const std::function<bool()>& is) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!is()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

std::future<std::optional<session_record>> claim(session_keeper& from, const std::string& id) {
  auto answer = std::make_shared<std::promise<std::optional<session_record>>>();
  auto found = answer->get_future();
  from.claim(id, [answer](auto one) { answer->set_value(std::move(one)); });
  return found;
}

std::optional<session_record> answer_of(std::future<std::optional<session_record>> asked) {
  REQUIRE(asked.wait_for(10s) == std::future_status::ready);
  return asked.get();
}

}  // namespace

TEST_CASE("sessions reach the table by themselves, and leave it") {
  memory_session_table table;
  collecting_log log;
  session_keeper keeper(table, log, at_once);
  keeper.save(record("1"));
  REQUIRE(within_time([&] { return table.rows().contains("1"); }));
  CHECK(table.rows().at("1") == record("1"));
  keeper.remove("1");
  CHECK(within_time([&] { return table.rows().empty(); }));
  CHECK(log.lines().empty());
}

TEST_CASE("of the changes to one session the newest is written, all in one go") {
  memory_session_table table;
  collecting_log log;
  session_keeper keeper(table, log, never);
  for (int i = 1; i <= 100; ++i) keeper.save(record("1", i));
  keeper.save(record("2"));
  keeper.remove("2");
  keeper.save(record("3"));
  CHECK(keeper.flush());
  CHECK(table.written() == std::vector<std::size_t>{3});
  CHECK(table.rows().size() == 2);
  CHECK(table.rows().at("1").difficulty == 100);
}

TEST_CASE("a claim is answered once with what is there, then with nothing") {
  memory_session_table table;
  collecting_log log;
  session_keeper one(table, log, never), other(table, log, never);
  one.save(record("1"));
  REQUIRE(one.flush());
  CHECK(answer_of(claim(other, "1")) == record("1"));
  CHECK_FALSE(answer_of(claim(other, "1")));
  CHECK_FALSE(answer_of(claim(one, "1")));
  CHECK_FALSE(answer_of(claim(one, "2")));
  one.save(record("1"));  // its worker is half-open there
  REQUIRE(one.flush());
  CHECK_FALSE(answer_of(claim(other, "1")));
}

TEST_CASE("a session that ended here a moment ago is not found, though the table still has it") {
  memory_session_table table;
  collecting_log log;
  session_keeper keeper(table, log, never);
  keeper.save(record("1"));
  REQUIRE(keeper.flush());
  keeper.remove("1");
  CHECK(table.rows().contains("1"));
  CHECK_FALSE(answer_of(claim(keeper, "1")));
  CHECK(keeper.flush());
  CHECK(table.rows().empty());
}

TEST_CASE("claims that come while the table is busy are asked together, and a twin gets nothing") {
  memory_session_table table;
  collecting_log log;
  session_keeper keeper(table, log, never);
  for (int i = 0; i < 500; ++i) keeper.save(record(std::to_string(i)));
  REQUIRE(keeper.flush());
  table.hold(true);
  std::vector<std::future<std::optional<session_record>>> asked;
  asked.push_back(claim(keeper, "0"));
  REQUIRE(within_time([&] { return table.waiting() == 1; }));
  for (int i = 1; i < 500; ++i) asked.push_back(claim(keeper, std::to_string(i)));
  asked.push_back(claim(keeper, "7"));
  table.hold(false);
  int found = 0;
  for (auto& one : asked) found += answer_of(std::move(one)) ? 1 : 0;
  CHECK(found == 500);
  CHECK(table.claimed() == std::vector<std::size_t>{1, 500});
}

TEST_CASE("while the table is away claims find nothing, and changes wait for it") {
  memory_session_table table;
  collecting_log log;
  session_keeper keeper(table, log, never);
  table.down = true;
  keeper.save(record("1", 8));
  keeper.save(record("2", 8));
  CHECK_FALSE(keeper.flush());
  CHECK_FALSE(answer_of(claim(keeper, "1")));
  keeper.save(record("2", 16));  // newer than what could not be written
  keeper.remove("3");
  CHECK_FALSE(keeper.flush());
  table.down = false;
  CHECK(keeper.flush());
  CHECK(table.rows().at("1").difficulty == 8);
  CHECK(table.rows().at("2").difficulty == 16);
  CHECK(log.lines() == std::vector<std::string>{"sessions_not_written the database is away", "sessions_written 0 changes were lost"});
}

TEST_CASE("no more changes and claims wait than may") {
  memory_session_table table;
  collecting_log log;
  session_keeper keeper(table, log, {.interval = std::chrono::hours(1), .most = 10, .most_claims = 5});
  table.down = true;
  for (int i = 0; i < 30; ++i) keeper.save(record(std::to_string(i)));
  CHECK_FALSE(keeper.flush());
  table.down = false;
  CHECK(keeper.flush());
  CHECK(table.rows().size() == 10);
  CHECK(log.lines().back() == "sessions_written 20 changes were lost");

  table.hold(true);
  auto first = claim(keeper, "a");
  REQUIRE(within_time([&] { return table.waiting() == 1; }));
  std::vector<std::future<std::optional<session_record>>> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(claim(keeper, std::to_string(i)));
  auto over = claim(keeper, "b");
  CHECK(over.wait_for(0s) == std::future_status::ready);
  table.hold(false);
  for (auto& one : asked) (void)answer_of(std::move(one));
}

TEST_CASE("who is still waiting when the keeper ends hears nothing was found") {
  memory_session_table table;
  collecting_log log;
  std::optional<session_keeper> keeper;
  keeper.emplace(table, log, never);
  table.hold(true);
  auto first = claim(*keeper, "a");
  REQUIRE(within_time([&] { return table.waiting() == 1; }));
  auto second = claim(*keeper, "b");
  std::thread ends([&] { keeper.reset(); });
  table.hold(false);
  ends.join();
  CHECK_FALSE(answer_of(std::move(first)));
  CHECK_FALSE(answer_of(std::move(second)));
}
