#include "session/hashrate_split.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "dice.hpp"

namespace {

using namespace std::chrono_literals;
using stratumproxy::slice_options;
using stratumproxy::time_point;
using stratumproxy::session::hashrate_split;
using stratumproxy::session::worker_id;
using stratumproxy::test::dice;

constexpr auto begin = time_point{} + 1h;
constexpr int hour = 3'600;
constexpr int day = 24 * hour;

struct miner {
  double rate = 0;  // work a second
  double next = 0;  // second of its next share
  double seen = 0;  // the rate as it is estimated
  int since = 0;    // the second when it joined
  int moves = 0;
  std::vector<int> left;  // when it last left each route; -1: never was there
};

// Miners with 20 shares a minute each, whose rates are known as well as from a window of 5 minutes. Each second is planned.
class farm {
 public:
  farm(std::vector<unsigned> weights, std::uint64_t seed)
      : weights_(std::move(weights)), unit_(options_, weights_), dice_(seed), usable_(weights_.size(), true) {
    forget_work();
  }
  farm(std::vector<unsigned> weights, std::vector<double> rates, std::uint64_t seed) : farm(std::move(weights), seed) {
    for (const auto rate : rates) join(rate);
  }
  farm(const farm&) = delete;

  void join(double rate) {
    const auto route = unit_.place(workers);
    REQUIRE(route);
    REQUIRE(usable_[*route]);
    miners.push_back(
        {.rate = rate, .next = now_ + dice_.wait(per_second), .since = now_, .left = std::vector<int>(weights_.size(), -1)});
    workers.push_back({worker_id{++last_}, 0, *route, time()});
  }
  void leave(std::size_t index) {
    miners.erase(miners.begin() + static_cast<std::ptrdiff_t>(index));
    workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(index));
  }
  void set_usable(std::size_t route, bool is_usable) {
    usable_[route] = is_usable;
    unit_.set_usable(route, is_usable);
  }

  void mine(int seconds) {
    for (const int end = now_ + seconds; now_ < end;) {
      ++now_;
      for (std::size_t i = 0; i < miners.size(); ++i) {
        auto& one = miners[i];
        double found = 0;
        for (; one.next < now_; one.next += dice_.wait(per_second)) found += one.rate / per_second;
        if (found > 0) unit_.add_work(workers[i].route, found);
        work[workers[i].route] += found;
        one.seen += (found - one.seen) / std::min(now_ - one.since, 150);
        workers[i].rate = now_ - one.since < 30 ? 0 : one.seen;
      }
      unit_.plan(workers, time(), moves_);
      for (const auto& ordered : moves_) move(ordered);
    }
  }
  void forget_work() { work.assign(weights_.size(), 0); }

  /// Of the work, in points, by how much the route that is most wrong is off.
  double error() const {
    const double all = std::accumulate(work.begin(), work.end(), 0.0);
    double weights = 0;
    for (std::size_t route = 0; route < work.size(); ++route)
      if (usable_[route]) weights += weights_[route];
    double worst = 0;
    for (std::size_t route = 0; route < work.size(); ++route)
      worst = std::max(worst, std::abs(work[route] / all - (usable_[route] ? weights_[route] / weights : 0)));
    return 100 * worst;
  }
  /// A whole day; the error of the worst hour but the first.
  double mine_a_day() {
    double worst = 0;
    auto whole = work;
    for (int passed = 0; passed < day; passed += hour) {
      forget_work();
      mine(hour);
      if (passed > 0) worst = std::max(worst, error());
      for (std::size_t route = 0; route < work.size(); ++route) whole[route] += work[route];
    }
    work = whole;
    return worst;
  }
  std::size_t count(std::size_t route) const {
    return static_cast<std::size_t>(
        std::count_if(workers.begin(), workers.end(), [route](const auto& one) { return one.route == route; }));
  }
  int most_moves() const {
    int most = 0;
    for (const auto& one : miners) most = std::max(most, one.moves);
    return most;
  }

  std::vector<hashrate_split::worker> workers;
  std::vector<miner> miners;
  std::vector<double> work;  // by route
  int moved = 0;
  int longest_away = 0;  // of any worker, from a route where it was before

 private:
  static constexpr double per_second = 20.0 / 60;

  time_point time() const { return begin + std::chrono::seconds(now_); }
  void move(const hashrate_split::move& ordered) {
    const auto at =
        std::lower_bound(workers.begin(), workers.end(), ordered.id, [](const auto& a, worker_id id) { return a.id < id; });
    REQUIRE(at != workers.end());
    REQUIRE(at->id == ordered.id);
    REQUIRE(at->route != ordered.to);
    REQUIRE(usable_[ordered.to]);
    REQUIRE(weights_[ordered.to] > 0);
    if (usable_[at->route]) REQUIRE(time() - at->since >= std::max<stratumproxy::duration>(options_.shortest, unit_.slice()));
    auto& one = miners[static_cast<std::size_t>(at - workers.begin())];
    if (one.left[ordered.to] >= 0) longest_away = std::max(longest_away, now_ - one.left[ordered.to]);
    one.left[at->route] = now_;
    ++one.moves;
    ++moved;
    at->route = ordered.to;
    at->since = time();
  }

