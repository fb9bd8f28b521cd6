#include <catch2/catch.hpp>

#include <set>

#include "simulation.hpp"

using namespace simulation;

namespace {

/// A farm with two pools, an account on each, and a worker that mines.
struct farm {
  explicit farm(unsigned shards = 1, unsigned extranonce2 = 8) : all(7, shards) {
    first.extranonce2_size = second.extranonce2_size = extranonce2;
    all.add_account("alice", "one.example:3333");
    all.add_account("bob", "two.example:3333");
  }
  std::shared_ptr<miner> mining(const std::string& user = "alice.rig", unsigned shard = 0, const std::string& session = {}) {
    auto made = all.connect(shard);
    made->login(user, session);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }

  world all;
  pool& first = all.add_pool("one.example:3333");
  pool& second = all.add_pool("two.example:3333");
};

}  // namespace

TEST_CASE("a worker that was reset finds difficulty and job at once, from memory") {
  farm here;
  auto before = here.mining();
  here.first.newest()->difficulty(4096);
  const auto job = here.first.newest()->job();
  REQUIRE(here.all.until([&] { return before->jobs.size() == 2; }));
  before->reset();
  here.all.run_for(30s);

  here.first.up = false;  // nothing can come from the pool: not even a new connection
  auto after = here.all.connect();
  after->login("alice.rig", before->session);
  REQUIRE(here.all.until([&] { return !after->jobs.empty(); }, 10ms));
  CHECK(after->difficulty == 4096);
  CHECK(after->extranonce1 == before->extranonce1);
  CHECK(after->extranonce2_size == before->extranonce2_size);
  CHECK(after->session != before->session);
  CHECK(after->jobs.back().clean);
  CHECK(here.first.links.size() == 1);
  CHECK(here.first.newest()->open);

  // The same job must not be searched in the same space again.
  CHECK(after->jobs.back().coinb1 != before->jobs.back().coinb1);
  const auto id = after->submit();
  REQUIRE(here.all.until([&] { return after->reply_to(id) != nullptr; }));
  CHECK(after->reply_to(id)->accepted);
  CHECK(here.first.ledger.back().job == job);
  CHECK(here.first.ledger.back().coinbase.starts_with(after->jobs.back().coinb1));
}

TEST_CASE("without pad bytes a restored worker gets the job with a later ntime") {
  farm here(1, 4);
  auto before = here.mining();
  before->reset();
  here.all.run_for(20s);
  auto after = here.mining("alice.rig", 0, before->session);
  CHECK(after->jobs.back().coinb1 == before->jobs.back().coinb1);
  CHECK(std::stoul(after->jobs.back().ntime, nullptr, 16) >= std::stoul(before->jobs.back().ntime, nullptr, 16) + 20);
}

TEST_CASE("the pool's work of the meantime is what a restored worker gets") {
  farm here;
  auto before = here.mining();
  before->reset();
  std::string last;
  for (int i = 0; i < 5; ++i) {
    last = here.first.newest()->job();
    here.first.newest()->difficulty(100 + i);
    here.all.run_for(5s);
  }
  last = here.first.newest()->job();
  here.all.run_for(1s);
  auto after = here.mining("alice.rig", 0, before->session);
  REQUIRE(after->jobs.size() == 1);
  CHECK(after->difficulty == 104);
  (void)after->submit();
  REQUIRE(here.all.until([&] { return !here.first.ledger.empty(); }));
  CHECK(here.first.ledger.back().job == last);
}

TEST_CASE("the link is not closed before the grace time is over, and is then") {
  farm here;
  auto gone = here.mining();
  gone->reset();
  here.all.run_for(59s);
  CHECK(here.first.open_links() == 1);
  CHECK(here.all.snapshot().kept_sessions == 1);
  CHECK_FALSE(here.all.snapshot().workers.at(0).up);
  here.all.run_for(2s);
  CHECK(here.first.open_links() == 0);
  CHECK(here.all.snapshot().kept_sessions == 0);
  CHECK(here.all.snapshot().workers.empty());

  auto late = here.mining("alice.rig", 0, gone->session);
  CHECK(here.first.links.size() == 2);
  CHECK(late->session != gone->session);
}

