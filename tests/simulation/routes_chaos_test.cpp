#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;

namespace {

// The laws of shares, at rest: each has ended in one way, is at most once at a pool, and was told as it ended.
void check_laws(const world& all, const std::vector<pool*>& pools, const std::vector<std::shared_ptr<miner>>& everybody) {
  stratumproxy::metrics::share_counts sum;
  for (const auto& row : all.snapshot().totals) sum += row.shares;
  CHECK(sum.sent == sum.accepted + sum.rejected_total() + sum.unknown);
  std::uint64_t arrived = 0;
  std::set<std::string> keys;
  for (const auto* one : pools) {
    for (const auto& share : one->ledger) {
      // The coinbase is one of this connection's, or it was resumed: no share came to a pool that had not given its job.
      CHECK((share.coinbase.starts_with("c0ffee") || one->keeps_extranonce1));
      CHECK(share.extranonce2.size() == one->extranonce2_size * 2);
      CHECK(keys.insert(one->name + share.coinbase + share.ntime + share.nonce + share.bits).second);
      ++arrived;
    }
  }
  CHECK(sum.accepted <= arrived);
  CHECK(arrived <= sum.sent);
  // No search is given to two miners, or to one under two names.
  std::map<std::string, std::pair<const miner*, std::string>> searches;
  for (const auto& one : everybody) {
    for (const auto& job : one->jobs) {
      const std::pair given{static_cast<const miner*>(one.get()), job.text_id};
      CHECK(searches.try_emplace(job.coinb1 + '|' + job.ntime + '|' + job.extranonce1, given).first->second == given);
    }
  }
  std::uint64_t told = 0;
  for (const auto& one : everybody) {
    std::set<std::string> answered;
    for (const auto& reply : one->replies) {
      CHECK(answered.insert(reply.id).second);
      told += reply.accepted && std::stoull(reply.id) > 2;
    }
  }
  CHECK(told <= sum.accepted + everybody.size());  // logins again
  CHECK(sum.sent > 500);
}

}  // namespace

