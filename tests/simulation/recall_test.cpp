// Workers that return to another proxy than the one that they left: two proxies, and what they share of sessions.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;
using stratumproxy::pool_info;
using stratumproxy::session_record;
using stratumproxy::verify_level;

namespace {

constexpr double pool_difficulty = 0x1p20;
constexpr double its_difficulty = 0x1p12;

/// What a database between the proxies does, at once, unless it is told to be slow.
class shelf final : public stratumproxy::session_store {
 public:
  void save(session_record record) override {
    ++saves;
    if (!claimed.contains(record.id)) records[record.id] = std::move(record);
  }
  void remove(const std::string& id) override {
    records.erase(id);
    claimed.erase(id);
  }
  void claim(const std::string& id, std::function<void(std::optional<session_record>)> done) override {
    ++claims;
    if (is_silent) return waiting.push_back(std::move(done));
    const auto found = records.find(id);
    if (found == records.end()) return done(std::nullopt);
    auto record = std::move(found->second);
    records.erase(found);
    claimed.insert(id);
    done(std::move(record));
  }

  bool is_silent = false;
  std::vector<std::function<void(std::optional<session_record>)>> waiting;
  std::map<std::string, session_record> records;
  std::set<std::string> claimed;
  std::size_t saves = 0, claims = 0;
};

stratumproxy::options by_nonce() {
  stratumproxy::options made;
  made.algorithms = algorithms_by_nonce();
  made.vardiff.first = 0x1p16;
  return made;
}

void tuned(pool_info& row) {
  row.algorithm = "by-nonce";
  row.mode = link_mode::shared;
  row.verify = verify_level::full;
}

/// Two proxies, a pool that they both use, and an account whose workers get difficulties of their own.
struct house {
  explicit house(const std::function<void(pool_info&)>& rules = tuned) {
    all.add_account("alice", "pool.example:3333", "", 1, rules);
    all.add_account("bob", "pool.example:3333", "", 1, rules);
    its_pool.first_difficulty = pool_difficulty;
    its_pool.nbits = "17034219";  // a block of 2^46
    its_pool.weighs_shares = true;
  }
  std::shared_ptr<miner> mining(unsigned proxy, const std::string& user = "alice.rig", const std::string& session = {},
                                const std::string& agent = "miner/1") {
    auto made = all.connect(proxy);
    made->login(user, session, agent);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }
  /// One that has found its difficulty, which is in the store.
  std::shared_ptr<miner> settled(unsigned proxy, const std::string& user = "alice.rig", const std::string& agent = "miner/1") {
    auto made = all.connect(proxy);
    made->send(R"({"id":900,"method":"mining.suggest_difficulty","params":[4096]})");
    made->login(user, {}, agent);
    REQUIRE(all.until([&] { return made->has_job() && kept.records.contains(made->session); }));
    REQUIRE(made->difficulty == its_difficulty);
    return made;
  }
  bool takes_shares(miner& from) {
    const auto id = from.submit_of(from.difficulty);
    return all.until([&] { return from.reply_to(id) != nullptr; }) && from.reply_to(id)->accepted;
  }

  shelf kept;
  world all{23, 2, by_nonce(), kept};
  pool& its_pool = all.add_pool("pool.example:3333");
};

}  // namespace

TEST_CASE("a worker that returns to another proxy keeps account, difficulty and split") {
  house here;
  const auto before = here.settled(0, "alice.rig", "NiceHash/1.0");
  CHECK(here.kept.records.at(before->session) ==
        session_record{before->session, "alice", "rig", its_difficulty, before->extranonce1, 4});
  (void)here.mining(1, "bob.other");  // so that a fresh mark would be another one
  before->vanish();

  const auto after = here.mining(1, "alice.rig", before->session);
  CHECK(after->difficulty == its_difficulty);
  CHECK(after->jobs.front().difficulty == its_difficulty);
  CHECK(after->extranonce1 == before->extranonce1);
  CHECK(after->extranonce2_size == 4);
  CHECK(after->session != before->session);
  CHECK(here.takes_shares(*after));
  CHECK(here.all.event("sessions_recalled") == 1);

  // And from there back again.
  REQUIRE(here.all.until([&] { return here.kept.records.contains(after->session); }));
  after->vanish();
  const auto again = here.mining(0, "alice.rig", after->session);
  CHECK(again->difficulty == its_difficulty);
  CHECK(again->extranonce1 == before->extranonce1);
  CHECK(here.takes_shares(*again));
}

