#include <catch2/catch.hpp>

#include "simulation.hpp"

using namespace simulation;

namespace {

struct house {
  explicit house(std::uint64_t seed = 3, stratumproxy::options with = {}) : all(seed, 1, std::move(with)) {
    all.add_account("alice");
  }
  std::shared_ptr<miner> mining(const std::string& user = "alice.rig", const std::string& agent = "miner/1") {
    auto made = all.connect();
    made->login(user, {}, agent);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }
  world all;
  pool& its_pool = all.add_pool();
};

std::uint64_t rejected(const stratumproxy::metrics::snapshot& now, stratumproxy::metrics::reject_reason why) {
  return now.totals.at(0).shares.rejected[static_cast<std::size_t>(why)];
}

}  // namespace

TEST_CASE("the pool sees its own coinbase, its own job and the account's user") {
  house here;
  auto worker = here.mining("alice.shed-7");
  for (int i = 0; i < 20; ++i) {
    const auto id = worker->submit();
    const auto& job = worker->jobs.back();
    REQUIRE(here.all.until([&] { return worker->reply_to(id) != nullptr; }));
    CHECK(worker->reply_to(id)->accepted);
    const auto& share = here.its_pool.ledger.back();
    CHECK(share.user == "user-of-alice.shed-7");
    CHECK(share.extranonce2.size() == 16);
    CHECK(share.coinbase.starts_with(job.coinb1 + worker->extranonce1));
    CHECK(share.coinbase.size() == job.coinb1.size() + worker->extranonce1.size() + 2 * worker->extranonce2_size);
    here.its_pool.newest()->job(i % 2 == 0);
    here.all.run_for(100ms);
  }
}

TEST_CASE("a worker stays connected while its pool is away, and has a clean job as soon as it is back") {
  house here;
  auto worker = here.mining();
  here.all.run_for(30s);
  here.its_pool.up = false;
  here.its_pool.drop_all();
  here.all.run_for(20s);
  CHECK(worker->open);
  CHECK(here.its_pool.attempts <= 1 + 7);  // 1, 2, 4, 8 s, each at least half of it
  CHECK(worker->messages.size() == 1);
  const auto jobs = worker->jobs.size();
  here.its_pool.up = true;
  REQUIRE(here.all.until([&] { return worker->jobs.size() > jobs; }, 40s));
  CHECK(worker->jobs.back().clean);
  const auto id = worker->submit();
  REQUIRE(here.all.until([&] { return worker->reply_to(id) != nullptr; }));
  CHECK(worker->reply_to(id)->accepted);
}

TEST_CASE("a pool that drops a link that worked is asked again at once") {
  house here;
  auto worker = here.mining();
  here.all.run_for(30s);
  const auto jobs = worker->jobs.size();
  here.its_pool.drop_all();
  REQUIRE(here.all.until([&] { return worker->jobs.size() > jobs; }, 100ms));
  CHECK(worker->jobs.back().clean);
}

TEST_CASE("shares in flight when the link dies are unknown, and are never sent again") {
  house here;
  auto worker = here.mining();
  here.all.run_for(30s);
  here.its_pool.answers_shares = false;
  here.its_pool.keeps_extranonce1 = true;
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(worker->submit());
  REQUIRE(here.all.until([&] { return here.its_pool.ledger.size() == 5; }));
  here.its_pool.drop_all();
  here.its_pool.answers_shares = true;
  here.all.run_for(5s);
  for (const auto id : ids) {
    REQUIRE(worker->reply_to(id));
    CHECK(worker->reply_to(id)->code == 20);
    CHECK(worker->reply_to(id)->text == "share state unknown");
  }
  CHECK(here.its_pool.ledger.size() == 5);
  const auto now = here.all.snapshot();
  CHECK(now.totals.at(0).shares.unknown == 5);
  CHECK(now.totals.at(0).shares.sent == 5);
}

