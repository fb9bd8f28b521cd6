// Faults that were found in accounts with several pools, one case each.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;

namespace {

bool is_of(const miner& one, const pool& where) {
  if (!one.has_job()) return false;
  for (const auto& link : where.links)
    for (const auto& [id, coinb1] : link->coinb1)
      if (one.jobs.back().coinb1.starts_with(coinb1 + link->extranonce1)) return true;
  return false;
}

auto rules(link_mode mode) {
  return [=](stratumproxy::pool_info& row) {
    row.mode = mode;
    row.fixed_difficulty = true;
  };
}

stratumproxy::options quick() {
  stratumproxy::options with;
  with.failover.stable = 20s;
  with.failover.return_max = 160s;
  return with;
}
const auto both_modes = {link_mode::dedicated, link_mode::shared};

// Alice's two routes.
void weigh(world& all, unsigned first, unsigned second) {
  all.change_account("alice", [&](auto& row) {
    row.routes[0].weight = first;
    row.routes[1].weight = second;
  });
}

void jobs_everywhere(world& all) {
  for (auto& [name, p] : all.pools)
    for (auto& l : p->links)
      if (l->open && l->authorized) l->job();
}

}  // namespace

TEST_CASE("the second of three pools gets its chance when the first is mute") {
  const auto mode = GENERATE(values(both_modes));
  world all(3, 1, quick());
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  auto& c = all.add_pool("c.example:1");
  all.add_account("alice", a.name, "", 1, rules(mode));
  all.add_route("alice", b.name);
  all.add_route("alice", c.name);
  all.latency = 50ms;
  auto m = all.connect();
  m->login("alice.r");
  REQUIRE(all.until([&] { return is_of(*m, a); }));
  all.run_for(15s);
  a.is_mute = true;
  a.drop_all();
  all.run_for(8s);
  CHECK(is_of(*m, b));
  CHECK(c.attempts == 0);
}

TEST_CASE("a pool that takes no new connections keeps its slices on those that live") {
  const auto mode = GENERATE(values(both_modes));
  stratumproxy::options with;
  with.session.hold = 5h;
  world all(3, 1, with);
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(mode));
  all.add_route("alice", b.name);
  all.add_account("bob", a.name, "bob", 1, rules(mode));
  weigh(all, 50, 50);
  auto m = all.connect();
  m->login("alice.r");
  auto mine = [&](duration time) {
    const auto end = all.now + time;
    a.ledger.clear();
    b.ledger.clear();
    int n = 0;
    while (all.now < end) {
      if (m->open && m->has_job()) (void)m->submit();
      all.run_for(3s);
      if (++n % 10 == 0) jobs_everywhere(all);
    }
  };
  mine(20min);
  mine(30min);
  CHECK(double(a.ledger.size()) / double(a.ledger.size() + b.ledger.size()) == Approx(0.5).margin(0.1));
  a.up = false;  // live links stay
  auto other = all.connect();
  other->login("bob.r");
  mine(30min);
  CHECK(double(a.ledger.size()) / double(a.ledger.size() + b.ledger.size()) == Approx(0.5).margin(0.1));
  CHECK(a.open_links() >= 1);
}

TEST_CASE("a pool that closes connections without shares is come back to all the same") {
  const auto mode = GENERATE(values(both_modes));
  world all(3, 1, {});
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(mode));
  all.add_route("alice", b.name);
  auto m = all.connect();
  m->login("alice.r");
  REQUIRE(all.until([&] { return is_of(*m, a); }));
  std::map<pool_link*, time_point> since;
  std::map<pool_link*, std::size_t> seen;
  auto second = [&](int i) {
    if (i % 3 == 0 && m->open) (void)m->submit();
    if (i % 30 == 0) jobs_everywhere(all);
    for (auto* p : {&a, &b}) {
      for (auto& l : p->links) {
        if (!l->open) continue;
        if (!since.contains(l.get())) since[l.get()] = all.now;
        std::size_t n = 0;
        for (auto& e : p->ledger) n += e.extranonce1 == l->extranonce1;
        if (n != seen[l.get()]) {
          seen[l.get()] = n;
          since[l.get()] = all.now;
        }
        if (all.now - since[l.get()] >= 300s) l->drop();
      }
      if (p->ledger.size() > 400) {
        p->ledger.clear();
        seen.clear();
      }
    }
    all.run_for(1s);
  };
  int i = 0;
  for (int flap = 0; flap < 5; ++flap) {
    for (int s = 0; s < 1800 && !is_of(*m, a); ++s) second(i++);
    REQUIRE(is_of(*m, a));
    for (int s = 0; s < 30; ++s) second(i++);
    a.up = false;
    a.drop_all();
    for (int s = 0; s < 5; ++s) second(i++);
    a.up = true;
  }
  for (int s = 0; s < 3 * 3600 && !is_of(*m, a); ++s) second(i++);
  CHECK(is_of(*m, a));
}

