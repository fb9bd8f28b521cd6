// The hashrate of an account is divided over its pools: whole workers, or slices of their time.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string_view>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;
using stratumproxy::metrics::switch_cause;

namespace {

bool is_full_size() {
  const char* const scale = std::getenv("SPX_SCALE");
  return scale && std::string_view(scale) == "full";
}

/// Pools that give jobs every half minute, and miners that find shares as a Poisson process.
struct house {
  house(link_mode mode, const std::vector<unsigned>& weights, std::size_t workers, double shares_per_minute = 20,
        std::uint64_t seed = 9, stratumproxy::options with = {})
      : all(seed, 1, std::move(with)), pause(60 / shares_per_minute) {
    const auto rules = [=](stratumproxy::pool_info& row) {
      row.mode = mode;
      row.fixed_difficulty = true;
    };
    for (std::size_t i = 0; i < weights.size(); ++i) {
      pools.push_back(&all.add_pool("pool" + std::to_string(i) + ".example:3333"));
      if (i == 0) all.add_account("alice", pools[0]->name, "", 1, rules);
      else all.add_route("alice", pools[i]->name);
    }
    set_weights(weights);
    for (std::size_t i = 0; i < workers; ++i) {
      miners.push_back(all.connect());
      miners.back()->login("alice.r" + std::to_string(i));
      find_next(*miners.back());
    }
    tick();
  }
  void set_weights(const std::vector<unsigned>& weights) {
    all.change_account("alice", [&](stratumproxy::account& row) {
      for (std::size_t i = 0; i < weights.size(); ++i) row.routes[i].weight = weights[i];
    });
  }
  void tick() {
    for (auto* one : pools) {
      std::erase_if(one->links, [](const auto& link) { return !link->open; });
      for (const auto& link : one->links) {
        if (link->authorized) (void)link->job(true);
      }
    }
    for (const auto& one : miners) {
      one->jobs.erase(one->jobs.begin(), one->jobs.end() - std::min<std::ptrdiff_t>(4, one->jobs.end() - one->jobs.begin()));
      one->replies.clear();
      one->lines.clear();
    }
    all.after(30s, [this] { tick(); });
  }
  void find_next(miner& one) {
    const double chance = (static_cast<double>(all.random() >> 11) + 1) * 0x1p-53;
    all.after(std::chrono::duration_cast<duration>(std::chrono::duration<double>(-std::log(chance) * pause)), [this, &one] {
      if (one.open && one.has_job()) (void)one.submit();
      find_next(one);
    });
  }
  // What each pool has got, in parts of all.
  [[nodiscard]] std::vector<double> parts() const {
    double sum = 0;
    for (const auto* one : pools) sum += static_cast<double>(one->ledger.size());
    std::vector<double> got;
    for (const auto* one : pools) got.push_back(static_cast<double>(one->ledger.size()) / sum);
    return got;
  }
  void start_over() {
    for (auto* one : pools) one->ledger.clear();
  }
  [[nodiscard]] std::uint64_t switches(switch_cause why) const {
    std::uint64_t sum = 0;
    for (const auto& row : all.snapshot().pools) sum += row.switches[static_cast<std::size_t>(why)];
    return sum;
  }
  void check_laws() const {
    for (const auto& one : miners) CHECK(one->open);
    stratumproxy::metrics::share_counts sum;
    double seconds = 0;
    for (const auto& row : all.snapshot().totals) {
      sum += row.shares;
      seconds += row.worker_seconds;
    }
    CHECK(sum.unknown == 0);
    CHECK(sum.rejected_total() == 0);
    CHECK(sum.sent - sum.accepted <= miners.size());  // in flight
    CHECK(seconds > 0);
  }

  world all;
  double pause;  // seconds, of one worker between two shares
  std::vector<pool*> pools;
  std::vector<std::shared_ptr<miner>> miners;
};

const auto both_modes = {link_mode::dedicated, link_mode::shared};

}  // namespace

TEST_CASE("70 to 30 is 70 to 30 over a day, for 1, 3 and 100 workers") {
  const auto workers = GENERATE(std::size_t{1}, 3, 100);
  const auto mode = GENERATE(values(both_modes));
  const bool is_long = is_full_size() || workers < 10;
  house here(mode, {70, 30}, workers);
  here.all.run_for(is_long ? 24h : 1h);
  const auto got = here.parts();
  const double hours = is_long ? 24 : 1;
  const double moves = static_cast<double>(here.switches(switch_cause::slice)) / static_cast<double>(workers) / hours;
  if (is_full_size()) {
    WARN(workers << (mode == link_mode::shared ? " workers, shared: " : " workers, dedicated: ") << got[0] << ", " << moves
                 << " moves a worker and hour");
  }
  CHECK(got[0] == Approx(0.7).margin(is_long ? 0.005 : 0.02));
  here.check_laws();
}

TEST_CASE("what is achieved stands in the snapshot, for each route and each worker") {
  house here(GENERATE(values(both_modes)), {70, 30}, 1);
  here.all.run_for(6h);
  const auto now = here.all.snapshot();
  REQUIRE(now.routes.size() == 2);
  const double all_work = now.routes[0].work + now.routes[1].work;
  CHECK(now.routes[0].weight == 70);
  CHECK(now.routes[0].work / all_work == Approx(0.7).margin(0.02));
  CHECK(now.routes[0].workers + now.routes[1].workers == 1);
  CHECK(now.routes[0].is_usable);
  CHECK(now.routes[0].work == Approx(8.0 * static_cast<double>(here.pools[0]->ledger.size())).epsilon(0.001));

  REQUIRE(now.workers.size() == 2);  // one a pool
  CHECK(now.workers[0].is_current != now.workers[1].is_current);
  double rate = 0;
  for (const auto& row : now.workers) {
    const auto& at = row.pool == here.pools[0]->name ? *here.pools[0] : *here.pools[1];
    CHECK(row.shares.accepted == at.ledger.size());
    rate += row.hashrate;
  }
  // 20 shares a minute of difficulty 8; their number in 5 minutes has a deviation of 10 %.
  CHECK(rate == Approx(std::ldexp(8.0 * 20 / 60, 32)).epsilon(0.35));
}