TEST_CASE("a share that finds its link down is sent once after a resume with the same extranonce1") {
  house here;
  here.its_pool.keeps_extranonce1 = true;
  auto worker = here.mining();
  here.all.run_for(30s);
  here.its_pool.up = false;
  here.its_pool.drop_all();
  here.all.run_for(100ms);
  const auto id = worker->submit();
  here.all.run_for(1s);
  CHECK(worker->reply_to(id) == nullptr);
  here.its_pool.up = true;
  REQUIRE(here.all.until([&] { return worker->reply_to(id) != nullptr; }, 10s));
  CHECK(worker->reply_to(id)->accepted);
  CHECK(here.its_pool.ledger.size() == 1);
}

TEST_CASE("a share that finds its link down is stale after a resume with another extranonce1, or after 10 s") {
  house here;
  auto worker = here.mining();
  here.all.run_for(30s);
  here.its_pool.up = false;
  here.its_pool.drop_all();
  here.all.run_for(100ms);
  const auto first = worker->submit();
  SECTION("another extranonce1") { here.its_pool.up = true; }
  SECTION("10 s") {}
  REQUIRE(here.all.until([&] { return worker->reply_to(first) != nullptr; }, 11s));
  CHECK(worker->reply_to(first)->code == 21);
  CHECK(here.its_pool.ledger.empty());
  CHECK(rejected(here.all.snapshot(), stratumproxy::metrics::reject_reason::no_pool) == 1);
}

TEST_CASE("a verdict after the deadline changes nothing but a counter") {
  house here;
  auto worker = here.mining();
  here.its_pool.answers_shares = false;
  const auto id = worker->submit();
  here.all.run_for(61s);
  REQUIRE(worker->reply_to(id));
  CHECK(worker->reply_to(id)->code == 20);
  auto link = here.its_pool.newest();
  link->send("{\"id\":" + link->withheld.front() + ",\"result\":true,\"error\":null}");
  here.all.run_for(1s);
  const auto now = here.all.snapshot().totals.at(0).shares;
  CHECK(now.unknown == 1);
  CHECK(now.accepted == 0);
  CHECK(now.late == 1);
  CHECK(worker->replies.size() == 3);
}

TEST_CASE("two submits with the same id are answered in the order asked") {
  house here;
  auto worker = here.mining();
  here.its_pool.answers_shares = false;
  const auto& job = worker->jobs.back();
  for (const char* nonce : {"00000001", "00000002", "00000003"}) {
    worker->send("{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"alice.rig\",\"" + job.text_id + "\",\"000000\",\"" +
                 job.ntime + "\",\"" + nonce + "\"]}");
  }
  auto link = here.its_pool.newest();
  REQUIRE(here.all.until([&] { return link->withheld.size() == 3; }));
  const auto before = worker->replies.size();
  link->send("{\"id\":" + link->withheld[2] + ",\"result\":true,\"error\":null}");
  link->send("{\"id\":" + link->withheld[1] + ",\"result\":null,\"error\":[23,\"low difficulty\",null]}");
  here.all.run_for(1s);
  CHECK(worker->replies.size() == before);
  link->send("{\"id\":" + link->withheld[0] + ",\"result\":null,\"error\":[21,\"stale\",null]}");
  REQUIRE(here.all.until([&] { return worker->replies.size() == before + 3; }));
  CHECK(worker->replies[before].code == 21);
  CHECK(worker->replies[before + 1].code == 23);
  CHECK(worker->replies[before + 1].text == "low difficulty");
  CHECK(worker->replies[before + 2].accepted);
}

TEST_CASE("a refusal of the proxy's own does not overtake an earlier submit with the same id") {
  house here;
  auto worker = here.mining();
  here.its_pool.answers_shares = false;
  const auto& job = worker->jobs.back();
  const auto share = [&](const std::string& of_job) {
    worker->send("{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"alice.rig\",\"" + of_job + "\",\"000000\",\"" +
                 job.ntime + "\",\"00000001\"]}");
  };
  share(job.text_id);
  share("1234");
  const auto before = worker->replies.size();
  here.all.run_for(1s);
  CHECK(worker->replies.size() == before);
  auto link = here.its_pool.newest();
  link->send("{\"id\":" + link->withheld[0] + ",\"result\":true,\"error\":null}");
  REQUIRE(here.all.until([&] { return worker->replies.size() == before + 2; }));
  CHECK(worker->replies[before].accepted);
  CHECK(worker->replies[before + 1].code == 21);
}

