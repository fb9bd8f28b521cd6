// Options that change while miners mine: the new values count, and nobody is dropped for it.
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;
using stratumproxy::options;

namespace {

struct house {
  explicit house(const options& with = {}, unsigned shards = 1) : all(7, shards, with) {}

  void set(const std::function<void(options&)>& change) {
    change(all.config);
    for (const auto& one : all.shards) one->manager->set_options(all.config);
  }
  std::shared_ptr<miner> mining(const std::string& user, const std::string& agent = "miner/1") {
    auto made = all.connect();
    made->login(user, {}, agent);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }
  miner::reply verdict(miner& one) {
    const auto id = one.submit();
    REQUIRE(all.until([&] { return one.reply_to(id) != nullptr; }, 15s));
    return *one.reply_to(id);
  }
  std::uint64_t closed() const {
    std::uint64_t count = 0;
    for (const auto& row : all.snapshot().events) {
      if (row.name == "connections_closed") count += row.count;
    }
    return count;
  }
  world all;
  pool& farm = all.add_pool();
};

}  // namespace

TEST_CASE("times and limits that change count for those that are there") {
  house here;
  here.all.add_account("alice");
  const auto one = here.mining("alice.a"), other = here.mining("alice.b");

  here.set([](options& now) { now.session.refresh = 1s; });
  const auto lines = one->lines.size();
  here.all.run_for(5s);
  CHECK(one->lines.size() >= lines + 4);

  here.set([](options& now) { now.session.grace = 5s; });
  one->reset();
  here.all.run_for(1s);
  CHECK(here.all.snapshot().kept_sessions == 1);
  here.all.run_for(5s);
  CHECK(here.all.snapshot().kept_sessions == 0);

  here.set([](options& now) { now.upstream.verdict_timeout = 2s; });
  here.farm.answers_shares = false;
  const auto share = other->submit();
  here.all.run_for(3s);
  REQUIRE(other->reply_to(share));
  CHECK(other->reply_to(share)->code == 20);
  CHECK(other->open);
}

