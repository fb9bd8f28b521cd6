#include <chrono>
#include <future>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "test_database.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using store_test::test_database;

namespace {

constexpr std::int64_t hour = 3'600;
constexpr std::int64_t start_of_test = 1'767'322'800;  // an hour's begin
moment at(std::int64_t seconds) { return moment(std::chrono::seconds(seconds)); }

total_record growth(const std::string& account, std::uint64_t sent, const std::string& pool = "p:1",
                    const std::string& algorithm = "sha256d") {
  total_record row;
  row.account = account;
  row.pool = pool;
  row.algorithm = algorithm;
  row.shares.sent = sent;
  row.shares.accepted = sent / 2;
  row.shares.rejected[0] = sent / 4;
  row.shares.rejected[5] = 1;
  row.shares.unknown = 1;
  row.shares.accepted_one = static_cast<double>(sent) / 2;
  return row;
}

history_filter all(std::int64_t step = 300) {
  return {.account = {},
          .pool = {},
          .algorithm = {},
          .from = at(start_of_test - 48 * hour),
          .to = at(start_of_test + 48 * hour),
          .step = std::chrono::seconds(step)};
}

// start -> sent
std::map<std::int64_t, std::uint64_t> sent(store& tables, const history_filter& which) {
  std::map<std::int64_t, std::uint64_t> out;
  for (const auto& point : tables.history(which)) out[point.start.time_since_epoch().count()] = point.sent;
  return out;
}

std::uint64_t sum_of_history(store& tables) {
  std::uint64_t sum = 0;
  for (const auto& [start, count] : sent(tables, all())) sum += count;
  return sum;
}

}  // namespace

TEST_CASE("what the totals grow by is in the history, in periods of five minutes, summed over proxies") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  CHECK(store->history(all()).empty());
  store->add_totals("a", std::vector{growth("one", 8), growth("two", 100)}, at(start_of_test));
  store->add_totals("a", std::vector{growth("one", 12)}, at(start_of_test + 299));
  store->add_totals("b", std::vector{growth("one", 1'000, "q:1", "scrypt")}, at(start_of_test + 300));
  using rows = std::map<std::int64_t, std::uint64_t>;
  CHECK(sent(*store, all()) == rows{{start_of_test, 120}, {start_of_test + 300, 1'000}});
  CHECK(sent(*store, all(hour)) == rows{{start_of_test, 1'120}});
  auto which = all();
  which.account = "one";
  CHECK(sent(*store, which) == rows{{start_of_test, 20}, {start_of_test + 300, 1'000}});
  which.pool = "p:1";
  CHECK(sent(*store, which) == rows{{start_of_test, 20}});
  which.account.reset();
  which.pool.reset();
  which.algorithm = "scrypt";
  CHECK(sent(*store, which) == rows{{start_of_test + 300, 1'000}});
  which.algorithm = std::string("\xff");
  CHECK(store->history(which).empty());
  which = all();
  which.from = at(start_of_test + 300);
  CHECK(sent(*store, which) == rows{{start_of_test + 300, 1'000}});
  which.from = all().from;
  which.to = at(start_of_test + 300);
  CHECK(sent(*store, which) == rows{{start_of_test, 120}});

  const auto points = store->history(all());
  CHECK(points[0].accepted == 60);
  CHECK(points[0].rejected == 2 + 1 + 25 + 1 + 3 + 1);
  CHECK(points[0].unknown == 3);
  CHECK(points[0].accepted_one == 60);
}

TEST_CASE("after two days the periods of an hour are one, and nothing of them is lost; later they are dropped") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  std::mt19937 random(7);
  std::map<std::int64_t, std::uint64_t> expected;
  for (std::int64_t when = start_of_test; when < start_of_test + 6 * hour; when += 60) {
    const auto count = 4 + random() % 100;
    store->add_totals(when % 120 ? "a" : "b", std::vector{growth("one", count), growth("two", 4)}, at(when));
    expected[when - when % hour] += count + 4;
  }
  const auto before = sent(*store, all());
  CHECK(before.size() == 72);
  const auto works = store->history(all(hour));
  const auto now = start_of_test + 48 * hour + 3 * hour + 59;
  store->tend_history(at(now), 31 * 24h);
  store->tend_history(at(now), 31 * 24h);
  CHECK(sent(*store, all(hour)) == expected);
  CHECK(sent(*store, all()).size() == 3 + 36);
  const auto again = store->history(all(hour));
  for (std::size_t i = 0; i < works.size(); ++i) {
    CHECK(again[i].accepted == works[i].accepted);
    CHECK(again[i].rejected == works[i].rejected);
    CHECK(again[i].unknown == works[i].unknown);
    CHECK(again[i].accepted_one == Approx(works[i].accepted_one).epsilon(1e-12));
  }
  // A proxy whose clock is behind adds to an hour that is one row already.
  store->add_totals("a", std::vector{growth("one", 40)}, at(start_of_test));
  expected[start_of_test] += 40;
  store->tend_history(at(now), 31 * 24h);
  CHECK(sent(*store, all(hour)) == expected);
  CHECK(sent(*store, all()).size() == 3 + 36);

  store->tend_history(at(start_of_test + 31 * 24 * hour + 2 * hour), 31 * 24h);
  expected.erase(start_of_test);
  expected.erase(start_of_test + hour);
  CHECK(sent(*store, all()) == expected);
  store->tend_history(at(start_of_test + 365 * 24 * hour), 31 * 24h);
  CHECK(store->history(all()).empty());
  CHECK(store->totals("a").size() == 2);
}

TEST_CASE("proxies that tend and write the history at once lose and double nothing") {
  const test_database database(GENERATE(from_range(store_test::kinds())));
  const std::unique_ptr<store> stores[] = {database.open(), database.open()};
  std::uint64_t written = 0;
  for (std::int64_t when = start_of_test; when < start_of_test + 5 * hour; when += 300) {
    std::vector<total_record> rows;
    for (int i = 0; i < 40; ++i) rows.push_back(growth("account" + std::to_string(i), 10));
    stores[0]->add_totals("a", rows, at(when));
    written += 400;
  }
  std::vector<std::future<void>> both;
  for (int proxy = 0; proxy < 2; ++proxy)
    both.push_back(std::async(std::launch::async, [&, proxy] {
      for (int round = 0; round < 10; ++round) {
        stores[proxy]->add_totals(proxy ? "b" : "a", std::vector{growth("account1", 10)}, at(start_of_test + round * 300));
        stores[proxy]->tend_history(at(start_of_test + 100 * hour), 31 * 24h);
      }
    }));
  for (auto& each : both) each.get();
  CHECK(sum_of_history(*stores[0]) == written + 200);
  CHECK(sent(*stores[1], all()).size() == 5);
}
