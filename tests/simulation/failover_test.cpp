// An account with several pools: away from one that fails, and back. Every case with links of each worker's own, and with a shared one.
#include <catch2/catch.hpp>

#include <algorithm>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;
using stratumproxy::metrics::link_state;
using stratumproxy::metrics::switch_cause;

namespace {

struct house {
  explicit house(link_mode mode, std::size_t count = 20, stratumproxy::options with = quick()) : all(11, 1, std::move(with)) {
    const auto rules = [=](stratumproxy::pool_info& row) {
      row.mode = mode;
      row.fixed_difficulty = true;
    };
    all.add_account("alice", first.name, "", 1, rules);
    all.add_route("alice", second.name);
    for (std::size_t i = 0; i < count; ++i) {
      miners.push_back(all.connect());
      miners.back()->login("alice.r" + std::to_string(i));
    }
  }

  static stratumproxy::options quick() {
    stratumproxy::options with;
    with.failover.stable = 20s;
    with.failover.return_max = 160s;
    with.upstream.refusal_min = 10s;
    with.upstream.refusal_max = 40s;
    return with;
  }

  // All of them have a job of this pool as their last one.
  [[nodiscard]] bool all_mine_at(const pool& where) const {
    return std::all_of(miners.begin(), miners.end(), [&](const auto& one) { return one->has_job() && is_of(*one, where); });
  }
  // A share for it goes there.
  [[nodiscard]] static bool is_of(const miner& one, const pool& where) {
    for (const auto& link : where.links) {
      for (const auto& [id, coinb1] : link->coinb1) {
        if (one.jobs.back().coinb1.starts_with(coinb1 + link->extranonce1)) return true;
      }
    }
    return false;
  }
  void start() {
    REQUIRE(all.until([&] { return all_mine_at(first); }, 5s));
    all.run_for(15s);  // their links have proved sound
  }
  // How long it takes until all mine there.
  duration time_until_at(const pool& where, duration limit) {
    const auto began = all.now;
    REQUIRE(all.until([&] { return all_mine_at(where); }, limit));
    return all.now - began;
  }
  void all_submit(pool& where) {
    const auto before = where.ledger.size();
    std::vector<std::uint64_t> ids;
    for (const auto& one : miners) ids.push_back(one->submit());
    REQUIRE(all.until([&] { return miners.back()->reply_to(ids.back()) != nullptr; }, 2s));
    for (std::size_t i = 0; i < miners.size(); ++i) {
      REQUIRE(miners[i]->reply_to(ids[i]));
      CHECK(miners[i]->reply_to(ids[i])->accepted);
    }
    CHECK(where.ledger.size() == before + miners.size());
  }
  [[nodiscard]] std::uint64_t switches(const pool& from, switch_cause why) const {
    for (const auto& row : all.snapshot().pools) {
      if (row.pool == from.name) return row.switches[static_cast<std::size_t>(why)];
    }
    return 0;
  }
  void nobody_noticed() const {
    for (const auto& one : miners) {
      CHECK(one->open);
      CHECK(one->messages == std::vector<std::string>());
    }
    const auto now = all.snapshot();
    for (const auto& row : now.totals) {
      const auto& shares = row.shares;
      CHECK(shares.sent == shares.accepted + shares.rejected_total() + shares.unknown);
    }
  }

  world all;
  pool& first = all.add_pool("first.example:3333");
  pool& second = all.add_pool("second.example:3333");
  std::vector<std::shared_ptr<miner>> miners;
};

const auto both_modes = {link_mode::dedicated, link_mode::shared};

}  // namespace

