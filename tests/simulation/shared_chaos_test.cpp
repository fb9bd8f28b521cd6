#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "simulation.hpp"

using namespace simulation;

namespace {

constexpr unsigned pool_count = 3;

// Every job that any miner was ever given, by the space that it was to search.
class all_searches {
 public:
  void collect(const std::vector<std::shared_ptr<miner>>& miners) {
    for (const auto& one : miners) {
      auto& [count, last] = read_[one.get()];
      for (; count < one->jobs.size(); ++count) {
        const auto& job = one->jobs[count];
        if (std::exchange(last, job.text_id) == job.text_id) continue;  // the same again, so that the miner hears something
        if (!enter(job.coinb1 + job.extranonce1, job.ntime)) ++repeated;
      }
    }
  }
  std::size_t repeated = 0;

 private:
  // The same space again is another search only at a later time; a part of a space never is.
  bool enter(const std::string& space, const std::string& ntime) {
    const auto next = taken_.lower_bound(space);
    if (next != taken_.end() && next->first == space) return std::exchange(next->second, ntime) < ntime;
    if (next != taken_.end() && next->first.starts_with(space)) return false;
    if (next != taken_.begin() && space.starts_with(std::prev(next)->first)) return false;
    taken_.emplace_hint(next, space, ntime);
    return true;
  }

  std::map<const miner*, std::pair<std::size_t, std::string>> read_;
  std::map<std::string, std::string> taken_;
};

}  // namespace