// Two shards, four pools, accounts with fall-backs and weights that change all the time.
TEST_CASE("the share laws hold whatever happens to accounts with several pools") {
  const auto seed = GENERATE(std::uint64_t{1}, 2, 3, 4, 5, 6, 7, 8);
  INFO("seed " << seed);
  stratumproxy::options config;
  config.upstream.retry_max = 3s;
  config.upstream.refusal_min = 2s;
  config.upstream.refusal_max = 5s;
  config.session.grace = 10s;
  config.failover.stable = 2s;
  config.failover.return_max = 10s;
  config.failover.no_job = 20s;
  config.failover.patience = 1s;
  config.slices = {.shortest = 1s, .longest = 2s, .idle_limit = 10s};
  config.upstream.max_workers_per_link = seed % 2 ? 256 : 5;
  world all(seed, 2, config);
  all.latency = std::chrono::milliseconds(seed % 3 == 0 ? 1 : seed % 3 == 1 ? 40 : 150);
  std::vector<pool*> pools;
  const unsigned sizes[] = {8, 4, 3, 5};
  for (unsigned i = 0; i < 4; ++i) {
    pools.push_back(&all.add_pool("p" + std::to_string(i) + ".example:3333"));
    pools.back()->extranonce2_size = sizes[i];
    pools.back()->keeps_extranonce1 = i == 0;
  }
  const auto dice = [&](unsigned sides) { return static_cast<unsigned>(all.random() % sides); };
  const auto name_of = [](unsigned number) { return "a" + std::to_string(number); };
  for (unsigned i = 0; i < 6; ++i) all.add_account(name_of(i), pools[i % 4]->name, "", 1, [](auto& row) { row.fixed_difficulty = true; });
  const auto change = [&](stratumproxy::account& row) {
    row.routes.resize(1);
    row.mode = dice(2) ? std::optional(link_mode::shared) : std::nullopt;
    const auto set_pool = [&](stratumproxy::account_route& route) { route.pool.host = "p" + std::to_string(dice(4)) + ".example"; };
    if (dice(3) == 0) set_pool(row.routes[0]);
    for (auto more = dice(4); more > 0; --more) {
      auto route = row.routes[0];
      set_pool(route);
      route.user = "route-" + std::to_string(more);
      row.routes.push_back(route);
    }
    const bool is_split = dice(2) != 0;
    for (auto& route : row.routes) route.weight = is_split ? dice(4) : 0;
  };

  std::vector<std::shared_ptr<miner>> miners(60), everybody;
  for (int event = 0; event < 50'000; ++event) {
    all.run_for(std::chrono::milliseconds(dice(20)));
    auto& worker = miners[dice(static_cast<unsigned>(miners.size()))];
    auto& victim = *pools[dice(4)];
    switch (dice(30)) {
      case 0:
        if (worker && worker->open) dice(3) == 0 ? worker->vanish() : worker->reset();
        break;
      case 1:
        if (auto link = victim.newest()) link->drop();
        break;
      case 2:
        victim.up = dice(2) != 0;
        if (!victim.up) victim.drop_all();
        break;
      case 3: victim.answers_shares = dice(3) != 0; break;
      case 4: victim.rejects_with = dice(4) ? "" : "[20,\"internal error\",null]"; break;
      case 5: victim.is_mute = dice(4) == 0; break;
      case 6: victim.refuses_login = dice(4) ? "" : "banned"; break;
      case 7:
      case 8:
        for (auto& link : victim.links) {
          if (link->open && link->authorized) (void)link->job(dice(2) != 0);
        }
        break;
      case 9:
        if (worker && worker->open) worker->authorize(name_of(dice(6)) + ".r");
        break;
      case 10:
      case 11:
        if (!worker || !worker->open) {
          const auto session = worker && dice(4) ? worker->session : std::string();
          worker = all.connect(dice(2), "10.0.0." + std::to_string(dice(4)));
          everybody.push_back(worker);
          if (dice(3) == 0) {
            worker->authorize(name_of(dice(6)) + ".first");
            if (dice(2)) all.run_for(5ms);
            worker->subscribe(session);
          } else {
            worker->login(name_of(dice(6)) + ".r" + std::to_string(dice(9)), session);
          }
        }
        break;
      case 12:
      case 13: all.change_account(name_of(dice(6)), change); break;
      case 14:
        if (dice(20) == 0) {
          const auto name = name_of(dice(6));
          auto removed = std::make_shared<stratumproxy::account>(*all.accounts[name]);
          all.remove_account(name);
          ++removed->revision;
          all.accounts[name] = removed;  // and there again
        }
        break;
      case 15:
        for (auto& link : victim.links) {
          while (link->open && !link->withheld.empty()) {
            link->send("{\"id\":" + link->withheld.front() + ",\"result\":true,\"error\":null}");
            link->withheld.pop_front();
          }
        }
        break;
      case 16:
        // An operator's hand. Where it is unknown it may be on its way from one shard to the other.
        for (const auto& shard : all.shards) {
          if (worker && worker->open) (void)shard->manager->move_worker(worker->origin, all.accounts[name_of(dice(6))], all.now);
        }
        break;
      case 17:
        for (const auto& shard : all.shards) {
          if (worker && dice(3) == 0) (void)shard->manager->disconnect(worker->origin, "by an operator", all.now);
        }
        break;
      case 18:
        for (const auto& shard : all.shards) {
          const auto whom = dice(10) == 0 ? name_of(dice(6)) : std::string();
          const auto where = dice(10) == 0 ? "10.0.0." + std::to_string(dice(4)) : std::string();
          shard->manager->bans_changed([whom, where](std::string_view address, std::string_view account) {
            static const std::string why = "for a while";
            return (address.empty() ? account == whom : address == where) ? &why : nullptr;
          }, all.now);
        }
        break;
      default:
        if (worker && worker->open && worker->has_job()) {
          (void)worker->submit(worker->jobs[worker->jobs.size() - 1 - dice(std::min<unsigned>(5, static_cast<unsigned>(worker->jobs.size())))]);
        }
    }
  }
  for (const auto& shard : all.shards) shard->manager->bans_changed({}, all.now);
  for (auto* one : pools) {
    one->up = true;
    one->answers_shares = true;
    one->is_mute = false;
    one->refuses_login.clear();
    one->rejects_with.clear();
  }
  for (unsigned i = 0; i < 6; ++i) {
    all.change_account(name_of(i), [&](stratumproxy::account& row) {
      row.routes.resize(1);
      row.routes[0].weight = 0;
      row.mode.reset();
    });
  }
  for (int i = 0; i < 30; ++i) {
    for (auto* one : pools) {
      for (auto& link : one->links) {
        if (link->open && link->authorized) (void)link->job();
      }
    }
    all.run_for(10s);
  }
  check_laws(all, pools, everybody);
  // Nothing is left over: a link for each worker, a worker for each connection that logged in, all live.
  const auto now = all.snapshot();
  std::uint64_t links = 0, live = 0;
  for (const auto& row : now.pools) {
    for (const auto count : row.links) links += count;
    for (const auto count : row.shared_links) links += count;
    live += row.links[static_cast<std::size_t>(stratumproxy::metrics::link_state::live)];
  }
  CHECK(links == now.workers.size());
  CHECK(live == links);
  for (const auto& row : now.workers) CHECK(row.up);
  CHECK(now.routes.empty());
}