TEST_CASE("rejections of a storm that come late are not the next one") {
  const auto mode = GENERATE(values(both_modes));
  world all(3, 1, quick());
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(mode));
  all.add_route("alice", b.name);
  std::vector<std::shared_ptr<miner>> ms;
  for (int i = 0; i < 60; ++i) {
    ms.push_back(all.connect());
    ms.back()->login("alice.r" + std::to_string(i));
  }
  REQUIRE(all.until([&] { return std::all_of(ms.begin(), ms.end(), [&](auto& m) { return is_of(*m, a); }); }));
  all.run_for(15s);
  a.rejects_with = R"([20,"internal error",null])";
  for (auto& m : ms) (void)m->submit();  // all in flight at once
  REQUIRE(all.until([&] { return std::all_of(ms.begin(), ms.end(), [&](auto& m) { return is_of(*m, b); }); }, 5s));
  a.rejects_with.clear();
  auto n = 0;
  REQUIRE(all.until(
      [&] {
        if (++n % 1000 == 0) jobs_everywhere(all);
        return std::all_of(ms.begin(), ms.end(), [&](auto& m) { return is_of(*m, a); });
      },
      5min));
  all.run_for(1s);
  const auto id = ms[0]->submit();
  all.run_for(2s);
  CHECK(ms[0]->reply_to(id)->accepted);
  all.run_for(5s);
  CHECK(std::count_if(ms.begin(), ms.end(), [&](auto& m) { return is_of(*m, a); }) == 60);
}

TEST_CASE("a worker that has a pool's own extranonce is not disconnected for each slice") {
  world all(3, 1, {});
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  a.extranonce2_size = b.extranonce2_size = 3;
  b.next_extranonce1 = 5000;
  all.add_account("alice", a.name, "", 1, rules(link_mode::dedicated));
  all.add_route("alice", b.name);
  weigh(all, 50, 50);
  auto m = all.connect();
  m->login("alice.r");
  int closes = 0;
  for (int i = 0; i < 1200; ++i) {
    if (!m->open) {
      ++closes;
      const auto session = m->session;
      all.run_for(1s);
      m = all.connect();
      m->login("alice.r", session);
      all.run_for(1s);
    }
    if (i % 3 == 0 && m->has_job()) (void)m->submit();
    if (i % 30 == 0) jobs_everywhere(all);
    all.run_for(1s);
  }
  CHECK(closes <= 2);
}

TEST_CASE("an account that is there again, with a lower revision, is not mined for with what it had") {
  const auto mode = GENERATE(values(both_modes));
  world all(3, 1, {});
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(mode));
  all.change_account("alice", [](auto&) {});
  all.change_account("alice", [](auto&) {});
  auto m = all.connect();
  m->login("alice.r");
  REQUIRE(all.until([&] { return is_of(*m, a); }));
  all.run_for(15s);
  auto again = std::make_shared<stratumproxy::account>(*all.accounts["alice"]);
  again->revision = 1;
  again->routes[0].pool.host = "b.example";
  all.remove_account("alice");
  all.run_for(100ms);
  CHECK_FALSE(m->open);
  all.accounts["alice"] = again;
  m = all.connect();
  m->login("alice.r");
  all.run_for(5min);
  REQUIRE(m->has_job());
  CHECK(is_of(*m, b));
}