TEST_CASE("a configure after the first job gets a job under the new mask") {
  house here;
  auto worker = here.mining();
  worker->send(R"({"id":80,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]})");
  REQUIRE(here.all.until([&] { return worker->jobs.size() == 2; }));
  worker->send("{\"id\":81,\"method\":\"mining.submit\",\"params\":[\"alice.rig\",\"" + worker->jobs.back().text_id +
               "\",\"000000\",\"" + worker->jobs.back().ntime + "\",\"00000001\",\"00c00000\"]}");
  here.all.run_for(1s);
  REQUIRE(worker->reply_to(81));
  CHECK(worker->reply_to(81)->accepted);
  CHECK(here.its_pool.ledger.back().bits == "00c00000");
}

TEST_CASE("shares parked for one account are not counted for the next") {
  house here;
  auto& other = here.all.add_pool("other.example:1");
  here.all.add_account("bob", "other.example:1");
  auto worker = here.mining();
  here.all.run_for(30s);
  here.its_pool.up = false;
  here.its_pool.drop_all();
  here.all.run_for(100ms);
  for (int i = 0; i < 3; ++i) (void)worker->submit();
  worker->authorize("bob.rig");
  REQUIRE(here.all.until([&] { return other.open_links() == 1; }));
  here.all.run_for(1s);
  const auto now = here.all.snapshot();
  CHECK(now.workers.at(0).shares.sent == 0);
  CHECK(now.workers.at(0).shares.rejected_total() == 0);
}

TEST_CASE("many rigs that are refused together wait as long as one") {
  house here;
  here.its_pool.refuses_login = "no such user";
  std::vector<std::shared_ptr<miner>> rigs;
  for (int i = 0; i < 20; ++i) {
    rigs.push_back(here.all.connect());
    rigs.back()->login("alice.r" + std::to_string(i));
  }
  here.all.run_for(2s);
  here.its_pool.refuses_login.clear();
  REQUIRE(here.all.until([&] { return rigs[0]->has_job() || rigs[19]->has_job() || !rigs[0]->open; }, 62s));
  auto later = here.all.connect();
  later->login("alice.later");
  REQUIRE(here.all.until([&] { return later->has_job(); }, 12s));
}

TEST_CASE("a rig that the pool does not know does not lock its account out") {
  house here;
  auto good = here.mining("alice.good");
  here.its_pool.refuses_login = "unknown worker";
  auto bad = here.all.connect();
  bad->login("alice.typo");
  REQUIRE(here.all.until([&] { return !bad->messages.empty(); }));
  here.its_pool.refuses_login.clear();
  auto another = here.mining("alice.another");
  auto again = here.all.connect();
  again->login("alice.typo");
  REQUIRE(here.all.until([&] { return again->replies.size() == 2; }));
  CHECK(again->replies[1].code == 24);
}

TEST_CASE("a pool that sends a probing link elsewhere before it is live does not keep the others waiting") {
  stratumproxy::options config;
  config.session.hold = 10min;
  house here(9, config);
  auto one = here.mining("alice.one");
  auto two = here.mining("alice.two");
  here.all.run_for(30s);
  here.its_pool.up = false;
  here.its_pool.drop_all();
  here.all.run_for(30s);
  const auto links = here.its_pool.links.size();
  here.its_pool.up = true;
  REQUIRE(here.all.until([&] { return here.its_pool.links.size() > links; }, 61s));
  here.its_pool.newest()->send(R"({"id":null,"method":"client.reconnect","params":[]})");
  REQUIRE(here.all.until([&] { return here.its_pool.open_links() == 2; }, 2min));
}