  slice_options options_;
  std::vector<unsigned> weights_;
  hashrate_split unit_;
  dice dice_;
  std::vector<bool> usable_;
  std::vector<hashrate_split::move> moves_;
  int now_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace

TEST_CASE("hashrate is divided as the weights say, in a day and in each of its hours, with few moves") {
  struct expected {
    std::vector<unsigned> weights;
    std::size_t workers = 0;
    int moves = 0;      // of one worker
    double points = 0;  // in the day
  };
  for (const auto& [weights, count, moves, points] : std::vector<expected>{{{70, 30}, 1, 640, 0.2},
                                                                           {{70, 30}, 3, 640, 0.2},
                                                                           {{70, 30}, 100, 5, 0.1},
                                                                           {{50, 50}, 1, 750, 0.2},
                                                                           {{50, 50}, 3, 750, 0.2},
                                                                           {{50, 50}, 100, 5, 0.1},
                                                                           {{95, 5}, 1, 600, 0.3},
                                                                           {{95, 5}, 3, 640, 0.2},
                                                                           {{95, 5}, 100, 5, 0.1},
                                                                           {{99, 1}, 1, 150, 0.2},
                                                                           {{99, 1}, 3, 320, 0.1},
                                                                           {{99, 1}, 100, 10, 0.1},
                                                                           {{50, 30, 20}, 1, 1'200, 0.2},
                                                                           {{50, 30, 20}, 3, 900, 0.2},
                                                                           {{50, 30, 20}, 100, 10, 0.1}}) {
    for (std::uint64_t seed = 1; seed <= (count < 100 ? 3 : 2); ++seed) {
      farm one(weights, std::vector(count, 1.0 / 3), seed);
      const double worst_hour = one.mine_a_day();
      CAPTURE(weights, count, seed, one.moved, one.most_moves(), one.error(), worst_hour);
      CHECK(one.error() < points);
      CHECK(worst_hour < 2.5);
      CHECK(one.most_moves() <= moves);
    }
  }
}

TEST_CASE("a worker that is sliced is on every route once in an idle limit") {
  for (const auto& weights : {std::vector{70U, 30U}, {90U, 10U}, {50U, 30U, 20U}}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      farm one(weights, {1}, seed);
      one.mine(day);
      CAPTURE(weights, seed);
      CHECK(one.longest_away > 100);
      CHECK(one.longest_away <= 290);
    }
  }
}

TEST_CASE("one worker with 95 % of the hashrate is sliced, and the small ones stay") {
  for (const std::size_t place : {0, 10, 20}) {
    std::vector<double> rates(21, 5.0 / 20);
    rates[place] = 95;
    farm one({70, 30}, rates, place);
    one.mine(hour);
    for (auto& any : one.miners) any.moves = 0;
    const double worst_hour = one.mine_a_day();
    CAPTURE(place, one.error(), worst_hour, one.moved);
    CHECK(one.error() < 0.2);
    CHECK(worst_hour < 2.5);
    CHECK(one.miners[place].moves > 400);
    for (std::size_t i = 0; i < rates.size(); ++i)
      if (i != place) CHECK(one.miners[i].moves <= 2);
  }
}

TEST_CASE("workers of all sizes are divided too") {
  for (const auto& weights : {std::vector{70U, 30U}, {50U, 30U, 20U}}) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      dice random(seed);
      std::vector<double> rates(50);
      for (auto& rate : rates) rate = std::pow(100, random.uniform());
      farm one(weights, rates, seed);
      const double worst_hour = one.mine_a_day();
      CAPTURE(weights, seed, one.moved, one.most_moves(), one.error(), worst_hour);
      CHECK(one.error() < 0.1);
      CHECK(worst_hour < 1.5);
      CHECK(one.moved < 1'500);
    }
  }
}

TEST_CASE("a route that is away for an hour has neither debt nor credit when it is back") {
  for (const std::size_t count : {1, 3, 30}) {
    farm one({70, 30}, std::vector(count, 1.0), count);
    one.mine(2 * hour);
    one.set_usable(1, false);
    one.forget_work();
    one.mine(1);
    CHECK(one.count(1) == 0);
    one.mine(hour);
    CHECK(one.work[0] > 0);
    CHECK(one.work[1] < 0.01 * one.work[0]);
    one.set_usable(1, true);
    one.mine(120);  // to get there
    one.forget_work();
    one.mine(hour);
    CAPTURE(count, one.error());
    CHECK(one.error() < 2.5);
  }
}

TEST_CASE("what a route gets that is not usable, the others share in proportion") {
  for (const std::size_t count : {1, 5, 50}) {
    farm one({50, 30, 20}, std::vector(count, 1.0), count);
    one.set_usable(0, false);
    one.mine(60);
    one.forget_work();
    one.mine(12 * hour);
    CAPTURE(count, one.work, one.error());
    CHECK(one.work[0] == 0);
    CHECK(one.error() < 0.5);
  }
}