TEST_CASE("a second drop starts a grace time of its own") {
  farm here;
  auto first = here.mining();
  first->reset();
  here.all.run_for(50s);
  auto second = here.mining("alice.rig", 0, first->session);
  here.all.run_for(5s);
  second->reset();
  here.all.run_for(50s);  // 105 s after the first drop
  auto third = here.mining("alice.rig", 0, second->session);
  CHECK(here.first.links.size() == 1);
}

TEST_CASE("a half-open connection is superseded and its work goes on") {
  farm here;
  auto before = here.mining();
  before->vanish();
  here.all.run_for(5s);
  auto after = here.mining("alice.rig", 0, before->session);
  CHECK(after->extranonce1 != before->extranonce1);  // the old one might still mine
  CHECK(here.first.links.size() == 1);
  CHECK(here.all.event("sessions_superseded") == 1);
  CHECK(here.all.snapshot().workers.size() == 1);
  const auto id = after->submit();
  REQUIRE(here.all.until([&] { return after->reply_to(id) != nullptr; }));
  CHECK(after->reply_to(id)->accepted);
}

TEST_CASE("a live worker is not disturbed by a newcomer that names its session and never logs in") {
  farm here;
  auto owner = here.mining();
  auto intruder = here.all.connect(0, "10.9.9.9");
  intruder->subscribe(owner->session);
  here.all.run_for(5s);
  CHECK(owner->open);
  CHECK(intruder->extranonce1 != owner->extranonce1);
  const auto id = intruder->submit(owner->jobs.back(), "alice.rig");
  here.all.run_for(1s);
  REQUIRE(intruder->reply_to(id));
  CHECK(intruder->reply_to(id)->code == 24);
  CHECK(here.first.ledger.empty());
  intruder->authorize("bob.rig");
  REQUIRE(here.all.until([&] { return intruder->has_job(); }));
  CHECK(owner->open);
  CHECK(here.second.links.size() == 1);
}

TEST_CASE("a worker that returns under another name gets that account's pool, and takes only the mark along") {
  farm here;
  auto before = here.mining();
  before->reset();
  here.all.run_for(3s);
  auto after = here.all.connect();
  after->login("bob.rig", before->session);
  REQUIRE(here.all.until([&] { return after->has_job(); }));
  CHECK(after->extranonce1 == before->extranonce1);
  CHECK(here.second.open_links() == 1);
  here.all.run_for(1s);
  CHECK(here.first.open_links() == 0);
  const auto id = after->submit();
  REQUIRE(here.all.until([&] { return after->reply_to(id) != nullptr; }));
  CHECK(here.second.ledger.size() == 1);
  CHECK(here.second.ledger.back().user == "user-of-bob.rig");
  CHECK(here.first.ledger.empty());
  // The id was used up.
  auto again = here.mining("alice.rig", 0, before->session);
  CHECK(here.first.links.size() == 2);
}

TEST_CASE("raced restores have exactly one winner") {
  farm here;
  auto before = here.mining();
  before->reset();
  here.all.run_for(1s);
  std::vector<std::shared_ptr<miner>> racers;
  for (int i = 0; i < 8; ++i) {
    racers.push_back(here.all.connect());
    racers.back()->subscribe(before->session);
  }
  here.all.run_for(1s);
  for (auto& racer : racers) racer->authorize("alice.rig");
  REQUIRE(here.all.until([&] {
    return std::all_of(racers.begin(), racers.end(), [](const auto& r) { return r->has_job(); });
  }));
  CHECK(here.all.event("sessions_restored") == 1);
  CHECK(here.first.links.size() == 8);  // one is the old one
  CHECK(here.all.snapshot().workers.size() == 8);
  std::set<std::string> sessions;
  for (const auto& racer : racers) {
    CHECK(racer->open);
    sessions.insert(racer->session);
  }
  CHECK(sessions.size() == 8);
}

