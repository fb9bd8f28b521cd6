#include "metrics/hashrate_window.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

using namespace std::chrono_literals;
using stratumproxy::time_point;
using stratumproxy::metrics::hashrate_window;

namespace {

constexpr double two_to_32 = 4'294'967'296.0;
const time_point begin{1000h};

hashrate_window started() {
  hashrate_window window(300s, 60s);
  window.start(begin);
  return window;
}

}  // namespace

static_assert(sizeof(hashrate_window) <= 96, "one lives in every worker");

TEST_CASE("ten scrypt shares of difficulty 32 in a minute are about 350 kH/s") {
  auto window = started();
  for (int share = 0; share < 10; ++share) window.add(32.0 / 65'536, begin + share * 6s);
  CHECK(window.hashrate(begin + 60s) == Approx(349'525.3).epsilon(1e-6));
}

TEST_CASE("there is no hashrate before the first whole tick") {
  hashrate_window window(300s, 60s);
  CHECK(window.hashrate(begin) == 0);
  window.start(begin);
  window.add(1, begin + 10s);
  CHECK(window.hashrate(begin + 59'999ms) == 0);
  CHECK(window.hashrate(begin + 60s) == Approx(two_to_32 / 60));
}

TEST_CASE("the hashrate stays as it is between two ticks") {
  auto window = started();
  window.add(1, begin + 10s);
  const double first = window.hashrate(begin + 60s);
  window.add(100, begin + 70s);
  CHECK(window.hashrate(begin + 119s) == first);
  CHECK(window.hashrate(begin + 120s) == Approx(two_to_32 * 101 / 120));
}

TEST_CASE("while the worker is young the window is as many whole ticks as there are, then five") {
  auto window = started();
  for (int tick = 0; tick < 9; ++tick) {
    window.add(tick == 0 ? 600 : 60, begin + tick * 60s + 1s);
    const int whole = tick + 1;
    const double weights = whole <= 5 ? 600 + (whole - 1) * 60 : 300;
    const int seconds = std::min(whole, 5) * 60;
    INFO(tick);
    CHECK(window.hashrate(begin + whole * 60s) == Approx(two_to_32 * weights / seconds));
  }
}

TEST_CASE("a share on the edge of two ticks belongs to the later one") {
  auto window = started();
  window.add(1, begin + 60s);
  CHECK(window.hashrate(begin + 60s) == 0);
  CHECK(window.hashrate(begin + 120s) > 0);
}

TEST_CASE("a worker that stops mining falls to zero after the window") {
  auto window = started();
  window.add(1, begin + 1s);
  CHECK(window.hashrate(begin + 300s) == Approx(two_to_32 / 300));
  CHECK(window.hashrate(begin + 360s) == 0);
}

TEST_CASE("shares from before a long pause are forgotten") {
  auto window = started();
  for (int tick = 0; tick < 20; ++tick) window.add(1'000, begin + tick * 60s);
  const auto back = begin + 24h * 365;
  CHECK(window.hashrate(back) == 0);
  window.add(60, back);
  CHECK(window.hashrate(back + 60s) == Approx(two_to_32 * 60 / 300));
}

TEST_CASE("a pause of any number of ticks keeps exactly the shares of the window") {
  for (int pause = 1; pause < 30; ++pause) {
    auto window = started();
    for (int tick = 0; tick < 5; ++tick) window.add(1, begin + tick * 60s);
    window.add(1, begin + (4 + pause) * 60s);
    const double shares = 1 + std::max(0, 5 - pause);
    INFO(pause);
    CHECK(window.hashrate(begin + (5 + pause) * 60s) == Approx(two_to_32 * shares / 300));
  }
}

TEST_CASE("the first job starts the ticks once, and only a reset starts them anew") {
  auto window = started();
  window.start(begin + 30s);
  window.add(1, begin + 59s);
  CHECK(window.hashrate(begin + 60s) > 0);
  window.reset();
  CHECK_FALSE(window.started());
  CHECK(window.hashrate(begin + 60s) == 0);
  window.start(begin + 90s);
  window.add(2, begin + 91s);
  CHECK(window.hashrate(begin + 149s) == 0);
  CHECK(window.hashrate(begin + 150s) == Approx(two_to_32 * 2 / 60));
}

TEST_CASE("a moved window goes on where it was") {
  auto old = started();
  old.add(1, begin + 1s);
  hashrate_window window = std::move(old);
  window.add(1, begin + 61s);
  CHECK(window.hashrate(begin + 120s) == Approx(two_to_32 * 2 / 120));
}

TEST_CASE("shares before the first job and weights that are no numbers do not count") {
  hashrate_window window(300s, 60s);
  window.add(5, begin);
  window.start(begin);
  window.add(std::numeric_limits<double>::infinity(), begin);
  window.add(std::numeric_limits<double>::quiet_NaN(), begin);
  window.add(-1, begin);
  CHECK(window.hashrate(begin + 60s) == 0);
}

TEST_CASE("a clock that seems to run backwards loses no share") {
  auto window = started();
  window.add(1, begin + 130s);
  window.add(1, begin + 50s);
  window.add(1, begin - 50s);
  CHECK(window.hashrate(begin + 180s) == Approx(two_to_32 * 3 / 180));
}

TEST_CASE("windows of odd sizes are cut to what the ring can hold") {
  SECTION("more than eight ticks") {
    hashrate_window window(3600s, 60s);
    window.start(begin);
    for (int tick = 0; tick < 20; ++tick) window.add(60, begin + tick * 60s);
    CHECK(window.hashrate(begin + 20 * 60s) == Approx(two_to_32));
    CHECK(window.hashrate(begin + 24 * 60s) == Approx(two_to_32 / 2));
  }
  SECTION("less than one tick") {
    hashrate_window window(10s, 60s);
    window.start(begin);
    window.add(60, begin);
    CHECK(window.hashrate(begin + 60s) == Approx(two_to_32));
    CHECK(window.hashrate(begin + 120s) == 0);
  }
  SECTION("no interval") {
    hashrate_window window(0s, 0s);
    window.start(begin);
    window.add(1, begin);
    CHECK(window.hashrate(begin + 1ms) == Approx(two_to_32 * 1'000));
  }
}