TEST_CASE("no two workers have one lane after half-open returns, with weights on shared links") {
  const bool half_open = GENERATE(true, false);
  auto with = stratumproxy::options{};
  with.limits.unauthorized_per_address = 100000;
  with.upstream.max_workers_per_link = 2000;
  world all(3, 1, with);
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(link_mode::shared));
  all.add_route("alice", b.name);
  weigh(all, 50, 50);
  std::vector<std::shared_ptr<miner>> ms;
  for (int i = 0; i < 600; ++i) {
    ms.push_back(all.connect());
    ms.back()->login("alice.r" + std::to_string(i));
  }
  all.run_for(15s);
  int dup = 0;
  auto look = [&] {
    std::map<std::string, int> lanes;
    for (auto& m : ms)
      if (m->open && m->has_job()) ++lanes[m->jobs.back().coinb1 + "|" + m->jobs.back().ntime + "|" + m->extranonce1];
    for (auto& [lane, n] : lanes) dup += n > 1;
  };
  look();
  CHECK(dup == 0);
  for (int round = 0; round < 6; ++round) {
    for (int s = 0; s < 60; ++s) {
      for (auto& m : ms)
        if (m->has_job() && (s % 5 == 0)) (void)m->submit();
      all.run_for(1s);
      if (s % 30 == 29) {
        jobs_everywhere(all);
        all.run_for(100ms);
        look();
      }
    }
    weigh(all, round % 2 ? 90 : 10, round % 2 ? 10 : 90);
    // half-open returns
    for (int i = round; i < 600; i += 6) {
      const auto session = ms[i]->session;
      half_open ? ms[i]->vanish() : ms[i]->reset();
      ms[i] = all.connect();
      ms[i]->login("alice.r" + std::to_string(i), session);
    }
    all.run_for(200ms);
  }
  weigh(all, 50, 50);
  for (int s = 0; s < 300; ++s) {
    for (auto& m : ms)
      if (m->has_job() && s % 5 == 0) (void)m->submit();
    all.run_for(1s);
    if (s % 30 == 29) {
      jobs_everywhere(all);
      all.run_for(100ms);
      look();
    }
  }
  CHECK(dup == 0);
}

TEST_CASE("who subscribes long after the login has a lane on all of its links") {
  world all(3, 1, {});
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  b.next_extranonce1 = 5000;
  all.add_account("alice", a.name, "", 1, rules(link_mode::dedicated));
  all.add_route("alice", b.name);
  weigh(all, 50, 50);
  std::vector<std::shared_ptr<miner>> ms;
  for (int i = 0; i < 3; ++i) {
    ms.push_back(all.connect());
    ms.back()->login("alice.r" + std::to_string(i));
  }
  auto late = all.connect();
  late->authorize("alice.late");
  for (int s = 0; s < 55; ++s) {
    for (auto& m : ms)
      if (m->has_job()) (void)m->submit();
    all.run_for(1s);
    if (s % 30 == 0) jobs_everywhere(all);
  }
  late->subscribe();
  ms.push_back(late);
  for (int s = 0; s < 900; ++s) {
    for (auto& m : ms)
      if (m->has_job() && s % 3 == 0) (void)m->submit();
    all.run_for(1s);
    if (s % 30 == 0) jobs_everywhere(all);
  }
  std::map<std::size_t, int> lengths;
  for (auto* p : {&a, &b})
    for (auto& e : p->ledger) ++lengths[e.extranonce2.size()];
  CHECK(lengths.size() == 1);
}

TEST_CASE("another account's failure does not keep workers away from a link that works") {
  const auto mode = GENERATE(values(both_modes));
  auto with = quick();
  with.session.hold = 10h;
  world all(3, 1, with);
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(mode));
  all.add_route("alice", b.name);
  all.add_account("bob", a.name, "bob", 1, rules(link_mode::dedicated));
  auto m = all.connect();
  m->login("alice.r");
  REQUIRE(all.until([&] { return is_of(*m, a); }));
  all.run_for(15s);
  a.up = false;
  a.drop_all();
  all.run_for(5s);
  CHECK(is_of(*m, b));
  a.up = true;
  REQUIRE(all.until([&] { return a.open_links() >= 1; }, 2min));
  all.run_for(5s);
  a.up = false;  // no new connections from now on; the scout works
  auto other = all.connect();
  other->login("bob.r");
  int n = 0;
  const bool back = all.until(
      [&] {
        if (++n % 2000 == 0) jobs_everywhere(all);
        return is_of(*m, a);
      },
      30min);
  CHECK(back);
}