TEST_CASE("crossed restores leave two workers, each on its own pool") {
  farm here;
  auto alice = here.mining("alice.a");
  auto bob = here.mining("bob.b");
  alice->vanish();
  bob->vanish();
  auto first = here.all.connect();
  auto second = here.all.connect();
  first->login("alice.a", bob->session);
  second->login("bob.b", alice->session);
  REQUIRE(here.all.until([&] { return first->has_job() && second->has_job(); }));
  (void)first->submit();
  (void)second->submit();
  here.all.run_for(1s);
  REQUIRE(here.first.ledger.size() == 1);
  REQUIRE(here.second.ledger.size() == 1);
  CHECK(here.first.ledger[0].user == "user-of-alice.a");
  CHECK(here.second.ledger[0].user == "user-of-bob.b");
  CHECK(here.all.event("sessions_restored") == 0);
}

TEST_CASE("a worker that comes back on another shard gets its session there too") {
  farm here(3);
  for (unsigned to = 0; to < 3; ++to) {
    auto before = here.mining("alice.rig", 1);
    before->reset();
    here.all.run_for(1s);
    const auto links = here.first.links.size();
    auto after = here.mining("alice.rig", to, before->session);
    CHECK(after->extranonce1 == before->extranonce1);
    CHECK(after->shard_index == before->shard_index);
    CHECK(here.first.links.size() == links);
    const auto id = after->submit();
    REQUIRE(here.all.until([&] { return after->reply_to(id) != nullptr; }));
    CHECK(after->reply_to(id)->accepted);
    after->reset();
    here.all.run_for(2min);
  }
  CHECK(here.all.event("sessions_handed_over") == 2);
}

TEST_CASE("what came with the subscribe to the wrong shard is not lost on the way") {
  farm here(2);
  auto before = here.mining("alice.rig", 0);
  before->reset();
  auto after = here.all.connect(1);
  after->user = "alice.rig";
  after->send(R"({"id":90,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]})");
  after->send("{\"id\":91,\"method\":\"mining.subscribe\",\"params\":[\"miner/1\",\"" + before->session +
              "\"]}\n{\"id\":92,\"method\":\"mining.authorize\",\"params\":[\"alice.rig\",\"x\"]}");
  REQUIRE(here.all.until([&] { return after->has_job(); }));
  REQUIRE(after->replies.size() == 3);
  CHECK(after->replies[0].id == "90");
  CHECK(after->replies[1].id == "91");
  CHECK(after->replies[2].id == "92");
  CHECK(after->shard_index == 0);
}

TEST_CASE("a miner that logs in before it subscribes gets its session back, on whatever shard it arrives") {
  farm here(2);
  for (unsigned to = 0; to < 2; ++to) {
    auto before = here.mining("alice.rig", 0);
    here.first.newest()->difficulty(512);
    REQUIRE(here.all.until([&] { return before->difficulty == 512; }));
    before->reset();
    here.all.run_for(1s);
    const auto link = here.first.newest();

    auto after = here.all.connect(to);
    after->authorize("alice.rig");
    REQUIRE(here.all.until([&] { return after->replies.size() == 1; }));
    after->subscribe(before->session);
    REQUIRE(here.all.until([&] { return after->has_job(); }));
    CHECK(after->replies.size() == 2);
    CHECK(after->shard_index == 0);
    CHECK(after->extranonce1 == before->extranonce1);
    CHECK(after->difficulty == 512);
    const auto id = after->submit();
    REQUIRE(here.all.until([&] { return after->reply_to(id) != nullptr; }));
    CHECK(after->reply_to(id)->accepted);
    CHECK(here.first.ledger.back().extranonce1 == link->extranonce1);
    here.all.run_for(5s);
    CHECK(link->open);
    CHECK(here.first.open_links() == 1);
    after->reset();
    here.all.run_for(2min);
  }
  CHECK(here.all.event("sessions_restored") == 2);
}