TEST_CASE("a pool that cannot be reached is passed over, and taken up when it is there") {
  house here(GENERATE(values(both_modes)), 0);
  here.first.up = false;
  for (int i = 0; i < 20; ++i) {
    here.miners.push_back(here.all.connect());
    here.miners.back()->login("alice.r" + std::to_string(i));
  }
  CHECK(here.time_until_at(here.second, 5s) < 2s);
  here.all_submit(here.second);
  const auto attempts = here.first.attempts;
  here.all.run_for(60s);
  CHECK(here.all_mine_at(here.second));
  CHECK(here.first.attempts - attempts < 10);  // one link tries it
  here.first.up = true;
  here.all.run_for(15s);
  CHECK(here.all_mine_at(here.second));  // it must work for a while first
  (void)here.time_until_at(here.first, 2min);
  here.all_submit(here.first);
  here.nobody_noticed();
  here.all.run_for(1min);
  CHECK(here.second.open_links() == 0);
  CHECK(here.first.open_links() == (here.all.accounts["alice"]->routes[0].pool.mode == link_mode::shared ? 1 : 20));
  CHECK(here.switches(here.second, switch_cause::returned) == 20);
}

TEST_CASE("when a pool drops its links and is gone, its workers have a job of the next one at once") {
  house here(GENERATE(values(both_modes)));
  here.start();
  here.first.up = false;
  here.first.drop_all();
  CHECK(here.time_until_at(here.second, 5s) < 2s);
  for (const auto& one : here.miners) CHECK(one->jobs.back().clean);
  here.all_submit(here.second);
  CHECK(here.switches(here.first, switch_cause::unreachable) == 20);
  here.all.run_for(1min);
  here.first.up = true;
  (void)here.time_until_at(here.first, 3min);
  here.all_submit(here.first);
  here.nobody_noticed();
}

TEST_CASE("a pool that drops its links and takes new ones keeps its workers") {
  house here(GENERATE(values(both_modes)));
  here.start();
  const auto jobs = here.miners[0]->jobs.size();
  here.first.drop_all();
  REQUIRE(here.all.until([&] { return here.miners[0]->jobs.size() > jobs; }, 100ms));
  here.all.run_for(10s);
  CHECK(here.all_mine_at(here.first));
  CHECK(here.second.attempts == 0);
  here.all_submit(here.first);
  here.nobody_noticed();
}

TEST_CASE("a pool that accepts connections and says nothing is given up after the patience") {
  house here(GENERATE(values(both_modes)));
  here.start();
  here.first.is_mute = true;
  here.first.drop_all();
  const auto took = here.time_until_at(here.second, 20s);
  CHECK(took >= 5s);
  CHECK(took < 7s);
  CHECK(here.switches(here.first, switch_cause::lost) == 20);
  here.all.run_for(1min);
  here.first.is_mute = false;
  (void)here.time_until_at(here.first, 5min);
  here.nobody_noticed();
}

TEST_CASE("a pool without a new job for long is silent: its workers go while the link stays, and come back when jobs do") {
  auto with = house::quick();
  with.failover.no_job = 60s;
  house here(GENERATE(values(both_modes)), 20, with);
  here.start();
  here.all.run_for(40s);
  CHECK(here.all_mine_at(here.first));
  for (int i = 0; i < 4; ++i) {
    for (const auto& link : here.second.links) link->job();
    here.all.run_for(5s);
  }
  CHECK(here.all_mine_at(here.second));
  CHECK(here.switches(here.first, switch_cause::silent) == 20);
  CHECK(here.first.open_links() >= 1);
  const auto keep_on = [&](pool& at) {
    for (const auto& link : at.links) {
      if (link->open) link->job();
    }
  };
  for (int i = 0; i < 12 && !here.all_mine_at(here.first); ++i) {
    keep_on(here.first);
    keep_on(here.second);
    here.all.run_for(5s);
  }
  CHECK(here.all_mine_at(here.first));
  here.nobody_noticed();
}

TEST_CASE("a pool that refuses the login is passed over until it does not") {
  house here(GENERATE(values(both_modes)));
  here.start();
  here.first.refuses_login = "banned";
  here.first.drop_all();
  CHECK(here.time_until_at(here.second, 5s) < 2s);
  here.all_submit(here.second);
  // Somebody who comes now is not refused.
  here.miners.push_back(here.all.connect());
  here.miners.back()->login("alice.late");
  (void)here.time_until_at(here.second, 2s);
  here.all.run_for(1min);
  CHECK(here.all_mine_at(here.second));
  here.first.refuses_login.clear();
  (void)here.time_until_at(here.first, 3min);
  here.nobody_noticed();
}

