#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "collecting_log.hpp"
#include "memory_store.hpp"
#include "upkeep.hpp"

namespace {

using namespace stratumproxyd;
using namespace stratumproxy::test;
using namespace std::chrono_literals;
namespace metrics = stratumproxy::metrics;

struct bench {
  memory_store database;
  collecting_log log;
  metrics::snapshot now;
  bool readable = true;
  std::vector<std::string> removed;
  moment time{1'767'323'045s};

  bench() { database.add_pool(tester, {.pool = "p:1", .algorithm = "sha256d", .divider = {}, .reconnect_hosts = {}, .source = {}}); }
  upkeep make(upkeep::options wanted = {}) {
    const auto take = [this](metrics::scope) {
      if (!readable) throw std::runtime_error("a shard does not answer");
      return now;
    };
    return {database, wanted, take, [this](const std::string& name) { removed.push_back(name); }, log};
  }
  std::string account(const std::string& user) {
    const route_record route{"p:1", user, "x"};
    return database.register_user(tester, std::span(&route, 1), {}).name;
  }
  void work(const std::string& account, bool up = true) {
    metrics::worker_row row;
    row.account = account;
    row.up = up;
    now.workers.push_back(row);
  }
  long told(const std::string& event) const {
    const auto lines = log.lines();
    return std::ranges::count_if(lines, [&](const auto& line) { return line.starts_with(event + ' '); });
  }
  std::optional<moment> seen(const std::string& name) { return database.user(name)->last_seen; }
};

}  // namespace

TEST_CASE("accounts with workers are noted as seen, once in five minutes") {
  bench bench;
  const auto one = bench.account("one"), two = bench.account("two"), kept = bench.account("kept");
  auto tender = bench.make();
  bench.work(one);
  bench.work(kept, false);  // its worker dropped
  const auto first = bench.time;
  tender.tend(bench.time);
  CHECK(bench.seen(one) == first);
  CHECK_FALSE(bench.seen(two));
  CHECK_FALSE(bench.seen(kept));
  const int writes = bench.database.writes;
  tender.tend(bench.time += 299s);
  CHECK(bench.database.writes == writes);
  tender.finish(bench.time);
  CHECK(bench.seen(one) == first + 299s);
  tender.tend(bench.time += 1s);
  CHECK(bench.seen(one) == first + 300s);
  bench.now.workers.clear();
  tender.tend(bench.time += 300s);
  CHECK(bench.seen(one) == first + 300s);
}

TEST_CASE("an account whose worker came and went between two looks was seen") {
  bench bench;
  const auto one = bench.account("one");
  auto tender = bench.make();
  bench.now.totals.push_back({.account = one, .pool = "p:1", .algorithm = "sha256d", .shares = {}, .worker_seconds = 40});
  tender.tend(bench.time);
  CHECK(bench.seen(one) == bench.time);
  const auto first = bench.time;
  tender.tend(bench.time += 300s);
  CHECK(bench.seen(one) == first);
  bench.now.totals[0].shares.sent = 1;
  tender.tend(bench.time += 300s);
  CHECK(bench.seen(one) == bench.time);
}

TEST_CASE("what could not be written is written the next time, and said once") {
  bench bench;
  const auto one = bench.account("one");
  auto tender = bench.make();
  bench.work(one);
  bench.database.down = true;
  tender.tend(bench.time);
  bench.now.workers.clear();
  tender.tend(bench.time += 300s);
  bench.database.down = false;
  tender.tend(bench.time += 300s);
  CHECK(bench.seen(one) == bench.time);
  CHECK(bench.told("last_seen_not_written") == 1);
  bench.readable = false;
  tender.tend(bench.time += 300s);
  tender.tend(bench.time += 300s);
  CHECK(bench.told("last_seen_not_written") == 2);
}

TEST_CASE("the history is tended, also after the clock was set back") {
  bench bench;
  auto tender = bench.make();
  tender.tend(bench.time);
  tender.tend(bench.time += 599s);
  CHECK(bench.database.tended == 1);
  tender.tend(bench.time += 1s);
  CHECK(bench.database.tended == 2);
  tender.tend(bench.time -= 24h);
  CHECK(bench.database.tended == 3);
}

TEST_CASE("accounts that were not seen for long are removed, logged, and their workers let go; never one with workers") {
  bench bench;
  const auto unseen = bench.account("unseen"), live = bench.account("live"), dropped = bench.account("dropped"),
             fresh = bench.account("fresh");
  bench.database.note_seen(std::vector{unseen, live, dropped}, bench.time - 30 * 24h);
  bench.database.note_seen(std::vector{fresh}, bench.time - 29 * 24h);
  bench.work(dropped, false);
  auto tender = bench.make({.delete_after = 30 * 24h, .delete_every = 3'600s});
  tender.tend(bench.time);
  tender.tend(bench.time += 3'599s);
  CHECK(bench.removed.empty());
  bench.work(live);  // logged in just now
  tender.tend(bench.time += 1s);
  CHECK(bench.removed == std::vector{unseen});
  CHECK_FALSE(bench.database.user(unseen));
  for (const auto& name : {live, dropped, fresh}) CHECK(bench.database.user(name));
  CHECK(bench.told("account_removed") == 1);
  tender.tend(bench.time += 24h);
  CHECK(bench.removed == std::vector{unseen, fresh});
}

TEST_CASE("without the option no account is ever removed, and without a snapshot neither") {
  bench bench;
  const auto old = bench.account("old");
  bench.database.note_seen(std::vector{old}, moment{});
  auto never = bench.make();
  auto blind = bench.make({.delete_after = 24h, .delete_every = 1s});
  for (int i = 0; i < 100; ++i) never.tend(bench.time += 24h);
  bench.readable = false;
  for (int i = 0; i < 100; ++i) blind.tend(bench.time += 24h);
  CHECK(bench.database.user(old));
  CHECK(bench.removed.empty());
}

TEST_CASE("accounts are removed from the time on that it is wanted, and no sooner than a check later") {
  bench bench;
  const auto old = bench.account("old");
  bench.database.note_seen(std::vector{old}, moment{});
  auto tender = bench.make({.delete_every = 60s});
  for (int i = 0; i < 10; ++i) tender.tend(bench.time += 24h);
  tender.set({.delete_after = 24h, .delete_every = 60s});
  tender.tend(bench.time += 24h);
  tender.tend(bench.time += 59s);
  CHECK(bench.removed.empty());
  tender.tend(bench.time += 1s);
  CHECK(bench.removed == std::vector{old});
}