TEST_CASE("a miner that logged in as another account before it subscribed gets nothing of the session that it names") {
  farm here;
  auto before = here.mining("alice.rig");
  before->reset();
  auto after = here.all.connect();
  after->authorize("bob.rig");
  after->subscribe(before->session);
  REQUIRE(here.all.until([&] { return after->has_job(); }));
  const auto id = after->submit();
  REQUIRE(here.all.until([&] { return after->reply_to(id) != nullptr; }));
  CHECK(here.second.ledger.size() == 1);
  CHECK(here.first.newest()->open);  // still kept for who may come
  CHECK(here.all.event("sessions_restored") == 0);
}

TEST_CASE("a session that returns with another rig mines on under that rig's name") {
  farm here;
  auto before = here.mining("alice.one");
  before->reset();
  auto after = here.mining("alice.two", 0, before->session);
  CHECK(here.first.links.size() == 1);
  REQUIRE(here.all.until([&] { return here.first.newest()->user == "user-of-alice.two"; }));
  here.all.run_for(1s);
  const auto id = after->submit();
  REQUIRE(here.all.until([&] { return after->reply_to(id) != nullptr; }));
  CHECK(here.first.ledger.back().user == "user-of-alice.two");
}

TEST_CASE("when two rigs follow each other on a session, shares go up under the last one's name") {
  farm here;
  auto before = here.mining("alice.one");
  before->reset();
  auto second = here.all.connect();
  second->login("alice.two", before->session);
  REQUIRE(here.all.until([&] { return second->has_job(); }, 2ms * 8));
  second->reset();
  auto third = here.all.connect();
  third->login("alice.three", second->session);
  REQUIRE(here.all.until([&] { return third->has_job(); }));
  here.all.run_for(1s);
  const auto id = third->submit();
  REQUIRE(here.all.until([&] { return third->reply_to(id) != nullptr; }));
  CHECK(third->reply_to(id)->accepted);
  CHECK(here.first.links.size() == 1);
  CHECK(here.first.ledger.back().user == "user-of-alice.three");
}

TEST_CASE("a share is not taken twice, not even across a restore and in other letters") {
  farm here;
  auto before = here.mining();
  const auto job = before->jobs.back();
  const std::string share = "\"method\":\"mining.submit\",\"params\":[\"alice.rig\",\"" + job.text_id + "\",\"0000aa\",\"" +
                            job.ntime + "\",\"c0ad31ee\"]}";
  before->send("{\"id\":70," + share);
  REQUIRE(here.all.until([&] { return before->reply_to(70) != nullptr; }));
  before->reset();
  auto after = here.mining("alice.rig", 0, before->session);
  after->send("{\"id\":71," + share);
  after->send("{\"id\":72,\"method\":\"mining.submit\",\"params\":[\"alice.rig\",\"" + job.text_id + "\",\"0000AA\",\"" +
              job.ntime + "\",\"C0AD31EE\"]}");
  REQUIRE(here.all.until([&] { return after->reply_to(72) != nullptr; }));
  CHECK(after->reply_to(71)->code == 22);
  CHECK(after->reply_to(72)->code == 22);
  CHECK(here.first.ledger.size() == 1);
}

TEST_CASE("at most 32 sessions are kept for an address, oldest dropped first") {
  farm here;
  std::vector<std::shared_ptr<miner>> workers;
  for (int i = 0; i < 40; ++i) workers.push_back(here.mining());
  for (auto& worker : workers) {
    worker->reset();
    here.all.run_for(10ms);
  }
  CHECK(here.all.snapshot().kept_sessions == 32);
  auto oldest = here.mining("alice.rig", 0, workers[0]->session);
  CHECK(here.all.event("sessions_restored") == 0);
  auto newest = here.mining("alice.rig", 0, workers[39]->session);
  CHECK(here.all.event("sessions_restored") == 1);
}

TEST_CASE("session ids cannot be guessed from others and are never given twice") {
  farm here;
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    auto one = here.all.connect();
    one->subscribe();
    REQUIRE(here.all.until([&] { return one->subscribed; }));
    CHECK(one->session.size() == 32);
    CHECK(seen.insert(one->session).second);
    one->reset();
  }
}