// Two shards, three pools of different sizes, two accounts on each, one of them with slow checks that have little room; sixty
// miners of all kinds; every few milliseconds something happens to somebody.
TEST_CASE("the share laws hold on shared links whatever happens, and nobody searches where somebody has searched") {
  const auto seed = GENERATE(std::uint64_t{1}, 2, 3, 4, 5, 6);
  INFO("seed " << seed);
  stratumproxy::options config;
  config.algorithms = algorithms_by_nonce();
  config.upstream.retry_max = 3s;
  config.upstream.empty_link = 5s;
  config.upstream.max_workers_per_link = 8;
  config.session.grace = 10s;
  config.vardiff.first = 16;
  world all(seed, 2, config);
  all.max_checks = 1;
  all.check_time = 200ms;
  const unsigned sizes[pool_count] = {8, 5, 4};
  std::vector<pool*> pools;
  for (unsigned i = 0; i < pool_count; ++i) {
    const auto where = "p" + std::to_string(i) + ".example:3333";
    auto& one = all.add_pool(where);
    one.extranonce2_size = sizes[i];
    one.next_extranonce1 = (i + 1) * 0x10000000;
    one.first_difficulty = 64;
    one.nbits = "17034219";
    one.weighs_shares = true;
    pools.push_back(&one);
    for (const bool is_slow : {false, true}) {
      all.add_account("a" + std::to_string(i) + (is_slow ? "s" : "f"), where, "", 1, [&](stratumproxy::pool_info& row) {
        row.algorithm = is_slow ? "by-nonce-slow" : "by-nonce";
        row.mode = stratumproxy::link_mode::shared;
        row.verify = stratumproxy::verify_level::full;
        row.rig_logins = i == 1;
      });
    }
  }
  std::vector<std::shared_ptr<miner>> miners(60), everybody;
  std::set<std::pair<const miner*, std::string>> submits;
  all_searches searches;
  const auto dice = [&](unsigned sides) { return static_cast<unsigned>(all.random() % sides); };
  const auto some_login = [&] {
    return "a" + std::to_string(dice(pool_count)) + (dice(3) == 0 ? "s" : "f") + ".r" + std::to_string(dice(9));
  };
  static constexpr const char* agents[] = {"miner/1", "miner/1", "miner/1", "NiceHash/1", "ckproxy"};

  for (int event = 0; event < 12'000; ++event) {
    all.run_for(std::chrono::milliseconds(dice(20)));
    if (event % 100 == 0) searches.collect(everybody);
    auto& worker = miners[dice(static_cast<unsigned>(miners.size()))];
    const bool is_open = worker && worker->open;
    auto& victim = *pools[dice(pool_count)];
    switch (dice(24)) {
      case 0:
        if (is_open) dice(3) == 0 ? worker->vanish() : worker->reset();
        break;
      case 1:
        if (dice(4) == 0 && victim.newest()) victim.newest()->drop();
        break;
      case 2:
        if (dice(4) != 0) break;
        victim.up = !victim.up;
        if (!victim.up) victim.drop_all();
        break;
      case 3: victim.answers_shares = dice(4) != 0; break;
      case 4:
        for (auto& link : victim.links) {
          if (link->open && link->authorized && dice(2)) link->difficulty(dice(2) ? 8 : 64);
        }
        break;
      case 5:
      case 6:
        for (auto& link : victim.links) {
          if (link->open && link->authorized) (void)link->job(dice(2) != 0);
        }
        break;
      case 7:
        if (is_open && dice(4) == 0) worker->authorize(some_login());
        break;
      case 8:
      case 9:
      case 10:
        if (!is_open) {
          const auto session = worker && dice(4) ? worker->session : std::string();
          worker = all.connect(dice(2), "10.0.0." + std::to_string(dice(4)));
          everybody.push_back(worker);
          worker->login(some_login(), session, agents[dice(5)]);
        }
        break;
      default:
        if (is_open && worker->has_job()) {
          const auto& jobs = worker->jobs;
          const auto& job = jobs[jobs.size() - 1 - dice(std::min<unsigned>(3, static_cast<unsigned>(jobs.size())))];
          submits.emplace(worker.get(), std::to_string(worker->submit_of(std::exp2(dice(8)), job)));
        }
    }
  }
  searches.collect(everybody);
  for (auto* one : pools) {
    one->up = true;
    one->answers_shares = true;
  }
  all.run_for(5min);
  searches.collect(everybody);
  CHECK(searches.repeated == 0);

  const auto now = all.snapshot();
  stratumproxy::metrics::share_counts counted;
  for (const auto& row : now.totals) counted += row.shares;
  std::uint64_t held_back = 0, refused = 0, unchecked = 0, places = 0, dedicated = 0, forwarded = 0, taken = 0;
  for (const auto& row : now.pools) {
    held_back += row.held_back;
    unchecked += row.unchecked;
    for (const auto count : row.rejected_here) refused += count;
    for (const auto count : row.links) dedicated += count;
  }
  for (const auto& link : now.links) {
    CHECK(link.workers > 0);
    CHECK(link.workers <= link.limit);
    places += link.workers;
  }
  // Nothing is left over: a place for each worker, a worker for each connection that logged in.
  CHECK(places + dedicated == now.workers.size());
  for (const auto& worker : now.workers) CHECK(worker.up);

  // 1. What was received has ended, each share in one way.
  CHECK(counted.sent == counted.accepted + counted.rejected_total() + counted.unknown);
  CHECK(counted.accepted == counted.pool_accepted + held_back);
  // 2. Each share is in a pool's ledger once at the most, under its own coinbase, and what went up is what did not end here.
  std::set<std::string> seen;
  double credit = 0;
  for (const auto* one : pools) {
    for (const auto& share : one->ledger) {
      CHECK(seen.insert(one->name + share.coinbase + share.ntime + share.nonce + share.job).second);
      CHECK(share.extranonce2.size() == one->extranonce2_size * 2);
      forwarded += 1;
      taken += share.accepted && share.answered;
      credit += share.answered ? share.credit : 0;
    }
  }
  CHECK(counted.sent >= refused + held_back + forwarded);
  CHECK(counted.pool_accepted <= taken);
  CHECK(counted.pool_accepted_one <= credit);
  // 3. One answer a request, and no more yeses than were counted.
  std::uint64_t told_true = 0;
  for (const auto& worker : everybody) {
    std::set<std::string> answered;
    for (const auto& reply : worker->replies) {
      CHECK(answered.insert(reply.id).second);
      told_true += reply.accepted && submits.contains({worker.get(), reply.id});
    }
  }
  CHECK(told_true <= counted.accepted);
  // It was worth it.
  CHECK(counted.sent > 1'000);
  CHECK(held_back > 100);
  CHECK(counted.pool_accepted > 50);
  CHECK(unchecked > 0);
  CHECK(counted.unknown > 0);
}