TEST_CASE("a pool that lets links in and drops them soon after is asked less and less") {
  stratumproxy::options config;
  config.session.hold = 1h;
  house here(6, config);
  auto worker = here.mining();
  for (int i = 0; i < 600; ++i) {
    here.all.run_for(500ms);
    here.its_pool.drop_all();
  }
  CHECK(here.its_pool.attempts <= 15);
}

TEST_CASE("a refused login is told, remembered for all workers of it, and probed by one link") {
  house here;
  here.its_pool.refuses_login = "no such user";
  auto worker = here.all.connect();
  worker->login("alice");
  REQUIRE(here.all.until([&] { return !worker->messages.empty(); }));
  CHECK(worker->messages[0].find("no such user") != std::string::npos);
  CHECK(worker->open);
  for (int i = 0; i < 10; ++i) {
    auto other = here.all.connect();
    other->login("alice");
    REQUIRE(here.all.until([&] { return other->replies.size() == 2; }));
    CHECK(other->replies[1].code == 24);
    CHECK(other->replies[1].text == "pool refused the login: no such user");
  }
  here.all.run_for(58s);
  CHECK(here.its_pool.attempts == 1);
  here.all.run_for(5s);  // hold time
  CHECK_FALSE(worker->open);
}

TEST_CASE("a share whose pool stays silent while the proxy stops is told unknown and counted so") {
  house here;
  auto worker = here.mining();
  here.its_pool.answers_shares = false;
  const auto id = worker->submit();
  REQUIRE(here.all.until([&] { return here.its_pool.ledger.size() == 1; }));
  auto& manager = *here.all.shards[0]->manager;
  manager.drain(here.all.now);
  here.all.run_for(7s);
  CHECK_FALSE(manager.drained());
  here.all.run_for(2s);
  CHECK(manager.drained());
  REQUIRE(worker->reply_to(id));
  CHECK(worker->reply_to(id)->code == 20);
  CHECK(here.all.snapshot().totals.at(0).shares.unknown == 1);
}

TEST_CASE("a password that the pool repeats is told to nobody") {
  house here;
  here.its_pool.refuses_login = "wrong password secret for user";
  auto worker = here.all.connect();
  worker->login("alice");
  REQUIRE(here.all.until([&] { return !worker->messages.empty(); }));
  auto other = here.all.connect();
  other->login("alice");
  REQUIRE(here.all.until([&] { return other->replies.size() == 2; }));
  CHECK(worker->messages[0] == "the pool refused the login: wrong password *** for user");
  CHECK(other->replies[1].text == "pool refused the login: wrong password *** for user");
}

TEST_CASE("workers are told and closed when no pool was there for the hold time") {
  house here;
  here.its_pool.up = false;
  auto worker = here.all.connect();
  worker->login("alice.rig");
  here.all.run_for(59s);
  CHECK(worker->open);
  CHECK(worker->replies.size() == 2);
  CHECK(worker->replies[1].accepted);
  CHECK(worker->jobs.empty());
  here.all.run_for(2s);
  CHECK_FALSE(worker->open);
  CHECK(worker->messages.back().find("cannot be reached") != std::string::npos);
}

TEST_CASE("one link probes a dead pool for all, and the others are spread after its return") {
  stratumproxy::options config;
  config.session.hold = 15min;
  house here(5, config);
  std::vector<std::shared_ptr<miner>> workers;
  for (int i = 0; i < 300; ++i) workers.push_back(here.mining("alice.r" + std::to_string(i)));
  here.all.run_for(30s);
  here.its_pool.up = false;
  here.its_pool.drop_all();
  here.all.run_for(2s);
  const auto before = here.its_pool.attempts;
  here.all.run_for(8min);
  CHECK(here.its_pool.attempts - before <= 20);
  here.its_pool.up = true;
  REQUIRE(here.all.until([&] { return here.its_pool.open_links() == 1; }, 61s));
  here.all.run_for(5s);
  CHECK(here.its_pool.open_links() > 50);
  CHECK(here.its_pool.open_links() < 250);
  here.all.run_for(6s);
  CHECK(here.its_pool.open_links() == 300);
  for (const auto& worker : workers) CHECK(worker->open);
}