TEST_CASE("a recalled difficulty is not searched for anew") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  const auto after = here.mining(1, "alice.rig", before->session);
  here.all.run_for(20s);  // a search would have gone down by 2^4 after 8 s without a share
  CHECK(after->difficulty == its_difficulty);
  here.all.run_for(5min);
  CHECK(after->difficulty < its_difficulty);  // but whoever finds nothing gets less in the end
}

TEST_CASE("a recalled difficulty is watched even where its first job could not be sent at once") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  here.its_pool.up = false;
  here.its_pool.drop_all();
  const auto after = here.all.connect(1);
  after->login("alice.rig", before->session);
  here.all.run_for(1s);
  auto& manager = *here.all.shards[1]->manager;
  manager.congested(after->channel, true, here.all.now);
  here.its_pool.up = true;
  here.all.run_for(30s);
  (void)here.its_pool.newest()->job();
  here.all.run_for(1s);
  REQUIRE_FALSE(after->has_job());
  manager.congested(after->channel, false, here.all.now);
  REQUIRE(here.all.until([&] { return after->has_job(); }));
  CHECK(after->difficulty == its_difficulty);
  here.all.run_for(170s);  // 34 shares were expected after 136 s; the link is not given up before 180 s without a word
  CHECK(after->difficulty < its_difficulty);
}

TEST_CASE("where the pool says the difficulty, it is asked for the one that the worker had") {
  house here([](pool_info& row) { row.algorithm = "by-nonce"; });
  const auto before = here.mining(0);
  here.its_pool.newest()->difficulty(777);
  REQUIRE(here.all.until([&] { return here.kept.records.contains(before->session) && here.kept.records.at(before->session).difficulty == 777; }));
  before->vanish();
  const auto after = here.mining(1, "alice.rig", before->session);
  REQUIRE(here.all.until([&] { return here.its_pool.newest()->suggested == 777; }));
  CHECK(after->extranonce1 == before->extranonce1);
}

TEST_CASE("an id is good once, however many proxies are asked") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  std::vector<std::shared_ptr<miner>> racers;
  for (unsigned i = 0; i < 6; ++i) {
    racers.push_back(here.all.connect(1));
    racers.back()->login("alice.rig", before->session);
  }
  REQUIRE(here.all.until([&] { return std::all_of(racers.begin(), racers.end(), [](const auto& one) { return one->has_job(); }); }));
  CHECK(here.all.event("sessions_recalled") == 1);
  CHECK(std::count_if(racers.begin(), racers.end(), [](const auto& one) { return one->difficulty == its_difficulty; }) == 1);
  // The first proxy goes on to say what it has of the worker, which is half-open there: the id stays used up.
  here.all.run_for(11min);
  const auto late = here.mining(1, "alice.rig", before->session);
  CHECK(here.all.event("sessions_recalled") == 1);
}

TEST_CASE("a mark that somebody has on the link is searched under another pad") {
  house here;
  const auto before = here.settled(0);
  // As many workers as there are marks, all on the link that the returning one will be on.
  std::vector<std::shared_ptr<miner>> others;
  for (unsigned i = 0; i < 200; ++i) others.push_back(here.mining(1, "alice.rig" + std::to_string(i)));
  const auto twin = std::find_if(others.begin(), others.end(), [&](const auto& one) { return one->extranonce1 == before->extranonce1; });
  REQUIRE(twin != others.end());
  before->vanish();
  const auto after = here.mining(1, "alice.rig", before->session);
  CHECK(after->extranonce1 == before->extranonce1);
  CHECK(after->jobs.back().coinb1 != (*twin)->jobs.back().coinb1);
  CHECK(here.takes_shares(*after));
  CHECK(here.takes_shares(**twin));
}

TEST_CASE("authorize may come before subscribe") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  const auto after = here.all.connect(1);
  after->authorize("alice.rig");
  after->subscribe(before->session);
  REQUIRE(here.all.until([&] { return after->has_job(); }));
  CHECK(after->difficulty == its_difficulty);
  CHECK(after->extranonce1 == before->extranonce1);
  CHECK(here.takes_shares(*after));
  CHECK(here.all.event("sessions_recalled") == 1);
}

TEST_CASE("a worker that authorizes without its rig, and then says by its session who it is, logs in at the pool as that") {
  house here([](pool_info& row) { row.algorithm = "by-nonce"; });
  const auto before = here.mining(0);
  const auto its_login = here.its_pool.newest()->user;
  REQUIRE(here.all.until([&] { return here.kept.records.contains(before->session); }));
  before->vanish();
  const auto after = here.all.connect(1);
  after->authorize("alice");
  after->subscribe(before->session);
  REQUIRE(here.all.until([&] { return after->has_job(); }));
  CHECK(here.all.until([&] { return here.its_pool.newest()->user == its_login; }));
  CHECK(here.takes_shares(*after));
  CHECK(here.its_pool.ledger.back().user == its_login);
}

