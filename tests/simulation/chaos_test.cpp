#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "simulation.hpp"

using namespace simulation;

namespace {

std::uint64_t sum(const stratumproxy::metrics::snapshot& now, std::uint64_t stratumproxy::metrics::share_counts::*what) {
  std::uint64_t all = 0;
  for (const auto& row : now.totals) all += row.shares.*what;
  return all;
}

}  // namespace

// Two shards, three pools, sixty miners; every few milliseconds something happens to somebody.
TEST_CASE("the share laws hold whatever happens to miners and pools") {
  const auto seed = GENERATE(std::uint64_t{1}, 2, 3, 4, 5, 6, 7, 8);
  INFO("seed " << seed);
  stratumproxy::options config;
  config.upstream.retry_max = 3s;
  config.session.grace = 10s;
  world all(seed, 2, config);
  std::vector<pool*> pools;
  const unsigned sizes[] = {8, 4, 3};
  for (unsigned i = 0; i < 3; ++i) {
    const auto where = "p" + std::to_string(i) + ".example:3333";
    pools.push_back(&all.add_pool(where));
    pools.back()->extranonce2_size = sizes[i];
    pools.back()->keeps_extranonce1 = i == 0;
    for (unsigned j = 0; j < 3; ++j) all.add_account("a" + std::to_string(i) + std::to_string(j), where);
  }
  std::vector<std::shared_ptr<miner>> miners(60), everybody;
  std::set<std::pair<std::string, std::string>> ledger_keys;
  const auto dice = [&](unsigned sides) { return static_cast<unsigned>(all.random() % sides); };

  for (int event = 0; event < 20'000; ++event) {
    all.run_for(std::chrono::milliseconds(dice(20)));
    auto& worker = miners[dice(static_cast<unsigned>(miners.size()))];
    switch (dice(26)) {
      case 0:
        if (worker && worker->open) dice(3) == 0 ? worker->vanish() : worker->reset();
        break;
      case 1: {
        auto& victim = *pools[dice(3)];
        if (auto link = victim.newest()) link->drop();
        break;
      }
      case 2: {
        auto& victim = *pools[dice(3)];
        victim.up = !victim.up;
        if (!victim.up) victim.drop_all();
        break;
      }
      case 3: pools[dice(3)]->answers_shares = dice(3) != 0; break;
      case 4: pools[dice(3)]->rejects_with = dice(2) ? "" : "[23,\"low difficulty\",null]"; break;
      case 5:
      case 6:
        for (auto& link : pools[dice(3)]->links) {
          if (link->open && link->authorized) (void)link->job(dice(2) != 0);
        }
        break;
      case 7:
        if (worker && worker->open) worker->authorize("a" + std::to_string(dice(3)) + std::to_string(dice(3)) + ".r");
        break;
      case 8:
      case 9:
        if (!worker || !worker->open) {
          const auto session = worker && dice(4) ? worker->session : std::string();
          worker = all.connect(dice(2), "10.0.0." + std::to_string(dice(4)));
          everybody.push_back(worker);
          worker->login("a" + std::to_string(dice(3)) + std::to_string(dice(3)) + ".r" + std::to_string(dice(9)), session);
        }
        break;
      case 11:
        if (!worker || !worker->open) {
          const auto session = worker ? worker->session : std::string();
          worker = all.connect(dice(2), "10.0.0." + std::to_string(dice(4)));
          everybody.push_back(worker);
          worker->authorize("a00.first");
          if (dice(2)) all.run_for(5ms);
          worker->subscribe(session);
        }
        break;
      case 12:
        if (worker && worker->open) worker->authorize(worker->user);
        break;
      case 10:
        for (auto& link : pools[dice(3)]->links) {
          while (link->open && !link->withheld.empty()) {
            link->send("{\"id\":" + link->withheld.front() + ",\"result\":true,\"error\":null}");
            link->withheld.pop_front();
          }
        }
        break;
      default:
        if (worker && worker->open && worker->has_job()) {
          (void)worker->submit(worker->jobs[worker->jobs.size() - 1 - dice(std::min<unsigned>(3, static_cast<unsigned>(worker->jobs.size())))]);
        }
    }
  }
  for (auto* one : pools) {
    one->up = true;
    one->answers_shares = true;
  }
  all.run_for(5min);

  const auto now = all.snapshot();
  // Nothing is left over: a link for each worker, a worker for each connection that logged in.
  std::uint64_t links = 0;
  for (const auto& row : now.pools) {
    for (const auto count : row.links) links += count;
  }
  CHECK(links == now.workers.size());
  for (const auto& worker : now.workers) {
    CHECK(worker.up);
    CHECK(worker.shares.accepted + worker.shares.rejected_total() + worker.shares.unknown <= worker.shares.sent);
  }
  std::uint64_t sent = 0, accepted = 0, unknown = 0, rejected = 0, forwarded = 0;
  sent = sum(now, &stratumproxy::metrics::share_counts::sent);
  accepted = sum(now, &stratumproxy::metrics::share_counts::accepted);
  unknown = sum(now, &stratumproxy::metrics::share_counts::unknown);
  for (const auto& row : now.totals) rejected += row.shares.rejected_total();
  for (const auto* one : pools) forwarded += one->ledger.size();

  // 1. What was received has ended, each share in one way.
  CHECK(sent == accepted + rejected + unknown);
  CHECK(sent > 500);
  // 2. Each share is in a pool's ledger once at the most.
  for (const auto* one : pools) {
    for (const auto& share : one->ledger) {
      CHECK(ledger_keys.insert({one->name, share.coinbase + share.ntime + share.nonce + share.job}).second);
      // The coinbase is the pool's own: the miner's part stands where the pool put it.
      CHECK(share.extranonce2.size() == one->extranonce2_size * 2);
    }
  }
  // 3. One answer a request, and as many yes as the proxy counted, but for those whose connection was gone.
  std::uint64_t told_yes = 0;
  for (const auto& worker : everybody) {
    std::set<std::string> answered;
    for (const auto& reply : worker->replies) {
      CHECK(answered.insert(reply.id).second);
      if (reply.accepted && std::stoull(reply.id) > 2) ++told_yes;
    }
  }
  CHECK(forwarded <= sent);
  CHECK(accepted <= forwarded);
  CHECK(told_yes > 0);
}