TEST_CASE("workers that join one by one are placed right, without a move") {
  farm one({50, 30, 20}, 1);
  for (std::size_t joined = 1; joined <= 1'000; ++joined) {
    one.join(1);
    if (joined % 5 == 0) one.mine(1);
    for (const auto& [route, part] : {std::pair{0, 0.5}, {1, 0.3}, {2, 0.2}})
      REQUIRE(std::abs(static_cast<double>(one.count(static_cast<std::size_t>(route))) - part * static_cast<double>(joined)) <=
              2 + 0.01 * static_cast<double>(joined));
  }
  one.mine(300);
  CHECK(one.moved == 0);
}

TEST_CASE("when workers leave, no more of the others move than have to") {
  farm one({70, 30}, std::vector(100, 1.0), 5);
  one.mine(hour);
  for (int left = 0; left < 40;) {
    const auto at = std::find_if(one.workers.begin(), one.workers.end(), [](const auto& any) { return any.route == 0; });
    one.leave(static_cast<std::size_t>(at - one.workers.begin()));
    ++left;
  }
  one.mine(120);
  CAPTURE(one.moved, one.count(0));
  CHECK(one.count(0) >= 40);  // of 60
  CHECK(one.count(0) <= 44);
  one.forget_work();
  one.mine(2 * hour);
  CHECK(one.error() < 1.5);
  CHECK(one.moved < 25);
}

TEST_CASE("with all weights on one route nobody moves") {
  farm one({0, 7, 0}, std::vector(5, 1.0), 1);
  one.mine(6 * hour);
  CHECK(one.moved == 0);
  CHECK(one.error() == 0);
}

TEST_CASE("who is where nobody should be gets a place at once, and nobody when there is none") {
  const slice_options options;
  hashrate_split unit(options, std::vector{70U, 30U, 0U});
  std::vector<hashrate_split::worker> workers;
  for (std::uint64_t id = 1; id <= 10; ++id) workers.push_back({worker_id{id}, 1, 2, begin});
  workers.back().route = 99;
  std::vector<hashrate_split::move> moves{{}};
  for (const std::size_t route : {0, 1}) unit.set_usable(route, false);
  CHECK_FALSE(unit.place(workers));
  unit.plan(workers, begin, moves);
  CHECK(moves.empty());

  for (const std::size_t route : {0, 1}) unit.set_usable(route, true);
  unit.plan(workers, begin, moves);
  CHECK(moves.size() == 10);
  CHECK(std::count_if(moves.begin(), moves.end(), [](const auto& one) { return one.to == 0; }) == 7);
  CHECK(std::count_if(moves.begin(), moves.end(), [](const auto& one) { return one.to == 1; }) == 3);
}

TEST_CASE("nobody is sliced before a hashrate is known") {
  const slice_options options;
  hashrate_split unit(options, std::vector{70U, 30U});
  std::vector<hashrate_split::worker> workers{{worker_id{1}, 0, unit.place({}).value(), begin}};
  CHECK(workers[0].route == 0);
  std::vector<hashrate_split::move> moves;
  for (int second = 0; second < 600; ++second) {
    unit.add_work(0, 1e6);
    unit.plan(workers, begin + std::chrono::seconds(second), moves);
    REQUIRE(moves.empty());
  }
  workers[0].rate = 1e6;
  unit.plan(workers, begin + 10min, moves);
  REQUIRE(moves.size() == 1);
  CHECK(moves[0].to == 1);
}

TEST_CASE("slices are as short as the smallest part and the idle limit ask for, within the limits") {
  const slice_options options;
  std::vector<hashrate_split::move> moves;
  for (const auto& [weights, slice] : std::vector<std::pair<std::vector<unsigned>, std::chrono::seconds>>{
           {{50, 50}, 60s}, {{90, 10}, 24s}, {{99, 1}, 15s}, {{80, 19, 1}, 15s}, {{1, 0}, 60s}}) {
    hashrate_split unit(options, weights);
    unit.plan(std::vector<hashrate_split::worker>{{worker_id{1}, 5, 0, begin}}, begin, moves);
    CAPTURE(weights);
    CHECK(moves.empty());
    CHECK(std::chrono::round<std::chrono::milliseconds>(unit.slice()) == slice);
  }
}

TEST_CASE("ten thousand workers that are all on one of two pools are moved within a minute, and no more of them than have to") {
  farm one({70, 30}, 1);
  one.set_usable(1, false);
  for (int i = 0; i < 10'000; ++i) {
    one.workers.push_back({worker_id{static_cast<std::uint64_t>(i + 1)}, 0, 0, begin});
    one.miners.push_back({.rate = 1, .left = {-1, -1}});
  }
  one.mine(70);
  one.set_usable(1, true);
  one.mine(60);
  CAPTURE(one.count(1));
  CHECK(std::abs(static_cast<double>(one.count(1)) - 3'000) <= 200);
  CHECK(one.moved < 3'200);
  one.forget_work();
  one.mine(hour);
  CAPTURE(one.moved, one.error());
  CHECK(one.error() < 1.5);
  CHECK(one.moved < 3'500);
}