TEST_CASE("a pool that refuses nearly all shares is left, each of its words told") {
  house here(GENERATE(values(both_modes)));
  here.start();
  here.first.rejects_with = R"([20,"internal error",null])";
  std::uint64_t told = 0;
  for (int i = 0; i < 10 && !here.all_mine_at(here.second); ++i) {
    for (const auto& one : here.miners) {
      const bool to_first = house::is_of(*one, here.first);
      const auto id = one->submit();
      here.all.run_for(20ms);
      REQUIRE(one->reply_to(id));
      CHECK(one->reply_to(id)->accepted == !to_first);
      if (to_first) CHECK(one->reply_to(id)->text == "internal error");
      told += to_first;
    }
    here.all.run_for(1s);
  }
  CHECK(here.all_mine_at(here.second));
  CHECK(told == here.first.ledger.size());
  CHECK(told <= 60);
  CHECK(here.switches(here.first, switch_cause::reject_storm) == 20);
  here.first.rejects_with.clear();
  (void)here.time_until_at(here.first, 3min);
  here.all_submit(here.first);
  here.nobody_noticed();
}

TEST_CASE("verdicts that never come are a reason to leave, and the shares are unknown") {
  auto with = house::quick();
  with.upstream.verdict_timeout = 5s;
  house here(GENERATE(values(both_modes)), 20, with);
  here.start();
  here.first.answers_shares = false;
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 3; ++i) {
    for (const auto& one : here.miners) ids.push_back(one->submit());
  }
  here.all.run_for(8s);
  CHECK(here.all_mine_at(here.second));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto* const reply = here.miners[i % here.miners.size()]->reply_to(ids[i]);
    REQUIRE(reply);
    CHECK(reply->code == 20);
  }
  here.nobody_noticed();
}

TEST_CASE("shares that were swallowed before a pool was silent are not held against it when it is back") {
  auto with = house::quick();
  with.failover.no_job = 20s;
  with.upstream.verdict_timeout = 70s;
  house here(GENERATE(values(both_modes)), 20, with);
  here.start();
  here.first.answers_shares = false;
  for (int i = 0; i < 3; ++i) {
    for (const auto& one : here.miners) (void)one->submit();
  }
  const auto until_at = [&](pool& where, int most, std::initializer_list<pool*> with_jobs) {
    for (int i = 0; i < most && !here.all_mine_at(where); ++i) {
      for (const auto* one : with_jobs) {
        for (const auto& link : one->links) {
          if (link->open) link->job();
        }
      }
      here.all.run_for(5s);
    }
    CHECK(here.all_mine_at(where));
  };
  until_at(here.second, 5, {&here.second});
  here.first.answers_shares = true;
  until_at(here.first, 9, {&here.first, &here.second});
  for (int i = 0; i < 12; ++i) {  // in the meantime they are unknown
    for (const auto& link : here.first.links) {
      if (link->open) link->job();
    }
    here.all.run_for(5s);
    CHECK(here.all_mine_at(here.first));
  }
  CHECK(here.switches(here.first, switch_cause::silent) == 20);
  here.miners.push_back(here.all.connect());
  here.miners.back()->login("alice.late");
  here.all.run_for(1s);
  CHECK(here.all_mine_at(here.first));
  here.all_submit(here.first);
  here.nobody_noticed();
}

TEST_CASE("a pool that comes and goes is trusted less each time") {
  house here(GENERATE(values(both_modes)));
  here.start();
  std::uint64_t back = 0;
  bool was_at_first = true;
  for (int i = 0; i < 180; ++i) {  // an hour: up for 25 s in each 30
    here.first.up = i % 6 != 0;
    if (!here.first.up) here.first.drop_all();
    for (const auto& link : here.second.links) link->job();
    here.all.run_for(5s);
    const bool is_at_first = here.all_mine_at(here.first);
    back += is_at_first && !was_at_first;
    was_at_first = is_at_first;
  }
  CHECK(back <= 4);
  here.first.up = true;
  (void)here.time_until_at(here.first, 10min);
  here.all_submit(here.first);
  here.nobody_noticed();
}