TEST_CASE("no pool waits longer for a worker's slice than pools keep an idle link, and no link is opened twice") {
  house here(link_mode::dedicated, {80, 20}, 1);
  std::map<const pool*, time_point> last;
  here.all.run_for(30min);
  for (auto* one : here.pools) last[one] = here.all.now;
  here.start_over();
  duration longest{0};
  for (int i = 0; i < 6 * 3'600; ++i) {
    here.all.run_for(1s);
    for (auto* one : here.pools) {
      longest = std::max(longest, here.all.now - last[one]);
      if (one->ledger.empty()) continue;
      last[one] = here.all.now;
      one->ledger.clear();
    }
  }
  CHECK(longest < 330s);  // 300 s, and the time until a share is found
  for (const auto* one : here.pools) CHECK(one->attempts == 1);
  here.check_laws();
}

TEST_CASE("a pool that is away gets nothing and owes nothing; its part goes to the other, then to the fall-back") {
  house here(GENERATE(values(both_modes)), {60, 40, 0}, 5);
  here.all.run_for(1h);
  CHECK(here.pools[2]->ledger.empty());
  here.pools[1]->up = false;
  here.pools[1]->drop_all();
  here.all.run_for(10s);
  here.start_over();
  here.all.run_for(1h);
  CHECK(here.parts()[0] == 1);
  here.pools[0]->up = false;
  here.pools[0]->drop_all();
  here.all.run_for(10s);
  here.start_over();
  here.all.run_for(10min);
  CHECK(here.parts()[2] == 1);
  for (auto* one : here.pools) one->up = true;
  here.all.run_for(10min);
  here.start_over();
  here.all.run_for(4h);
  CHECK(here.parts()[0] == Approx(0.6).margin(0.03));
  CHECK(here.parts()[2] == Approx(0.0).margin(0.001));
  for (const auto& one : here.miners) CHECK(one->open);
}

TEST_CASE("weights change while workers mine") {
  house here(GENERATE(values(both_modes)), {100, 0}, 10);
  here.all.run_for(1h);
  CHECK(here.parts()[0] == 1);
  CHECK(here.pools[1]->attempts == 0);
  here.set_weights({50, 50});
  here.all.run_for(1min);
  here.start_over();
  here.all.run_for(3h);
  CHECK(here.parts()[0] == Approx(0.5).margin(0.02));
  here.set_weights({0, 1});
  here.all.run_for(1min);
  here.start_over();
  here.all.run_for(30min);
  CHECK(here.parts()[1] == 1);
  here.set_weights({0, 0});
  here.all.run_for(1min);
  here.start_over();
  here.all.run_for(30min);
  CHECK(here.parts()[0] == 1);
  here.check_laws();
}

TEST_CASE("two users at one pool share the hashrate of an account") {
  house here(GENERATE(values(both_modes)), {90, 10}, 3);
  here.all.change_account("alice", [](stratumproxy::account& row) {
    row.routes[1] = row.routes[0];
    row.routes[0].weight = 90;
    row.routes[1].weight = 10;
    row.routes[1].user = "partner";
  });
  here.all.run_for(1min);
  here.start_over();
  here.all.run_for(12h);
  const auto& ledger = here.pools[0]->ledger;
  const auto partner = std::count_if(ledger.begin(), ledger.end(), [](const auto& share) { return share.user.starts_with("partner"); });
  CHECK(static_cast<double>(partner) / static_cast<double>(ledger.size()) == Approx(0.1).margin(0.02));
  CHECK(here.pools[1]->ledger.empty());
  const auto now = here.all.snapshot();
  CHECK(now.routes.at(1).work / (now.routes[0].work + now.routes[1].work) == Approx(0.1).margin(0.02));
  here.check_laws();
}

TEST_CASE("the difficulty is sent anew with each slice, and no search is given twice") {
  house here(GENERATE(values(both_modes)), {50, 50}, 1);
  here.pools[1]->first_difficulty = 32;
  here.all.run_for(5min);
  const auto& one = *here.miners[0];
  std::size_t slices = 0;
  std::string before;
  for (int i = 0; i < 1'200; ++i) {
    here.all.run_for(1s);
    if (one.lines.empty()) continue;
    const auto& job = one.jobs.back();
    for (const auto* at : here.pools) {
      for (const auto& link : at->links) {
        for (const auto& [id, coinb1] : link->coinb1) {
          if (!job.coinb1.starts_with(coinb1 + link->extranonce1)) continue;
          CHECK(one.difficulty == at->first_difficulty);
          slices += before != at->name;
          before = at->name;
        }
      }
    }
  }
  CHECK(slices >= 6);
  for (const auto* at : here.pools) {
    std::map<std::string, int> seen;
    for (const auto& share : at->ledger) CHECK(++seen[share.coinbase + share.ntime + share.nonce] == 1);
  }
  here.check_laws();
}