TEST_CASE("under another account nothing but the mark comes along, as on one proxy") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  SECTION("subscribe first") {
    const auto after = here.mining(1, "bob.rig", before->session);
    CHECK(after->extranonce1 == before->extranonce1);
    CHECK(after->difficulty != its_difficulty);
    CHECK(here.all.event("sessions_recalled") == 0);
  }
  SECTION("authorize first") {
    const auto after = here.all.connect(1);
    after->authorize("bob.rig");
    after->subscribe(before->session);
    REQUIRE(here.all.until([&] { return after->has_job(); }));
    CHECK(after->difficulty != its_difficulty);
    CHECK(here.all.event("sessions_recalled") == 0);
  }
}

TEST_CASE("a store that does not answer keeps one worker waiting, for a second, and others not at all") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  here.kept.is_silent = true;
  const auto after = here.all.connect(1);
  after->login("alice.rig", before->session);
  const auto neighbour = here.all.connect(1);
  neighbour->login("alice.other");
  REQUIRE(here.all.until([&] { return neighbour->has_job(); }, 200ms));
  CHECK_FALSE(after->subscribed);
  REQUIRE(here.all.until([&] { return after->has_job(); }, 1'200ms));
  CHECK(after->difficulty != its_difficulty);
  CHECK(here.takes_shares(*after));

  // An answer that comes now changes nothing.
  REQUIRE(here.kept.waiting.size() == 1);
  here.kept.waiting.front()(session_record{before->session, "alice", "rig", its_difficulty, before->extranonce1, 4});
  here.all.run_for(1s);
  CHECK(here.all.event("sessions_recalled") == 0);
  CHECK(after->open);
  CHECK(here.takes_shares(*after));
}

TEST_CASE("a miner that leaves while its session is looked for is gone when the answer comes") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  here.kept.is_silent = true;
  const auto after = here.all.connect(1);
  after->login("alice.rig", before->session);
  REQUIRE(here.all.until([&] { return here.kept.waiting.size() == 1; }));
  after->reset();
  here.kept.waiting.front()(session_record{before->session, "alice", "rig", its_difficulty, before->extranonce1, 3});
  here.all.run_for(5s);
  CHECK(here.all.snapshot().connections == 1);  // the half-open one
}

