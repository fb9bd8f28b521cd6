#include <catch2/catch.hpp>

#include "simulation.hpp"

using namespace simulation;

namespace {

struct house {
  explicit house(stratumproxy::options with = {}) : all(11, 1, std::move(with)) { all.add_account("alice"); }
  std::shared_ptr<miner> mining() {
    auto made = all.connect();
    made->login("alice.rig");
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }
  world all;
  pool& its_pool = all.add_pool();
};

bool was_told(const miner& worker, std::string_view what) {
  return std::any_of(worker.lines.begin(), worker.lines.end(),
                     [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

std::uint64_t closed(const world& all, std::string_view reason) {
  for (const auto& row : all.snapshot().events) {
    if (row.name == "connections_closed" && row.value == reason) return row.count;
  }
  return 0;
}

}  // namespace

TEST_CASE("a worker that rolls bits the pool does not take is reconnected once, and then promised none") {
  house here;
  here.its_pool.version_mask = 0;
  const std::string configure =
      R"({"id":80,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]})";
  auto worker = here.all.connect();
  worker->send(configure);
  worker->login("alice.rig");
  REQUIRE(here.all.until([&] { return worker->has_job(); }));
  CHECK(was_told(*worker, "\"mining.set_version_mask\",\"params\":[\"00000000\"]"));
  const auto roll = [&](int i) {
    worker->send("{\"id\":" + std::to_string(100 + i) + ",\"method\":\"mining.submit\",\"params\":[\"alice.rig\",\"" +
                 worker->jobs.back().text_id + "\",\"000000\",\"" + worker->jobs.back().ntime + "\",\"0000000" +
                 std::to_string(i) + "\",\"00002000\"]}");
  };
  for (int i = 0; i < 9; ++i) roll(i);
  here.all.run_for(1s);
  CHECK(worker->open);
  CHECK(worker->reply_to(100)->code == 20);
  roll(9);
  REQUIRE(here.all.until([&] { return !worker->open; }));
  CHECK(closed(here.all, "version_mask") == 1);

  worker = here.all.connect();
  worker->send(configure);
  worker->login("alice.rig");
  REQUIRE(here.all.until([&] { return worker->has_job(); }));
  CHECK(was_told(*worker, "\"version-rolling\":false"));
  for (int i = 0; i < 9; ++i) roll(i);
  for (int i = 0; i < 9; ++i) roll(i);
  here.all.run_for(1s);
  CHECK(worker->open);  // never a loop
  CHECK(here.its_pool.ledger.empty());
}

TEST_CASE("reading pauses while 64 shares have no verdict, and goes on with nothing lost") {
  house here;
  auto worker = here.mining();
  here.its_pool.answers_shares = false;
  for (int i = 0; i < 200; ++i) (void)worker->submit();
  here.all.run_for(1s);
  CHECK(here.its_pool.ledger.size() == 64);
  here.its_pool.answers_shares = true;
  auto link = here.its_pool.newest();
  for (const auto& id : link->withheld) link->send("{\"id\":" + id + ",\"result\":true,\"error\":null}");
  REQUIRE(here.all.until([&] { return here.its_pool.ledger.size() == 200; }));
  here.all.run_for(1s);
  CHECK(here.all.snapshot().totals.at(0).shares.accepted == 200);
}

TEST_CASE("a worker that does not read gets only the newest job, and is told that the others are void") {
  house here;
  auto worker = here.mining();
  auto& manager = *here.all.shards[0]->manager;
  manager.congested(worker->channel, true, here.all.now);
  (void)here.its_pool.newest()->job(true);
  std::string last;
  for (int i = 0; i < 10; ++i) last = here.its_pool.newest()->job(false);
  here.all.run_for(1s);
  CHECK(worker->jobs.size() == 1);
  manager.congested(worker->channel, false, here.all.now);
  here.all.run_for(1s);
  REQUIRE(worker->jobs.size() == 2);
  CHECK(worker->jobs[1].clean);
  (void)worker->submit();
  here.all.run_for(1s);
  CHECK(here.its_pool.ledger.back().job == last);
}

TEST_CASE("who says nothing for 10 s, or does not log in within 60 s, is closed") {
  house here;
  auto silent = here.all.connect();
  auto slow = here.all.connect();
  auto half = here.all.connect();
  slow->subscribe();
  half->authorize("alice.rig");
  here.all.run_for(9s);
  CHECK(silent->open);
  here.all.run_for(2s);
  CHECK_FALSE(silent->open);
  here.all.run_for(48s);
  CHECK(slow->open);
  here.all.run_for(2s);
  CHECK_FALSE(slow->open);
  CHECK_FALSE(half->open);
  CHECK(here.its_pool.open_links() == 0);
}

TEST_CASE("connections of one address that are not logged in are limited; a logged-in farm is not") {
  stratumproxy::options config;
  config.limits.unauthorized_per_address = 10;
  house here(config);
  std::vector<std::shared_ptr<miner>> farm, strangers;
  for (int i = 0; i < 50; ++i) farm.push_back(here.mining());
  for (int i = 0; i < 30; ++i) strangers.push_back(here.all.connect());
  here.all.run_for(1s);
  CHECK(std::count_if(strangers.begin(), strangers.end(), [](const auto& m) { return m->open; }) == 10);
  CHECK(std::all_of(farm.begin(), farm.end(), [](const auto& m) { return m->open; }));
  auto elsewhere = here.all.connect(0, "10.0.0.2");
  elsewhere->login("alice.rig");
  REQUIRE(here.all.until([&] { return elsewhere->has_job(); }));
}

TEST_CASE("a flood of invalid shares ends the connection, an honest worker with some does not") {
  house here;
  auto honest = here.mining();
  auto flood = here.mining();
  for (int i = 0; i < 400; ++i) {
    (void)honest->submit();
    auto bad = flood->jobs.back();
    bad.extranonce2_size = 5;
    if (flood->open) (void)flood->submit(bad);
    if (i % 10 == 0) here.all.run_for(100ms);
  }
  here.all.run_for(1s);
  CHECK_FALSE(flood->open);
  CHECK(honest->open);
  CHECK(closed(here.all, "invalid_shares") == 1);
}

TEST_CASE("several rigs may log in on one connection; a share for another account is refused") {
  house here;
  here.all.add_account("bob");
  auto worker = here.mining();
  worker->authorize("alice.second");
  here.all.run_for(1s);
  const auto own = worker->submit(std::nullopt, "alice.second");
  const auto bare = worker->submit(std::nullopt, "rig");
  const auto other = worker->submit(std::nullopt, "bob.rig");
  here.all.run_for(1s);
  CHECK(worker->reply_to(own)->accepted);
  CHECK(worker->reply_to(bare)->accepted);
  CHECK(worker->reply_to(other)->code == 24);
  CHECK(here.its_pool.ledger.size() == 2);
  CHECK(here.its_pool.links.size() == 1);
}

TEST_CASE("a proxy that is its own pool is noticed") {
  house here;
  auto loop = here.all.connect();
  loop->login("alice.rig", {}, "stratumproxy/0.1.0 (other simulated0 third)");
  here.all.run_for(1s);
  CHECK_FALSE(loop->open);
  CHECK(loop->replies.at(0).text == "this proxy is its own pool");
  auto chained = here.all.connect();
  chained->login("alice.rig", {}, "stratumproxy/0.1.0 (other third)");
  REQUIRE(here.all.until([&] { return chained->has_job(); }));
  CHECK(here.its_pool.newest()->agent.find("(simulated0 other third)") != std::string::npos);
}

TEST_CASE("difficulty and job leave in the same breath as the answer to authorize, when they are known") {
  house here;
  auto before = here.mining();
  before->reset();
  auto after = here.all.connect();
  after->subscribe(before->session);
  here.all.run_for(1s);
  const auto lines = after->lines.size();
  after->authorize("alice.rig");
  REQUIRE(here.all.until([&] { return after->lines.size() > lines; }));
  here.all.run_for(1us);  // the simulated wire takes a millisecond: these left together
  REQUIRE(after->lines.size() == lines + 3);
  CHECK(after->lines[lines].find("\"result\":true") != std::string::npos);
  CHECK(after->lines[lines + 1].find("set_difficulty") != std::string::npos);
  CHECK(after->lines[lines + 2].find("mining.notify") != std::string::npos);
}
