#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "collecting_log.hpp"
#include "memory_store.hpp"
#include "totals_flusher.hpp"

namespace {

using namespace stratumproxyd;
using namespace stratumproxy::test;
namespace metrics = stratumproxy::metrics;

struct bench {
  memory_store database;
  collecting_log log;
  std::vector<metrics::total_row> now;
  moment time{std::chrono::seconds(1'767'322'800)};

  totals_flusher make() {
    return {database, "tag", [this] { return now; }, log, [this] { return time; }};
  }
  // start after the first moment -> sent
  std::map<std::int64_t, std::uint64_t> history() {
    std::map<std::int64_t, std::uint64_t> out;
    const moment begin{std::chrono::seconds(1'767'322'800)};
    for (const auto& point : database.history({.account = {}, .pool = {}, .algorithm = {}, .from = begin, .to = begin + std::chrono::hours(24 * 365),
                                               .step = fine_period}))
      out[(point.start - begin).count()] = point.sent;
    return out;
  }
  void count(const std::string& account, std::uint64_t sent, double difficulty = 1) {
    for (auto& row : now)
      if (row.account == account) {
        row.shares.sent += sent;
        row.shares.sent_one += difficulty * static_cast<double>(sent);
        return;
      }
    metrics::share_counts shares;
    shares.sent = sent;
    shares.sent_one = difficulty * static_cast<double>(sent);
    now.push_back({account, "p:1", "sha256d", shares});
  }
};

std::uint64_t sent(const std::vector<total_record>& rows, const std::string& account) {
  for (const auto& row : rows)
    if (row.account == account) return row.shares.sent;
  return 0;
}

}  // namespace

TEST_CASE("what was counted is committed once, and only what is committed is shown") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  CHECK(flusher.committed().empty());
  REQUIRE(flusher.flush());
  CHECK(sent(flusher.committed(), "a") == 5);
  const int writes = bench.database.writes;
  REQUIRE(flusher.flush());
  CHECK(bench.database.writes == writes);  // nothing new: no transaction
  bench.count("a", 2);
  bench.count("b", 1);
  REQUIRE(flusher.flush());
  CHECK(sent(bench.database.totals("tag"), "a") == 7);
  CHECK(sent(bench.database.totals("tag"), "b") == 1);
  CHECK(sent(flusher.committed(), "a") == 7);
}

TEST_CASE("a restart goes on where the database is") {
  bench bench;
  bench.count("a", 5);
  CHECK(bench.make().flush());
  bench.now.clear();
  auto second = bench.make();
  CHECK(sent(second.committed(), "a") == 5);
  bench.count("a", 3);
  REQUIRE(second.flush());
  CHECK(sent(bench.database.totals("tag"), "a") == 8);
}

TEST_CASE("while the database is away nothing is lost and nothing is shown") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  REQUIRE(flusher.flush());
  bench.database.down = true;
  for (int i = 0; i < 10; ++i) {
    bench.count("a", 1);
    CHECK_FALSE(flusher.flush());
    CHECK(sent(flusher.committed(), "a") == 5);
  }
  bench.database.down = false;
  REQUIRE(flusher.flush());
  CHECK(sent(flusher.committed(), "a") == 15);
  CHECK(sent(bench.database.totals("tag"), "a") == 15);
  CHECK(bench.log.lines().size() == 2);  // once when it began, once when it ended
}

TEST_CASE("a commit whose answer was lost is not made twice") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5, 0.1);
  bench.database.lose_answer = true;
  CHECK_FALSE(flusher.flush());
  CHECK(flusher.committed().empty());
  bench.count("a", 1, 0.1);
  REQUIRE(flusher.flush());
  CHECK(sent(bench.database.totals("tag"), "a") == 6);
  CHECK(sent(flusher.committed(), "a") == 6);
  CHECK(bench.database.totals("tag")[0].shares.sent_one == Approx(0.6));
}

TEST_CASE("a lost answer followed by silence is resolved by reading, not by writing") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  bench.database.lose_answer = true;
  CHECK_FALSE(flusher.flush());
  bench.database.down = true;
  CHECK_FALSE(flusher.flush());
  bench.database.down = false;
  const int writes = bench.database.writes;
  REQUIRE(flusher.flush());
  CHECK(bench.database.writes == writes);
  CHECK(sent(flusher.committed(), "a") == 5);
}