TEST_CASE("a pool that accepts and closes at once is not hammered") {
  stratumproxy::options config;
  config.session.hold = 1h;
  house here(6, config);
  here.its_pool.closes_at_once = true;
  auto worker = here.all.connect();
  worker->login("alice.rig");
  here.all.run_for(5min);
  CHECK(here.its_pool.attempts <= 15);
  CHECK(worker->open);
}

TEST_CASE("connections to one pool are paced") {
  house here;
  std::vector<std::shared_ptr<miner>> workers;
  for (int i = 0; i < 600; ++i) {
    workers.push_back(here.all.connect());
    workers.back()->login("alice");
  }
  here.all.run_for(1s);
  CHECK(here.its_pool.links.size() >= 150);
  CHECK(here.its_pool.links.size() <= 260);
  here.all.run_for(3s);
  CHECK(here.its_pool.links.size() == 600);
}

TEST_CASE("a worker hears something every 50 s: difficulty, then the last job, same id, not clean") {
  stratumproxy::options with;
  with.upstream.silence = 1h;
  house here(3, with);
  auto worker = here.mining();
  here.all.run_for(51s);
  REQUIRE(worker->jobs.size() == 2);
  CHECK(worker->jobs[1].id == worker->jobs[0].id);
  CHECK(worker->jobs[1].coinb1 == worker->jobs[0].coinb1);
  CHECK_FALSE(worker->jobs[1].clean);
  here.all.run_for(10min);
  CHECK(worker->jobs.size() == 14);
}

TEST_CASE("a silent pool is left and asked again") {
  house here;
  auto worker = here.mining();
  here.all.run_for(3min + 1s);
  CHECK(here.its_pool.links.size() == 2);
  CHECK(worker->open);
}

TEST_CASE("difficulty belongs to the job") {
  house here;
  here.its_pool.first_difficulty = 16;
  auto worker = here.mining();
  const auto old_job = worker->jobs.back();
  here.its_pool.newest()->difficulty(64);
  REQUIRE(here.all.until([&] { return worker->difficulty == 64; }));
  (void)worker->submit(old_job);
  here.its_pool.newest()->job(false);
  REQUIRE(here.all.until([&] { return worker->jobs.size() == 2; }));
  (void)worker->submit();
  (void)worker->submit(old_job);
  here.all.run_for(1s);
  const auto now = here.all.snapshot();
  CHECK(now.totals.at(0).shares.accepted == 3);
  CHECK(now.totals.at(0).shares.accepted_one == 16 + 64 + 16);
  CHECK(now.workers.at(0).shares.sent_one == 16 + 64 + 16);
  CHECK(now.workers.at(0).difficulty == 64);
}

TEST_CASE("a job that clean_jobs replaced still goes up, an unknown one does not") {
  house here;
  auto worker = here.mining();
  const auto old_job = worker->jobs.back();
  here.its_pool.newest()->job(true);
  REQUIRE(here.all.until([&] { return worker->jobs.size() == 2; }));
  const auto late = worker->submit(old_job);
  auto unknown = old_job;
  unknown.text_id = "123456789";
  const auto lost = worker->submit(unknown);
  here.all.run_for(1s);
  CHECK(worker->reply_to(late)->accepted);
  CHECK(worker->reply_to(lost)->code == 21);
  CHECK(here.its_pool.ledger.size() == 1);
}

TEST_CASE("a job that the pool repeats keeps its id") {
  house here;
  auto worker = here.mining();
  const std::string same =
      R"({"id":null,"method":"mining.notify","params":["same","0000000000000000000000000000000000000000000000000000000000000001","01","02",[],"20000000","1d00ffff","66a00000",)";
  here.its_pool.newest()->send(same + "true]}");
  here.its_pool.newest()->send(same + "false]}");
  REQUIRE(here.all.until([&] { return worker->jobs.size() == 3; }));
  CHECK(worker->jobs[1].id == worker->jobs[2].id);
  CHECK(worker->jobs[1].clean);
  CHECK_FALSE(worker->jobs[2].clean);
}

