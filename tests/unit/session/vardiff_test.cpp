#include "session/vardiff.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "dice.hpp"

namespace {

using namespace std::chrono_literals;
using stratumproxy::duration;
using stratumproxy::time_point;
using stratumproxy::session::vardiff;
using stratumproxy::test::dice;
using stratumproxy::vardiff_options;

constexpr auto hour = 3'600.0;

time_point at(double seconds) {
  return time_point{} + 1h + std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

// An honest miner at divider 1. It takes a new difficulty with a delay of up to 1 s, and says every share at once.
class miner {
 public:
  miner(const vardiff_options& options, double hashes_per_second, std::uint64_t seed)
      : hashrate(hashes_per_second), wanted_(options.shares_per_minute / 60), dice_(seed), unit_(options) {
    mined_ = unit_.difficulty();
    next_tick_ = dice_.uniform() * tick_every;
    unit_.start(at(0));
  }

  void mine_until(double end) {
    while (true) {
      const double rate = hashrate / (0x1p32 * mined_);
      const double share = rate > 0 ? now_ + dice_.wait(rate) : std::numeric_limits<double>::infinity();
      const double taken = orders_.empty() ? std::numeric_limits<double>::infinity() : orders_.front().at;
      const double next = std::min({share, taken, next_tick_, end});
      now_ = next;
      // As the process has no memory, the wait for the share is drawn anew after anything else.
      if (next == end) return;
      if (next == taken) {
        mined_ = orders_.front().difficulty;
        orders_.pop_front();
      } else if (next == next_tick_) {
        next_tick_ += tick_every;
        note(unit_.tick(at(now_)));
      } else {
        ++shares;
        note(unit_.share(mined_, at(now_)));
      }
    }
  }
  void note(std::optional<double> ordered) {
    if (!ordered) return;
    changes.push_back(now_);
    const double delay = std::max(dice_.uniform(), orders_.empty() ? 0.0 : orders_.back().at - now_);
    orders_.push_back({now_ + delay, *ordered});
  }

  vardiff& unit() { return unit_; }
  double now() const { return now_; }
  /// Powers of two above the ideal one, whose rate is nearest to the wanted one.
  int error() const {
    const double ideal = std::round(std::log2(hashrate / 0x1p32 / wanted_));
    return static_cast<int>(std::log2(unit_.difficulty()) - ideal);
  }

  double hashrate;
  std::uint64_t shares = 0;
  std::vector<double> changes;

 private:
  static constexpr double tick_every = 5;
  struct order {
    double at = 0;
    double difficulty = 0;
  };
  double wanted_;
  dice dice_;
  vardiff unit_;
  double mined_ = 0;
  double now_ = 0;
  double next_tick_ = 0;
  std::deque<order> orders_;
};

// 1 MH/s to 200 TH/s
double any_hashrate(dice& random) { return 1e6 * std::pow(2e8, random.uniform()); }

// Seconds from now until it is within a power of two of the ideal, and stays so to the end.
double time_to_follow(miner& one, double end) {
  const double from = one.now();
  double since = -1;
  while (one.now() < end) {
    if (std::abs(one.error()) > 1) {
      since = -1;
    } else if (since < 0) {
      since = one.now() - from;
    }
    one.mine_until(one.now() + 1);
  }
  return since < 0 ? end : since;
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

// Feeds shares at the wanted rate, evenly, until it knows the hashrate; returns the time of the last.
double mine_evenly(vardiff& unit, double seconds) {
  double now = 0;
  unit.start(at(0));
  while ((now += 4) <= seconds) (void)unit.share(unit.difficulty(), at(now));
  return now - 4;
}

}  // namespace

TEST_CASE("after 5 minutes 99 % of the workers have the ideal power of two or its neighbour") {
  for (const double first : {1024.0, 0x1p-8, 0x1p24}) {
    const vardiff_options options{.first = first};
    dice random(7);
    const int workers = 2'000;
    int right = 0;
    int silent = 0;
    std::size_t changes = 0;
    for (int number = 0; number < workers; ++number) {
      miner one(options, any_hashrate(random), static_cast<std::uint64_t>(number));
      if (first < 1) one.hashrate = std::min(one.hashrate, 1e11);  // the simulation would take long
      one.mine_until(300);
      silent += one.shares == 0;
      right += std::abs(one.error()) <= 1;
      changes += one.changes.size();
    }
    CAPTURE(first, right, silent, changes);
    CHECK(silent == 0);
    CHECK(right >= 0.99 * workers);
    CHECK(changes < 8 * workers);
  }
}

TEST_CASE("a constant hashrate changes difficulty at most twice an hour") {
  const vardiff_options options;
  dice random(11);
  int hours = 0;
  int restless = 0;
  int wrong = 0;
  for (std::uint64_t number = 0; number < 250; ++number) {
    // Every other one in the worst place, between two powers of two.
    const double hashrate = number % 2 ? any_hashrate(random) : 0x1p32 * std::sqrt(2.0) * options.shares_per_minute / 60;
    miner one(options, hashrate, 1'000 + number);
    one.mine_until(600);
    one.changes.clear();
    one.mine_until(24 * hour);
    wrong += std::abs(one.error()) > 1;
    // In any hour, not only in those of the clock.
    for (std::size_t i = 2; i < one.changes.size(); ++i) restless += one.changes[i] - one.changes[i - 2] <= hour;
    hours += 24;
  }
  CAPTURE(hours, restless);
  CHECK(restless <= hours / 1'000);
  CHECK(wrong == 0);
}

TEST_CASE("ten times the hashrate is followed within two minutes, a tenth of it within ten, mostly much sooner") {
  const vardiff_options options;
  dice random(13);
  std::vector<double> up;
  std::vector<double> down;
  for (std::uint64_t number = 0; number < 400; ++number) {
    miner one(options, any_hashrate(random), 5'000 + number);
    one.mine_until(1'800);
    one.hashrate *= 10;
    up.push_back(time_to_follow(one, 3'600));
    one.hashrate /= 10;
    down.push_back(time_to_follow(one, 5'400));
  }
  CAPTURE(percentile(up, 0.5), percentile(up, 0.99), percentile(down, 0.5), percentile(down, 0.99));
  CHECK(percentile(up, 0.5) <= 20);
  CHECK(percentile(up, 0.99) <= 120);
  CHECK(percentile(down, 0.5) <= 200);
  CHECK(percentile(down, 0.99) <= 600);
}

TEST_CASE("a worker that finds nothing is lowered step by step to the floor") {
  for (const double first : {1024.0, 0x1p62}) {
    const vardiff_options options{.minimum = 0x1p-20, .first = first};
    vardiff unit(options);
    unit.start(at(0));
    double before = unit.difficulty();
    double now = 0;
    for (; now < 3'600 && unit.difficulty() > 0x1p-20; ++now) {
      if (const auto lowered = unit.tick(at(now))) {
        REQUIRE(*lowered == unit.difficulty());
        REQUIRE(*lowered < before);
        REQUIRE(*lowered >= before / 16);
        before = *lowered;
      }
    }
    CAPTURE(first, now);
    CHECK(unit.difficulty() == 0x1p-20);
    CHECK((first > 1024 || now < 180));
    for (; now < 7'200; ++now) REQUIRE_FALSE(unit.tick(at(now)));
  }
}

TEST_CASE("a worker that falls silent is lowered too, and has its difficulty back within seconds when it returns") {
  const vardiff_options options{.minimum = 0x1p-2};
  miner one(options, 1e12, 3);
  one.mine_until(1'000);
  CHECK(std::abs(one.error()) <= 1);
  one.hashrate = 0;
  one.mine_until(1'130);
  CHECK(one.unit().difficulty() > 32);
  one.mine_until(3'000);
  CHECK(one.unit().difficulty() == 0x1p-2);
  one.hashrate = 1e12;
  const auto shares = one.shares;
  one.mine_until(3'060);
  CHECK(std::abs(one.error()) <= 1);
  CHECK(one.shares - shares < 3'000);
}

TEST_CASE("difficulties are powers of two within all limits, whatever happens") {
  dice random(17);
  for (int run = 0; run < 60; ++run) {
    const auto power = [&random](double low, double high) { return std::exp2(low + (high - low) * random.uniform()); };
    const vardiff_options options{.minimum = power(-40, 0), .maximum = power(2, 70), .first = power(-60, 80)};
    vardiff unit(options);
    double link = 0;
    double now = 0;
    double told = unit.difficulty();
    unit.start(at(now));
    for (int step = 0; step < 500; ++step) {
      const double before = unit.difficulty();
      std::optional<double> changed;
      const auto what = static_cast<int>(random.uniform() * 40);
      const double value = random.uniform() < 0.1 ? 0 : power(-50, 70);
      now += random.wait(random.uniform() < 0.5 ? 1 : 1'000);
      if (what == 0)
        changed = unit.link_difficulty(link = value, at(now));
      else if (what == 1)
        changed = unit.wish_minimum(value, at(now));
      else if (what == 2)
        changed = unit.wish_fixed(value, at(now));
      else if (what == 3)
        changed = unit.suggest(value, at(now));
      else if (what == 4)
        unit.resume(at(now));
      else if (what < 25)
        changed = unit.share(random.uniform() < 0.9 ? told : value, at(now));
      else
        changed = unit.tick(at(now));

      const double difficulty = unit.difficulty();
      CAPTURE(run, step, what, difficulty, link, options.minimum, options.maximum);
      REQUIRE(changed.has_value() == (difficulty != before));
      if (changed) REQUIRE(*changed == difficulty);
      told = difficulty;
      REQUIRE(difficulty <= options.maximum);
      if (link > 0) REQUIRE(difficulty <= link);
      if (link > 0 && link < 0x1p-32) {
        REQUIRE(difficulty == link);
        continue;
      }
      int exponent = 0;
      REQUIRE(std::frexp(difficulty, &exponent) == 0.5);
      REQUIRE(difficulty >= 0x1p-32);
      REQUIRE(difficulty <= 0x1p62);
      if (link == 0) REQUIRE(difficulty >= options.minimum);
    }
  }
}

TEST_CASE("the link's difficulty is a ceiling, and what a worker is worth is not forgotten below it") {
  const vardiff_options options;
  vardiff unit(options);
  CHECK(unit.link_difficulty(16383.75, at(0)) == std::nullopt);
  CHECK(unit.suggest(1e6, at(0)) == 8192);
  CHECK(unit.link_difficulty(100, at(1)) == 64);
  // 15 shares a minute at 2^20 are 2^14 times as many at 64.
  unit.start(at(1));
  double now = 1;
  while (now < 120) REQUIRE_FALSE(unit.share(64, at(now += 0x1p-12)));
  CHECK_FALSE(unit.is_searching());
  CHECK(unit.link_difficulty(0x1p30, at(now)) == 0x1p20);
  CHECK(unit.link_difficulty(0x1p-40, at(now)) == 0x1p-40);
  CHECK(unit.link_difficulty(0, at(now)) == 0x1p20);
}

TEST_CASE("wishes are honoured within the limits") {
  const vardiff_options options{.minimum = 0.5, .maximum = 65'536};
  vardiff unit(options);
  CHECK(unit.suggest(700, at(0)) == 512);
  CHECK(unit.suggest(1e-9, at(0)) == 0.5);
  CHECK(unit.suggest(-1, at(0)) == std::nullopt);
  CHECK(unit.wish_minimum(1'000, at(0)) == 1'024);
  CHECK(unit.wish_fixed(5'000, at(0)) == 4'096);
  unit.start(at(0));
  for (double now = 0; now < 600; now += 1) REQUIRE_FALSE(unit.tick(at(now)));
  for (double now = 600; now < 700; now += 0.01) REQUIRE_FALSE(unit.share(4'096, at(now)));
  CHECK(unit.wish_minimum(1e9, at(700)) == 65'536);
  CHECK(unit.wish_fixed(0, at(700)) == std::nullopt);
  CHECK(unit.wish_minimum(0, at(700)) == std::nullopt);  // with 100 shares a second it is worth that
}

TEST_CASE("a suggestion changes nothing once the hashrate is known") {
  const vardiff_options options;
  vardiff unit(options);
  const double now = mine_evenly(unit, 120);
  CHECK_FALSE(unit.is_searching());
  CHECK_FALSE(unit.suggest(1, at(now)));
  CHECK(unit.difficulty() == 1'024);
}

TEST_CASE("what a worker found while it was away does not raise its difficulty") {
  const vardiff_options options;
  vardiff before(options);
  double now = mine_evenly(before, 600);
  vardiff unit = before;
  now += 50;  // without a connection, and without ticks
  unit.resume(at(now));
  for (int i = 0; i < 40; ++i) REQUIRE_FALSE(unit.share(1'024, at(now + 1)));
  CHECK_FALSE(unit.is_searching());
  now += 10;
  for (int i = 0; i < 100; ++i) REQUIRE_FALSE(unit.share(1'024, at(now += 4)));
  // Twenty shares that were stuck for 80 s.
  now += 80;
  REQUIRE_FALSE(unit.tick(at(now)));
  for (int i = 0; i < 20; ++i) (void)unit.share(1'024, at(now));
  CHECK(unit.difficulty() == 1'024);
}

TEST_CASE("shares of jobs from before a change are counted for what they are") {
  // 250 shares a second at 1 are wanted at 1000; the miner takes the new difficulty only after 5 s.
  const vardiff_options options{.first = 1};
  vardiff unit(options);
  unit.start(at(0));
  double now = 0;
  while (now < 6) (void)unit.share(1, at(now += 0.004));
  CHECK(unit.difficulty() == 1'024);
}

TEST_CASE("a flood is met before a second is over") {
  const vardiff_options options{.first = 1};
  vardiff unit(options);
  unit.start(at(0));
  int shares = 0;
  for (double now = 0; unit.difficulty() < 1'000 && shares < 10'000; ++shares) (void)unit.share(1, at(now += 1e-4));
  CHECK(shares == 256);
}

TEST_CASE("nothing counts before the first job") {
  const vardiff_options options;
  vardiff unit(options);
  CHECK_FALSE(unit.tick(at(10'000)));
  CHECK_FALSE(unit.share(1'024, at(10'000)));
  CHECK(unit.difficulty() == 1'024);
  unit.start(at(10'000));
  CHECK_FALSE(unit.tick(at(10'007)));
  CHECK(unit.tick(at(10'008)) == 64);
}

TEST_CASE("a difficulty from another proxy is kept, and only evidence changes it") {
  vardiff_options options;
  vardiff unit(options);
  unit.recall(4'096);
  CHECK(unit.difficulty() == 4'096);
  CHECK_FALSE(unit.is_searching());
  unit.resume(at(0));
  CHECK_FALSE(unit.tick(at(30)));  // a search would have gone down by now
  CHECK(unit.difficulty() == 4'096);
  CHECK(unit.link_difficulty(1'024, at(30)));  // the link's limit holds
  CHECK(unit.difficulty() == 1'024);
  CHECK(unit.tick(at(600)));
  CHECK(unit.difficulty() < 1'024);
}

TEST_CASE("what is no difficulty is not recalled") {
  vardiff_options options;
  vardiff unit(options);
  for (const double odd : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    unit.recall(odd);
    CHECK(unit.difficulty() == options.first);
    CHECK(unit.is_searching());
  }
}