TEST_CASE("counters that cannot be read are a failed flush, and the next one goes on") {
  bench bench;
  bool silent = true;
  totals_flusher flusher(bench.database, "tag", [&] {
    if (silent) throw std::runtime_error("a shard does not answer");
    return bench.now;
  }, bench.log);
  bench.count("a", 5);
  CHECK_FALSE(flusher.flush());
  silent = false;
  REQUIRE(flusher.flush());
  CHECK(sent(bench.database.totals("tag"), "a") == 5);
}

TEST_CASE("a snapshot that knows less takes nothing away") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  REQUIRE(flusher.flush());
  bench.now.clear();  // as after the proxy has stopped
  REQUIRE(flusher.flush());
  CHECK(sent(flusher.committed(), "a") == 5);
  CHECK(sent(bench.database.totals("tag"), "a") == 5);
}

TEST_CASE("while another proxy has the tag nothing is written, and both proxies' shares are there in the end") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  REQUIRE(flusher.flush());
  CHECK(flusher.has_tag());

  bench.database.taken = true;
  const int writes = bench.database.writes;
  for (int i = 0; i < 3; ++i) {
    bench.count("a", 1);
    CHECK_FALSE(flusher.flush());
    CHECK_FALSE(flusher.has_tag());
  }
  CHECK(bench.database.writes == writes);
  CHECK(sent(flusher.committed(), "a") == 5);
  CHECK(bench.log.lines().size() == 1);
  total_record foreign;
  foreign.account = "a";
  foreign.pool = "p:1";
  foreign.algorithm = "sha256d";
  foreign.shares.sent = 100;
  bench.database.add_totals("tag", std::vector{foreign}, {});

  bench.database.taken = false;
  REQUIRE(flusher.flush());
  CHECK(flusher.has_tag());
  CHECK(sent(bench.database.totals("tag"), "a") == 108);
  CHECK(sent(flusher.committed(), "a") == 108);
  CHECK(bench.log.lines().size() == 2);
}

TEST_CASE("a commit whose answer was lost is recognised among what another proxy wrote") {
  for (const bool arrived : {false, true}) {
    bench bench;
    auto flusher = bench.make();
    bench.count("a", 5);
    bench.count("b", 5);
    bench.database.lose_answer = arrived;
    bench.database.down = !arrived;
    CHECK_FALSE(flusher.flush());
    bench.database.down = false;
    total_record foreign;
    foreign.account = "a";
    foreign.pool = "p:1";
    foreign.algorithm = "sha256d";
    foreign.shares.sent = 100;
    bench.database.add_totals("tag", std::vector{foreign}, {});
    REQUIRE(flusher.flush());
    CHECK(sent(bench.database.totals("tag"), "a") == 105);
    CHECK(sent(bench.database.totals("tag"), "b") == 5);
  }
}

TEST_CASE("under any sequence of failures the database ends with what was counted, and no shown total falls") {
  std::mt19937 random(20'240'601);
  for (int round = 0; round < 50; ++round) {
    bench bench;
    std::uint64_t shown = 0;
    std::uint64_t counted = 0;
    for (int life = 0; life < 4; ++life) {
      bench.now.clear();
      auto flusher = bench.make();
      for (int step = 0; step < 40; ++step) {
        const auto more = random() % 5;
        bench.count("a", more, 0.3);
        counted += more;
        bench.database.down = random() % 4 == 0;
        bench.database.lose_answer = random() % 4 == 0;
        bench.time += std::chrono::seconds(random() % 200);
        flusher.flush();
        const auto seen = sent(flusher.committed(), "a");
        REQUIRE(seen >= shown);
        REQUIRE(seen <= counted);
        shown = seen;
      }
      bench.database.down = bench.database.lose_answer = false;
      REQUIRE(flusher.flush());
      shown = sent(flusher.committed(), "a");
      REQUIRE(shown == counted);
      REQUIRE(sent(bench.database.totals("tag"), "a") == counted);
      std::uint64_t in_history = 0;
      for (const auto& [start, count] : bench.history()) in_history += count;
      REQUIRE(in_history == counted);
      REQUIRE(bench.database.totals("tag")[0].shares.sent_one == Approx(0.3 * static_cast<double>(counted)));
    }
  }
}