TEST_CASE("no scout is left when the other routes are removed") {
  world all(3, 1, quick());
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(link_mode::dedicated));
  all.add_route("alice", b.name);
  std::vector<std::shared_ptr<miner>> ms;
  for (int i = 0; i < 2; ++i) {
    ms.push_back(all.connect());
    ms.back()->login("alice.r" + std::to_string(i));
    all.run_for(1s);
  }
  all.run_for(15s);
  a.up = false;
  a.links[1]->drop();
  all.run_for(3s);
  CHECK(is_of(*ms[1], b));
  CHECK(is_of(*ms[0], a));
  a.up = true;
  all.run_for(3s);
  ms[1]->reset();
  all.run_for(3s);
  all.change_account("alice", [](auto& row) { row.routes.resize(1); });
  all.run_for(100ms);
  int n = 0;
  (void)all.until(
      [&] {
        if (++n % 2000 == 0) jobs_everywhere(all);
        return false;
      },
      1h);
  CHECK(a.open_links() == 1);
  CHECK(b.open_links() == 0);
}

TEST_CASE("a fall-back that is added moves no worker because of a storm long ago") {
  world all(3, 1, quick());
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(link_mode::dedicated));
  auto m = all.connect();
  m->login("alice.r");
  REQUIRE(all.until([&] { return is_of(*m, a); }));
  all.run_for(15s);
  a.rejects_with = R"([20,"internal error",null])";
  for (int i = 0; i < 25; ++i) {
    (void)m->submit();
    all.run_for(100ms);
  }
  a.rejects_with.clear();
  for (int i = 0; i < 200; ++i) {
    (void)m->submit();
    all.run_for(30s);
    jobs_everywhere(all);
  }
  all.change_account("alice", [](auto& row) {
    auto more = row.routes[0];
    more.pool.host = "b.example";
    row.routes.push_back(more);
  });
  all.run_for(5s);
  CHECK(b.attempts == 0);
}

TEST_CASE("a worker does not wait for a silent link") {
  auto with = quick();
  with.upstream.max_workers_per_link = 2;
  with.failover.no_job = 60s;
  world all(3, 1, with);
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, rules(link_mode::shared));
  all.add_route("alice", b.name);
  std::vector<std::shared_ptr<miner>> ms;
  for (int i = 0; i < 3; ++i) {
    ms.push_back(all.connect());
    ms.back()->login("alice.r" + std::to_string(i));
    all.run_for(1s);
  }
  REQUIRE(a.links.size() == 2);
  auto l1 = a.links[0], l2 = a.links[1];
  auto go = [&](duration time) {
    const auto end = all.now + time;
    while (all.now < end) {
      if (l1->open) l1->job();
      for (auto& l : b.links)
        if (l->open) l->job();
      all.run_for(1s);
    }
  };
  go(65s);
  CHECK(is_of(*ms[2], b));
  bool sound = false;
  for (int i = 0; i < 100 && !sound; ++i) {
    go(1s);
    for (auto& r : all.snapshot().routes)
      if (r.pool == a.name) sound = r.is_usable;
  }
  REQUIRE(sound);
  go(3s);
  const bool at_once = is_of(*ms[2], a);
  l2->job();
  go(2s);
  const bool after_job = is_of(*ms[2], a);
  CHECK(at_once);
  CHECK(after_job);
}

TEST_CASE("a late share of a rig goes up under the rig's own login") {
  world all(3, 1, {});
  auto& a = all.add_pool("a.example:1");
  auto& b = all.add_pool("b.example:1");
  all.add_account("alice", a.name, "", 1, [](stratumproxy::pool_info& row) {
    row.mode = link_mode::shared;
    row.fixed_difficulty = true;
    row.rig_logins = true;
  });
  all.add_route("alice", b.name);
  const auto one = all.connect();
  one->login("alice.rig7");
  REQUIRE(all.until([&] { return is_of(*one, a); }));
  all.run_for(15s);
  const auto late = one->jobs.back();
  all.change_account("alice", [](auto& row) { std::swap(row.routes[0], row.routes[1]); });
  REQUIRE(all.until([&] { return is_of(*one, b); }));
  (void)one->submit(late);
  all.run_for(1s);
  REQUIRE(a.ledger.size() == 1);
  CHECK(a.ledger[0].user == "user-of-alice.rig7");
}
