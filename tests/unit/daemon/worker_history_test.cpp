#include <catch2/catch.hpp>

#include <chrono>
#include <numeric>
#include <string>
#include <vector>

#include "worker_history.hpp"

namespace {

using namespace stratumproxyd;
using namespace std::chrono_literals;
namespace metrics = stratumproxy::metrics;

constexpr moment begin{1'767'322'800s};  // a minute's

metrics::snapshot workers(std::initializer_list<std::pair<std::string, double>> rigs, const std::string& account = "a") {
  metrics::snapshot out;
  for (const auto& [rig, hashrate] : rigs) {
    auto& row = out.workers.emplace_back();
    row.account = account;
    row.rig = rig;
    row.hashrate = hashrate;
  }
  return out;
}

}  // namespace

TEST_CASE("the hashrate of a rig is kept by the minute, summed over what has its name, with zeros where it was not there") {
  worker_history kept;
  kept.add(workers({{"one", 5}, {"one", 2}, {"two", 1}}), begin + 59s);
  kept.add(workers({{"two", 1}}), begin + 60s);
  kept.add(workers({{"one", 9}}), begin + 180s);
  kept.add(workers({{"one", 11}}), begin + 200s);  // the same minute: the last one counts
  CHECK(kept.hashrates("a", "one", begin, 5) == std::vector<double>{7, 0, 0, 11, 0});
  CHECK(kept.hashrates("a", "two", begin, 5) == std::vector<double>{1, 1, 0, 0, 0});
  CHECK(kept.hashrates("a", "one", begin - 60s, 2) == std::vector<double>{0, 7});
  CHECK(kept.hashrates("b", "one", begin, 2) == std::vector<double>{0, 0});
  CHECK(kept.hashrates("a", "", begin, 0).empty());
}

TEST_CASE("three hours are kept, and whoever was gone so long is forgotten") {
  worker_history kept;
  for (int minute = 0; minute < 400; ++minute) kept.add(workers({{"one", minute + 1.0}}), begin + minute * 60s);
  const auto all = kept.hashrates("a", "one", begin, 400);
  CHECK(all[219] == 0);
  CHECK(all[220] == 221);
  CHECK(all[399] == 400);
  kept.add(workers({{"two", 1}}), begin + 400 * 60s);
  CHECK(kept.hashrates("a", "one", begin + 399 * 60s, 1) == std::vector<double>{400});
  kept.add(workers({{"two", 1}}), begin + (399 + 180) * 60s);
  CHECK(kept.hashrates("a", "one", begin + 399 * 60s, 1) == std::vector<double>{0});
}

TEST_CASE("of more than two thousand rigs those that were gone longest make room, but none that is there") {
  worker_history kept;
  const auto many = [](int first, int count) {
    metrics::snapshot out;
    for (int i = first; i < first + count; ++i) {
      auto& row = out.workers.emplace_back();
      row.account = "a";
      row.rig = std::to_string(i);
      row.hashrate = 1;
    }
    return out;
  };
  const auto known = [&](int first, int count, moment when) {
    double sum = 0;
    for (int i = first; i < first + count; ++i) sum += kept.hashrates("a", std::to_string(i), when, 1)[0];
    return sum;
  };
  kept.add(many(0, 3'000), begin);
  CHECK(known(0, 3'000, begin) == worker_history::most_workers);
  kept.add(many(0, 3'000), begin + 60s);
  CHECK(known(0, 3'000, begin + 60s) == worker_history::most_workers);
  kept.add(many(5'000, 500), begin + 120s);
  CHECK(known(5'000, 500, begin + 120s) == 500);
  CHECK(known(0, 3'000, begin + 60s) == 1'500);
}

TEST_CASE("a clock that was set back spoils nothing") {
  worker_history kept;
  kept.add(workers({{"one", 5}}), begin + 600s);
  kept.add(workers({{"one", 7}, {"two", 1}}), begin);
  kept.add(workers({{"one", 6}}), begin + 660s);
  CHECK(kept.hashrates("a", "one", begin + 600s, 2) == std::vector<double>{5, 6});
}