TEST_CASE("what is flushed at a time is that period's in the history") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  REQUIRE(flusher.flush());
  bench.time += std::chrono::seconds(299);
  bench.count("a", 1);
  REQUIRE(flusher.flush());
  bench.time += std::chrono::seconds(1);
  bench.count("a", 2);
  REQUIRE(flusher.flush());
  CHECK(bench.history() == std::map<std::int64_t, std::uint64_t>{{0, 6}, {300, 2}});
}

TEST_CASE("the flusher's thread flushes by itself and stops when it is told") {
  memory_store database;
  collecting_log log;
  std::mutex mutex;
  std::condition_variable asked;
  int times = 0;
  totals_flusher flusher(database, "tag", [&] {
    const std::lock_guard lock(mutex);
    ++times;
    asked.notify_all();
    return std::vector<metrics::total_row>{};
  }, log);
  std::atomic<int> tended{0};
  flusher.start(std::chrono::milliseconds(1), [&] { ++tended; });
  {
    std::unique_lock lock(mutex);
    REQUIRE(asked.wait_for(lock, std::chrono::seconds(20), [&] { return times >= 3; }));
  }
  flusher.stop();
  const int after = times;
  CHECK(after >= 3);
  CHECK(tended == after);
  flusher.stop();
  CHECK(times == after);
}

TEST_CASE("another interval counts at once, for the time that is waited, too") {
  memory_store database;
  collecting_log log;
  std::promise<void> flushed;
  std::atomic<int> times{0};
  totals_flusher flusher(database, "tag", [&] {
    if (++times == 1) flushed.set_value();
    return std::vector<metrics::total_row>{};
  }, log);
  flusher.start(std::chrono::hours(1));
  flusher.set_interval(std::chrono::hours(2));
  CHECK(times == 0);
  flusher.set_interval(std::chrono::milliseconds(1));
  CHECK(flushed.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
}

TEST_CASE("after the tag is released a successor gets what comes up, and the database nothing") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  REQUIRE(flusher.release());
  CHECK(sent(bench.database.totals("tag"), "a") == 5);
  std::vector<total_record> given;
  bool is_there = true;
  flusher.give_to([&](const total_record& row) {
    if (is_there) given.push_back(row);
    return is_there;
  });
  CHECK(flusher.flush());
  CHECK(given.empty());
  bench.count("a", 2);
  bench.count("b", 1);
  CHECK(flusher.flush());
  CHECK(flusher.flush());
  CHECK(given.size() == 2);
  CHECK(sent(given, "a") == 2);
  CHECK(sent(given, "b") == 1);
  CHECK(sent(bench.database.totals("tag"), "a") == 5);

  // It wrote them, and more of its own, and ended.
  for (auto& row : given) row.shares.sent += 10;
  bench.database.add_totals("tag", given, bench.time);
  is_there = false;
  bench.count("a", 3);
  bench.database.taken = true;
  CHECK_FALSE(flusher.flush());
  bench.database.taken = false;
  CHECK(flusher.flush());
  CHECK(sent(bench.database.totals("tag"), "a") == 5 + 12 + 3);
  CHECK(sent(bench.database.totals("tag"), "b") == 11);
  CHECK(sent(flusher.committed(), "a") == 20);
}

TEST_CASE("a tag is not released while the totals cannot be written") {
  bench bench;
  auto flusher = bench.make();
  bench.count("a", 5);
  bench.database.down = true;
  CHECK_FALSE(flusher.release());
  bench.database.down = false;
  CHECK(flusher.release());
  // Nobody took it: the next flush does.
  bench.count("a", 1);
  CHECK(flusher.flush());
  CHECK(sent(bench.database.totals("tag"), "a") == 6);
}

TEST_CASE("a flusher that was stopped can be started again") {
  bench bench;
  std::atomic<int> flushes{0};
  std::mutex mutex;
  std::condition_variable changed;
  auto flusher = bench.make();
  for (int round = 1; round <= 2; ++round) {
    flusher.start(std::chrono::milliseconds(1), [&] {
      const std::lock_guard lock(mutex);
      ++flushes;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    const int before = flushes;
    CHECK(changed.wait_for(lock, std::chrono::seconds(10), [&] { return flushes > before; }));
    lock.unlock();
    flusher.stop();
  }
}