TEST_CASE("a record that makes no sense here is as good as none") {
  house here;
  const auto before = here.settled(0);
  before->vanish();
  auto& record = here.kept.records.at(before->session);
  SECTION("of a mark of another size, the rest is of use") {
    record.mark = "abcd";
    const auto after = here.mining(1, "alice.rig", before->session);
    CHECK(after->extranonce1.size() == 2);
    CHECK(after->difficulty == its_difficulty);
  }
  SECTION("a mark that is none") { record.mark = "Zz"; }
  SECTION("a difficulty that is none") { record.difficulty = -1; }
  SECTION("no bytes to count") { record.miner_bytes = 0; }
  SECTION("too many of them") { record.miner_bytes = 1'000; }
  if (!here.kept.records.contains(before->session)) return;
  const auto after = here.mining(1, "alice.rig", before->session);
  CHECK(after->extranonce1.size() == 2);
  CHECK(after->extranonce2_size == 3);
  CHECK(here.takes_shares(*after));
}

TEST_CASE("a session is in the store while it lasts, and is written only when it is another") {
  house here;
  const auto worker = here.settled(0);
  CHECK(here.kept.saves == 1);
  here.all.run_for(5s);
  CHECK(here.kept.saves == 1);
  here.all.run_for(10min);
  CHECK(here.kept.saves >= 2);  // it lasts, and by now has another difficulty, too
  worker->reset();
  here.all.run_for(30s);
  CHECK(here.kept.records.contains(worker->session));  // it is kept
  here.all.run_for(40s);
  CHECK(here.kept.records.empty());
}

TEST_CASE("what is known here is not asked for, nor is what was never given") {
  house here;
  const auto before = here.settled(0);
  before->reset();
  const auto after = here.mining(0, "alice.rig", before->session);
  CHECK(here.all.event("sessions_restored") == 1);
  const auto fresh = here.mining(0, "alice.rig2");
  const auto odd = here.mining(0, "alice.rig3", "no-such-id");
  CHECK(here.kept.claims == 0);
  CHECK_FALSE(here.kept.records.contains(before->session));
}

TEST_CASE("workers of a proxy that stops are known to the others") {
  house here;
  const auto worker = here.settled(0);
  here.all.shards[0]->manager->drain(here.all.now);
  REQUIRE(here.all.until([&] { return !worker->open; }));
  const auto after = here.mining(1, "alice.rig", worker->session);
  CHECK(after->difficulty == its_difficulty);
}

TEST_CASE("where the pool's extranonce is too short to be divided, a worker that returns elsewhere learns that of the new link") {
  house here([](pool_info& row) { row.algorithm = "by-nonce"; });
  here.its_pool.extranonce2_size = 3;
  const auto log_in = [&](unsigned proxy, const std::string& session) {
    auto made = here.all.connect(proxy);
    made->login("alice.rig", session);
    REQUIRE(here.all.until([&] { return made->has_job() || !made->open; }));
    return made;
  };
  auto before = log_in(0, {});
  CHECK_FALSE(before->open);  // once
  before = log_in(0, before->session);
  REQUIRE(before->open);
  CHECK(before->extranonce2_size == 3);
  REQUIRE(here.all.until([&] { return here.kept.records.contains(before->session); }));
  before->vanish();

  auto after = log_in(1, before->session);
  CHECK_FALSE(after->open);
  after = log_in(1, after->session);
  REQUIRE(after->open);
  CHECK(after->extranonce1 == here.its_pool.newest()->extranonce1);
  CHECK(here.takes_shares(*after));
}

TEST_CASE("workers that change their proxy again and again lose and double nothing, whatever the store does") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U);
  INFO("seed " << seed);
  std::mt19937 dice(seed);
  const auto one_of = [&](unsigned many) { return std::uniform_int_distribution<unsigned>(0, many - 1)(dice); };
  house here;
  here.all.latency = 3ms;
  std::vector<std::shared_ptr<miner>> now, gone;
  std::size_t accepted = 0;
  const auto come = [&](const std::string& session, const std::string& user) {
    now.push_back(here.all.connect(one_of(2)));
    if (one_of(3) != 0) return now.back()->login(user, session);
    now.back()->authorize(user);
    now.back()->subscribe(session);
  };
  for (unsigned i = 0; i < 30; ++i) come({}, (i % 3 == 0 ? "bob.rig" : "alice.rig") + std::to_string(i));
  for (unsigned step = 0; step < 3'000; ++step) {
    const auto at = one_of(static_cast<unsigned>(now.size()));
    switch (one_of(12)) {
      case 0: {
        const auto left = now[at];
        now.erase(now.begin() + at);
        gone.push_back(left);
        one_of(2) == 0 ? left->reset() : left->vanish();
        come(left->session, one_of(10) == 0 ? "bob.rig" : left->user);
        break;
      }
      case 1: here.kept.is_silent = one_of(4) == 0; break;
      case 2:
        if (!here.kept.waiting.empty()) {
          const auto late = std::move(here.kept.waiting.back());
          here.kept.waiting.pop_back();
          late(one_of(2) == 0 ? std::nullopt : std::optional(session_record{"x", "alice", "rig", 64, "0b", 3}));
        }
        break;
      default:
        if (now[at]->open && now[at]->has_job()) (void)now[at]->submit_of(one_of(2) == 0 ? pool_difficulty : now[at]->difficulty);
    }
    here.all.run_for(std::chrono::milliseconds(one_of(200)));
  }
  here.kept.is_silent = false;
  here.all.run_for(5s);
  std::set<std::string> hashed;
  for (const auto& entry : here.its_pool.ledger) CHECK(hashed.insert(entry.coinbase + entry.ntime + entry.nonce).second);
  for (const auto* all : {&now, &gone}) {
    for (const auto& one : *all) {
      for (const auto& reply : one->replies) {
        accepted += reply.accepted ? 1 : 0;
        if (reply.failed) CHECK((reply.code == 21 || reply.code == 23));
      }
    }
  }
  CHECK(accepted > 1'000);
  CHECK(hashed.size() > 500);
  for (const auto& one : now) {
    INFO(one->user);
    CHECK(one->open);
    CHECK(one->has_job());
  }
  CHECK(here.all.event("sessions_recalled") > 20);
  CHECK(here.all.event("sessions_restored") > 20);
  for (const auto& row : here.all.snapshot().totals) {
    CHECK(row.shares.sent == row.shares.accepted + row.shares.rejected_total() + row.shares.unknown);
  }
}