TEST_CASE("the same authorize under another account moves the worker, and late shares still reach the old pool") {
  house here;
  auto& other = here.all.add_pool("other.example:1");
  here.all.add_account("bob", "other.example:1", "", 65536);
  auto worker = here.mining();
  const auto old_job = worker->jobs.back();
  worker->authorize("bob.rig");
  REQUIRE(here.all.until([&] { return worker->jobs.size() == 2; }));
  CHECK(worker->jobs.back().clean);
  const auto late = worker->submit(old_job, "bob.rig");
  const auto fresh = worker->submit();
  here.all.run_for(1s);
  CHECK(worker->reply_to(late)->accepted);
  CHECK(worker->reply_to(fresh)->accepted);
  CHECK(here.its_pool.ledger.size() == 1);
  CHECK(other.ledger.size() == 1);
  const auto now = here.all.snapshot();
  CHECK(now.workers.at(0).shares.sent == 1);  // of the new labels
  CHECK(now.workers.at(0).algorithm == "scrypt");
  here.all.run_for(11s);
  CHECK(here.its_pool.open_links() == 0);
}

TEST_CASE("while the database is away known workers mine on and a login is told to try later") {
  house here;
  auto worker = here.mining();
  here.all.database_up = false;
  auto other = here.all.connect();
  other->login("alice.rig");
  REQUIRE(here.all.until([&] { return other->replies.size() == 2; }));
  CHECK(other->replies[1].code == 20);
  CHECK(other->open);
  (void)worker->submit();
  here.all.run_for(1s);
  CHECK(here.its_pool.ledger.size() == 1);
  here.all.database_up = true;
  other->authorize("alice.rig");
  REQUIRE(here.all.until([&] { return other->has_job(); }));
}

TEST_CASE("an extranonce that is too short is learned with one reconnect, even by a miner that repeats no session id") {
  house here;
  here.its_pool.extranonce2_size = 3;
  auto first = here.all.connect();
  first->login("alice.rig");
  REQUIRE(here.all.until([&] { return !first->open; }));
  CHECK(first->jobs.empty());
  auto second = here.mining();
  CHECK(second->extranonce1 == here.its_pool.newest()->extranonce1);
  CHECK(second->extranonce2_size == 3);
  CHECK(here.its_pool.links.size() == 1);
  const auto id = second->submit();
  REQUIRE(here.all.until([&] { return second->reply_to(id) != nullptr; }));
  CHECK(second->reply_to(id)->accepted);
  CHECK(here.its_pool.ledger.back().coinbase ==
        second->jobs.back().coinb1 + second->extranonce1 + here.its_pool.ledger.back().extranonce2);
}

TEST_CASE("a miner that cannot be told the extranonce is told why, and never loops") {
  house here;
  here.its_pool.extranonce2_size = 3;
  unsigned away = 0;
  std::shared_ptr<miner> worker;
  for (int i = 0; i < 6; ++i) {
    worker = here.all.connect();
    worker->login("alice.rig");
    here.all.run_for(70s);  // beyond the grace time: it is not known any more
    if (worker->replies.back().accepted) ++away;
  }
  CHECK(away == 2);
  CHECK(worker->replies.back().code == 20);
}