TEST_CASE("a limit that is lowered does not end those above it") {
  options before;
  before.limits.error_budget = 100;
  before.limits.failed_authorizes = 100;
  house here(before);
  here.all.add_account("alice");
  here.farm.answers_shares = false;
  const auto one = here.mining("alice.a");
  std::vector<std::shared_ptr<miner>> strangers;
  for (int i = 0; i < 5; ++i) strangers.push_back(here.all.connect());
  for (int i = 0; i < 50; ++i) (void)one->submit();
  for (int i = 0; i < 20; ++i) one->send("{\"id\":9,\"method\":1}");
  here.all.run_for(1s);
  REQUIRE(here.farm.ledger.size() == 50);
  // The beginning of a line that will be too long, and one that waits behind shares without a verdict.
  const auto writer = here.mining("alice.b");
  const std::string line = "{\"id\":77,\"method\":\"mining.extranonce.subscribe\",\"params\":[],\"padding\":\"" + std::string(3'000, 'x') + "\"}\n";
  writer->deliver(line.substr(0, 2'900));
  here.all.run_for(100ms);

  here.set([](options& now) {
    now.limits.in_flight = 2;
    now.limits.line_bytes = 512;
    now.limits.unauthorized_per_address = 1;
    now.session.max_kept_per_account = 0;
    now.upstream.line_bytes = 1'024;
    now.upstream.max_workers_per_link = 1;
  });
  writer->deliver(line.substr(2'900));
  here.all.run_for(2s);
  CHECK(writer->open);
  CHECK(one->open);
  CHECK(std::all_of(strangers.begin(), strangers.end(), [](const auto& each) { return each->open; }));
  CHECK(here.closed() == 0);

  // With more shares under way than are allowed now it is read no further, until there are few enough.
  const auto late = one->submit();
  here.all.run_for(1s);
  CHECK(here.farm.ledger.size() == 50);
  const auto link = here.farm.links.front();
  here.farm.answers_shares = true;
  while (!link->withheld.empty()) {
    link->send("{\"id\":" + link->withheld.front() + ",\"result\":true,\"error\":null}");
    link->withheld.pop_front();
  }
  REQUIRE(here.all.until([&] { return one->reply_to(late) != nullptr; }));
  CHECK(one->reply_to(late)->accepted);
  CHECK(std::count_if(one->replies.begin(), one->replies.end(), [](const auto& each) { return each.accepted; }) >= 51);

  // For lines that begin now the limit counts.
  writer->deliver(line);
  here.all.run_for(1s);
  CHECK_FALSE(writer->open);
  here.set([](options& now) { now.limits.line_bytes = 8'192; });
  one->deliver(line);
  here.all.run_for(1s);
  CHECK(one->open);
}

TEST_CASE("a miner that waits for verdicts is read on when it may have more of them under way") {
  options before;
  before.limits.in_flight = 1;
  house here(before);
  here.all.add_account("alice");
  here.farm.answers_shares = false;
  const auto one = here.mining("alice.a");
  for (int i = 0; i < 4; ++i) (void)one->submit();
  here.all.run_for(1s);
  REQUIRE(here.farm.ledger.size() == 1);
  here.set([](options& now) { now.limits.in_flight = 3; });
  here.all.run_for(1s);
  CHECK(here.farm.ledger.size() == 3);
  here.set([](options& now) { now.limits.in_flight = 64; });
  here.all.run_for(1s);
  CHECK(here.farm.ledger.size() == 4);
}

TEST_CASE("a longer line of a pool is taken from the next connection on") {
  options before;
  before.upstream.line_bytes = 1'024;
  before.upstream.retry_min = 100ms;
  house here(before);
  here.all.add_account("alice");
  const auto one = here.mining("alice.a");
  here.set([](options& now) { now.upstream.line_bytes = 8'192; });
  const auto message = "{\"id\":null,\"method\":\"client.show_message\",\"params\":[\"" + std::string(3'000, 'x') + "\"]}";
  here.farm.newest()->send(message);
  REQUIRE(here.all.until([&] { return here.farm.links.size() == 2 && here.farm.newest()->authorized; }));
  here.farm.newest()->send(message);
  here.all.run_for(5s);
  CHECK(here.farm.links.size() == 2);
  CHECK(here.farm.newest()->open);
  CHECK(here.verdict(*one).accepted);
}

TEST_CASE("room on shared links follows the options, and those that are in stay") {
  options before;
  before.upstream.max_workers_per_link = 2;
  house here(before);
  here.all.add_account("alice", "pool.example:3333", "", 1, [](auto& row) {
    row.mode = link_mode::shared;
    row.fixed_difficulty = true;
  });
  std::vector<std::shared_ptr<miner>> miners;
  const auto come = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) miners.push_back(here.mining("alice.r" + std::to_string(miners.size())));
  };
  come(4);
  CHECK(here.farm.open_links() == 2);
  here.set([](options& now) { now.upstream.max_workers_per_link = 4; });
  come(4);
  CHECK(here.farm.open_links() == 2);
  here.set([](options& now) { now.upstream.max_workers_per_link = 1; });
  come(2);
  CHECK(here.farm.open_links() == 4);
  for (const auto& one : miners) CHECK(here.verdict(*one).accepted);

  // A link that comes back with another extranonce has no more room than it is allowed.
  here.farm.drop_all();
  here.all.run_for(60s);
  for (const auto& one : miners) {
    CHECK(one->open);
    CHECK(here.verdict(*one).accepted);
  }
  CHECK(here.closed() == 0);
  std::set<std::string> searches;
  for (const auto& share : here.farm.ledger) CHECK(searches.insert(share.coinbase + share.job + share.nonce).second);
}

TEST_CASE("another split is for sessions that begin, side by side with those that are there") {
  const auto mode = GENERATE(link_mode::dedicated, link_mode::shared);
  house here;
  here.farm.extranonce2_size = 8;
  here.farm.keeps_extranonce1 = true;
  here.all.add_account("alice", "pool.example:3333", "", 1, [&](auto& row) {
    row.mode = mode;
    row.fixed_difficulty = true;
  });
  std::vector<std::shared_ptr<miner>> miners;
  const unsigned marks[] = {1, 3, 2, 1, 4}, parts[] = {3, 4, 5, 2, 4};
  for (unsigned round = 0; round < 5; ++round) {
    here.set([&](options& now) {
      now.split.mark_bytes = marks[round];
      now.split.miner_bytes = parts[round];
    });
    for (unsigned i = 0; i < 6; ++i) {
      miners.push_back(here.mining("alice.r" + std::to_string(miners.size())));
      CHECK(miners.back()->extranonce1.size() == 2 * marks[round]);
      CHECK(miners.back()->extranonce2_size == parts[round]);
    }
  }
  // Who comes back has the split of its session.
  const auto gone = miners.front();
  gone->reset();
  here.all.run_for(1s);
  miners.front() = here.all.connect();
  miners.front()->login("alice.r0", gone->session);
  REQUIRE(here.all.until([&] { return miners.front()->has_job(); }));
  CHECK(miners.front()->extranonce1 == gone->extranonce1);
  CHECK(miners.front()->extranonce2_size == gone->extranonce2_size);

  for (int job = 0; job < 3; ++job) {
    for (const auto& one : miners) CHECK(here.verdict(*one).accepted);
    for (const auto& link : here.farm.links) {
      if (link->open) (void)link->job(job != 1);
    }
    here.all.run_for(100ms);
  }
  // No two workers search the same place.
  std::set<std::string> searches;
  for (const auto& share : here.farm.ledger) {
    CHECK(share.extranonce2.size() == 16);
    CHECK(searches.insert(share.coinbase + share.job + share.ntime + share.nonce).second);
  }
}

// Every few milliseconds something happens to somebody, and every few moments the options are others.
TEST_CASE("the share laws hold while options change") {
  const auto seed = GENERATE(std::uint64_t{1}, 2, 3, 4, 5, 6);
  INFO("seed " << seed);
  world all(seed, 2);
  std::vector<pool*> pools;
  for (unsigned i = 0; i < 3; ++i) {
    const auto where = "p" + std::to_string(i) + ".example:3333";
    pools.push_back(&all.add_pool(where));
    pools.back()->extranonce2_size = i == 2 ? 6 : 8;
    all.add_account("a" + std::to_string(i), where, "", 1, [&](auto& row) {
      row.mode = i == 0 ? link_mode::dedicated : link_mode::shared;
      row.vardiff = i == 1;
    });
  }
  all.add_route("a0", "p1.example:3333");
  all.add_route("a1", "p2.example:3333", 2);
  const auto dice = [&](unsigned sides) { return static_cast<unsigned>(all.random() % sides); };
  const auto between = [&](duration low, duration high) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(low + (high - low) / 100 * dice(101));
  };
  const auto change_options = [&] {
    auto& now = all.config;
    now.session.grace = between(0s, 20s);
    now.session.hold = between(20s, 60s);
    now.session.refresh = between(1s, 50s);
    now.session.max_kept_per_account = dice(20);
    now.session.version_mask = dice(2) ? 0x1fffe000 : 0x00ffe000;
    now.split.mark_bytes = 1 + dice(2);
    now.split.miner_bytes = 3 + dice(2);
    now.limits.in_flight = 1 + dice(64);
    now.limits.line_bytes = 512 << dice(5);
    now.upstream.line_bytes = std::size_t{4'096} << dice(6);
    now.upstream.verdict_timeout = between(2s, 60s);
    now.upstream.silence = between(20s, 180s);
    now.upstream.retry_min = between(100ms, 1s);
    now.upstream.retry_max = between(1s, 5s);
    now.upstream.share_wait = between(0s, 10s);
    now.upstream.spread = between(0s, 10s);
    now.upstream.connects_per_second = 1 + dice(200);
    now.upstream.max_workers_per_link = 1 + dice(16);
    now.upstream.empty_link = between(0s, 30s);
    now.failover.patience = between(100ms, 5s);
    now.failover.no_job = between(20s, 300s);
    now.failover.stable = between(1s, 10s);
    now.failover.return_max = between(10s, 60s);
    now.failover.storm_shares = 1 + dice(64);
    now.slices.shortest = between(1s, 15s);
    now.slices.longest = between(15s, 60s);
    now.vardiff.shares_per_minute = 1 + dice(600);
    now.vardiff.first = 1 + dice(4'096);
    for (const auto& one : all.shards) one->manager->set_options(now);
  };
  std::vector<std::shared_ptr<miner>> miners(40), everybody;
  for (int event = 0; event < 10'000; ++event) {
    all.run_for(std::chrono::milliseconds(dice(20)));
    auto& worker = miners[dice(static_cast<unsigned>(miners.size()))];
    switch (dice(30)) {
      case 0: change_options(); break;
      case 1:
        if (worker && worker->open) dice(3) == 0 ? worker->vanish() : worker->reset();
        break;
      case 2:
        if (auto link = pools[dice(3)]->newest()) link->drop();
        break;
      case 3: pools[dice(3)]->answers_shares = dice(3) != 0; break;
      case 4: pools[dice(3)]->rejects_with = dice(3) ? "" : "[23,\"low difficulty\",null]"; break;
      case 5:
      case 6:
        for (auto& link : pools[dice(3)]->links) {
          if (link->open && link->authorized) (void)link->job(dice(2) != 0);
        }
        break;
      case 7:
      case 8:
        if (!worker || !worker->open) {
          const auto session = worker && dice(4) ? worker->session : std::string();
          worker = all.connect(dice(2), "10.0.0." + std::to_string(dice(4)));
          everybody.push_back(worker);
          worker->login("a" + std::to_string(dice(3)) + ".r" + std::to_string(dice(9)), session);
        }
        break;
      case 9: {
        auto& victim = *pools[dice(3)];
        victim.up = !victim.up;
        if (!victim.up) victim.drop_all();
        break;
      }
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

  stratumproxy::metrics::share_counts sum;
  for (const auto& row : all.snapshot().totals) sum += row.shares;
  CHECK(sum.sent > 500);
  CHECK(sum.sent == sum.accepted + sum.rejected_total() + sum.unknown);
  std::size_t forwarded = 0;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto* one : pools) {
    forwarded += one->ledger.size();
    for (const auto& share : one->ledger) {
      CHECK(seen.insert({one->name, share.coinbase + share.ntime + share.nonce + share.job + share.bits}).second);
      CHECK(share.extranonce2.size() == one->extranonce2_size * 2);
    }
  }
  CHECK(sum.accepted <= forwarded);
  CHECK(forwarded <= sum.sent);
  for (const auto& worker : everybody) {
    std::set<std::string> answered;
    for (const auto& reply : worker->replies) CHECK(answered.insert(reply.id).second);
  }
}