TEST_CASE("late shares go to the pool that gave their job while its link lives, and are stale after that") {
  auto with = house::quick();
  with.failover.no_job = 30s;
  house here(GENERATE(values(both_modes)), 5, with);
  here.start();
  const auto late = here.miners[0]->jobs.back();
  here.all.run_for(20s);
  REQUIRE(here.all.until([&] { return here.all_mine_at(here.second); }, 5s));
  auto id = here.miners[0]->submit(late);
  here.all.run_for(100ms);
  CHECK(here.miners[0]->reply_to(id)->accepted);
  CHECK(here.first.ledger.size() == 1);
  CHECK(here.second.ledger.empty());
  here.first.up = false;
  here.first.drop_all();
  here.all.run_for(20s);
  here.all.run_for(1min);
  id = here.miners[0]->submit(late);
  here.all.run_for(11s);
  CHECK(here.miners[0]->reply_to(id)->code == 21);
  CHECK(here.first.ledger.size() == 1);
  CHECK(here.second.ledger.empty());
}

TEST_CASE("without any pool workers stay, hear why once, and mine on the first that is back") {
  auto with = house::quick();
  with.session.hold = 15min;
  with.upstream.retry_max = 15s;
  house here(GENERATE(values(both_modes)), 20, with);
  here.start();
  for (auto* one : {&here.first, &here.second}) {
    one->up = false;
    one->drop_all();
  }
  const auto attempts = here.first.attempts;
  here.all.run_for(10min);
  for (const auto& one : here.miners) CHECK(one->open);
  CHECK(here.first.attempts - attempts <= 10 * 60 / 7);
  CHECK(here.second.attempts <= 10 * 60 / 7);
  here.second.up = true;
  CHECK(here.time_until_at(here.second, 1min) <= 30s);
  here.first.up = true;
  (void)here.time_until_at(here.first, 3min);
  for (const auto& one : here.miners) {
    CHECK(one->open);
    CHECK(one->messages.size() <= 2);
  }
}

TEST_CASE("an account with three pools goes down its list and up again") {
  house here(GENERATE(values(both_modes)), 0);
  pool& third = here.all.add_pool("third.example:3333");
  here.all.add_route("alice", third.name);
  for (int i = 0; i < 5; ++i) {
    here.miners.push_back(here.all.connect());
    here.miners.back()->login("alice.r" + std::to_string(i));
  }
  here.start();
  const auto fail = [](pool& one) {
    one.up = false;
    one.drop_all();
  };
  fail(here.first);
  CHECK(here.time_until_at(here.second, 5s) < 2s);
  here.all.run_for(15s);
  fail(here.second);
  CHECK(here.time_until_at(third, 5s) < 2s);
  here.first.up = true;
  (void)here.time_until_at(here.first, 2min);
  here.all.run_for(1min);
  fail(here.first);
  here.second.up = true;
  here.all.run_for(5s);
  CHECK(here.all_mine_at(third));  // the second has not yet proved sound
  (void)here.time_until_at(here.second, 2min);
  here.nobody_noticed();
}

TEST_CASE("a worker that drops while its pool is away comes back to where the others mine") {
  house here(GENERATE(values(both_modes)), 5);
  here.start();
  auto& lost = here.miners[0];
  const auto session = lost->session;
  lost->reset();
  here.first.up = false;
  here.first.drop_all();
  here.all.run_for(10s);
  lost = here.all.connect();
  lost->login("alice.r0", session);
  (void)here.time_until_at(here.second, 2s);
  CHECK(here.all.event("sessions_restored") == 1);
  here.all_submit(here.second);
}

TEST_CASE("one link that cannot be had moves only its own worker") {
  house here(link_mode::dedicated, 5);
  here.start();
  here.first.up = false;
  here.first.links[2]->drop();
  here.all.run_for(5s);
  const auto away = std::count_if(here.miners.begin(), here.miners.end(), [&](const auto& one) { return house::is_of(*one, here.second); });
  CHECK(away == 1);
  here.first.up = true;
  (void)here.time_until_at(here.first, 2min);
  here.all.run_for(1min);
  CHECK(here.first.open_links() == 5);
  CHECK(here.second.open_links() == 0);
  here.nobody_noticed();
}