TEST_CASE("version bits: promised early, narrowed by the pool, judged by the mask of the job") {
  house here;
  here.its_pool.version_mask = 0x00ffe000;
  auto worker = here.all.connect();
  worker->send(R"({"id":80,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]})");
  worker->login("alice.rig");
  REQUIRE(here.all.until([&] { return worker->has_job(); }));
  const auto text = [&](std::string_view what) {
    return std::any_of(worker->lines.begin(), worker->lines.end(),
                       [&](const std::string& line) { return line.find(what) != std::string::npos; });
  };
  CHECK(text("\"version-rolling.mask\":\"1fffe000\""));
  CHECK(text("\"mining.set_version_mask\",\"params\":[\"00ffe000\"]"));
  const auto& job = worker->jobs.back();
  const auto share = [&](int id, const char* bits) {
    worker->send("{\"id\":" + std::to_string(id) + ",\"method\":\"mining.submit\",\"params\":[\"alice.rig\",\"" + job.text_id +
                 "\",\"000000\",\"" + job.ntime + "\",\"0000000" + std::to_string(id - 80) + "\",\"" + bits + "\"]}");
  };
  share(81, "00c00000");
  share(82, "10000000");
  here.all.run_for(1s);
  CHECK(worker->reply_to(81)->accepted);
  CHECK(worker->reply_to(82)->code == 20);
  REQUIRE(here.its_pool.ledger.size() == 1);
  CHECK(here.its_pool.ledger[0].bits == "00c00000");
}

TEST_CASE("a pool that ignores configure costs 5 s and no version bits") {
  house here;
  here.its_pool.answers_configure = false;
  auto worker = here.all.connect();
  worker->send(R"({"id":80,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]})");
  worker->login("alice.rig");
  here.all.run_for(4s);
  CHECK_FALSE(worker->has_job());
  REQUIRE(here.all.until([&] { return worker->has_job(); }, 2s));
}

TEST_CASE("client.reconnect is followed within the pool's own domain only, once a minute, and never relayed") {
  house here;
  auto& near = here.all.add_pool("backup.pool.example:3334");
  auto& far = here.all.add_pool("evil.test:3333");
  auto worker = here.mining();
  here.all.run_for(30s);
  const auto ask = [&](const std::string& params) {
    here.its_pool.newest()->send(R"({"id":null,"method":"client.reconnect","params":)" + params + "}");
    here.all.run_for(2s);
  };
  for (const char* bad : {R"(["evil.test",3333,0])", R"(["169.254.169.254",80,0])", R"(["pool.example","3333;id",0])",
                          R"(["[::1]",3333])", R"(["example",3333])", R"([7,3333])"}) {
    ask(bad);
  }
  CHECK(far.links.empty());
  CHECK(here.its_pool.links.size() == 1);
  ask(R"(["backup.pool.example",3334,0])");
  CHECK(near.links.size() == 1);
  CHECK(worker->open);
  CHECK(std::none_of(worker->lines.begin(), worker->lines.end(),
                     [](const std::string& line) { return line.find("client.reconnect") != std::string::npos; }));
}

TEST_CASE("authorize before subscribe works, and the job follows the subscribe reply") {
  house here;
  auto worker = here.all.connect();
  worker->authorize("alice.rig");
  here.all.run_for(1s);
  CHECK(worker->replies.size() == 1);
  CHECK(worker->replies[0].accepted);
  CHECK(worker->jobs.empty());
  worker->subscribe();
  REQUIRE(here.all.until([&] { return worker->has_job(); }));
  CHECK(worker->lines[1].find("mining.notify") != std::string::npos);  // the subscribe reply
  const auto id = worker->submit();
  REQUIRE(here.all.until([&] { return worker->reply_to(id) != nullptr; }));
  CHECK(worker->reply_to(id)->accepted);
}

TEST_CASE("when it stops, the proxy answers what arrived and closes every worker") {
  house here;
  auto worker = here.mining();
  here.its_pool.answers_shares = false;
  const auto id = worker->submit();
  REQUIRE(here.all.until([&] { return here.its_pool.ledger.size() == 1; }));
  auto& manager = *here.all.shards[0]->manager;
  manager.drain(here.all.now);
  here.all.run_for(1s);
  CHECK_FALSE(manager.drained());
  auto link = here.its_pool.newest();
  link->send("{\"id\":" + link->withheld.front() + ",\"result\":true,\"error\":null}");
  here.all.run_for(1s);
  REQUIRE(worker->reply_to(id));
  CHECK(worker->reply_to(id)->accepted);
  CHECK(manager.drained());
  CHECK_FALSE(worker->open);
}
