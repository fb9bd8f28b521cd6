#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;
using stratumproxy::pool_info;
using stratumproxy::verify_level;
using stratumproxy::metrics::reject_reason;

namespace {

constexpr double pool_difficulty = 0x1p20;
constexpr const char* where = "pool.example:3333";

void shared_and_checked(pool_info& row) {
  row.algorithm = "by-nonce";
  row.mode = link_mode::shared;
  row.verify = verify_level::full;
}

void shared_and_checked_slowly(pool_info& row) {
  shared_and_checked(row);
  row.algorithm = "by-nonce-slow";
}

stratumproxy::options with_algorithms(stratumproxy::options made) {
  made.algorithms = algorithms_by_nonce();
  return made;
}

int code_of(const miner::reply& answer) { return answer.accepted ? 0 : answer.code; }

/// A pool that weighs shares, an account on it, and all the miners there were.
struct house {
  explicit house(const std::function<void(pool_info&)>& rules = shared_and_checked, stratumproxy::options with = {},
                 unsigned shards = 1, std::uint64_t seed = 11)
      : all(seed, shards, with_algorithms(std::move(with))), its_pool(all.add_pool(where)) {
    all.add_account("alice", where, "", 1, rules);
    its_pool.first_difficulty = pool_difficulty;
    its_pool.nbits = "17034219";  // a block of 2^46
    its_pool.weighs_shares = true;
  }

  std::shared_ptr<miner> connect(const std::string& rig, const std::string& session = {}, const std::string& agent = "miner/1") {
    auto made = all.connect();
    miners.push_back(made);
    made->login("alice." + rig, session, agent);
    return made;
  }
  std::shared_ptr<miner> mining(const std::string& rig, const std::string& session = {}, const std::string& agent = "miner/1") {
    auto made = connect(rig, session, agent);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }
  std::vector<std::shared_ptr<miner>> several(unsigned count) {
    std::vector<std::shared_ptr<miner>> made;
    for (unsigned i = 0; i < count; ++i) made.push_back(mining("rig" + std::to_string(i)));
    return made;
  }
  const miner::reply& verdict(const miner& of, std::uint64_t id) {
    REQUIRE(all.until([&] { return of.reply_to(id) != nullptr; }));
    return *of.reply_to(id);
  }
  [[nodiscard]] stratumproxy::metrics::pool_row row() const { return all.snapshot().pools.at(0); }
  [[nodiscard]] std::uint64_t refused_here(reject_reason why) const { return row().rejected_here[static_cast<std::size_t>(why)]; }
  [[nodiscard]] std::vector<std::uint64_t> workers_of_links() const {
    std::vector<std::uint64_t> counts;
    for (const auto& link : all.snapshot().links) counts.push_back(link.workers);
    std::sort(counts.rbegin(), counts.rend());
    return counts;
  }

  world all;
  pool& its_pool;
  std::vector<std::shared_ptr<miner>> miners;
};

std::string pad(const miner::work& job) { return job.coinb1.substr(30); }  // behind 11 bytes of the pool's and its extranonce1
std::string space(const miner::work& job) { return job.coinb1 + job.extranonce1; }

bool are_apart(const std::vector<std::string>& spaces) {
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    for (std::size_t j = 0; j < spaces.size(); ++j) {
      if (i != j && spaces[j].starts_with(spaces[i])) return false;
    }
  }
  return true;
}

bool are_apart(const std::vector<std::shared_ptr<miner>>& miners) {
  std::vector<std::string> spaces;
  for (const auto& one : miners) spaces.push_back(space(one->jobs.back()));
  return are_apart(spaces);
}

// The laws of a share, where no link died with shares in flight and no miner left before its answers.
void check_laws(house& here) {
  here.all.run_for(1s);
  const auto now = here.all.snapshot();
  stratumproxy::metrics::share_counts counted;
  for (const auto& row : now.totals) counted += row.shares;
  std::uint64_t held_back = 0, refused = 0;
  for (const auto& row : now.pools) {
    held_back += row.held_back;
    refused = std::accumulate(row.rejected_here.begin(), row.rejected_here.end(), refused);
  }
  const auto& ledger = here.its_pool.ledger;
  const auto taken = static_cast<std::uint64_t>(std::count_if(ledger.begin(), ledger.end(), [](const auto& one) { return one.accepted; }));
  CHECK(counted.unknown == 0);
  CHECK(counted.sent == refused + held_back + ledger.size());
  CHECK(counted.accepted == held_back + taken);
  CHECK(counted.pool_accepted == taken);
  CHECK(counted.rejected_total() == refused + ledger.size() - taken);

  std::set<std::string> seen;
  double credit = 0;
  for (const auto& share : ledger) {
    CHECK(seen.insert(share.coinbase + share.ntime + share.nonce + share.job).second);
    CHECK(share.extranonce2.size() == 2 * here.its_pool.extranonce2_size);
    credit += share.credit;
  }
  CHECK(counted.pool_accepted_one == Approx(credit));

  std::uint64_t asked = 0, told_true = 0;
  for (const auto& one : here.miners) {
    asked += one->submits;
    std::set<std::string> answered;
    for (const auto& reply : one->replies) {
      CHECK(answered.insert(reply.id).second);
      told_true += reply.accepted && std::stoull(reply.id) > 2;
    }
  }
  CHECK(counted.sent == asked);
  CHECK(counted.accepted == told_true);
}

}  // namespace

// ---- links and lanes ---------------------------------------------------------------------------------------------------

TEST_CASE("workers share a link until it is full, and the next one opens another") {
  stratumproxy::options config;
  config.upstream.max_workers_per_link = 4;
  house here(shared_and_checked, config);
  const auto workers = here.several(9);
  CHECK(here.its_pool.open_links() == 3);
  CHECK(here.workers_of_links() == std::vector<std::uint64_t>{4, 4, 1});
  CHECK(here.row().shared_links[static_cast<std::size_t>(stratumproxy::metrics::link_state::live)] == 3);
  CHECK(are_apart(workers));
  std::set<std::uint64_t> numbers;
  for (const auto& link : here.all.snapshot().links) {
    CHECK(numbers.insert(link.link).second);
    CHECK(link.limit == 4);
    CHECK(link.account == "alice");
    CHECK(link.pool == where);
    CHECK(link.difficulty == pool_difficulty);
  }
  check_laws(here);
}

TEST_CASE("workers that come all at once, before the pool has answered, share links, too") {
  stratumproxy::options config;
  config.upstream.max_workers_per_link = 4;
  house here(shared_and_checked, config);
  for (int i = 0; i < 9; ++i) here.connect("rig" + std::to_string(i));
  REQUIRE(here.all.until([&] { return std::all_of(here.miners.begin(), here.miners.end(), [](const auto& one) { return one->has_job(); }); }));
  CHECK(here.its_pool.links.size() == 3);
  CHECK(are_apart(here.miners));
  check_laws(here);
}

TEST_CASE("a new worker takes the place of one that left on the fullest link, once it cannot come back") {
  stratumproxy::options config;
  config.upstream.max_workers_per_link = 3;
  config.session.grace = 10s;
  house here(shared_and_checked, config);
  auto workers = here.several(4);
  workers[1]->reset();
  here.all.run_for(1s);
  here.mining("early");
  CHECK(here.workers_of_links() == std::vector<std::uint64_t>{3, 2});  // the place is still kept
  here.all.run_for(15s);
  CHECK(here.workers_of_links() == std::vector<std::uint64_t>{2, 2});
  here.mining("late");
  CHECK(here.workers_of_links() == std::vector<std::uint64_t>{3, 2});
  CHECK(here.its_pool.links.size() == 2);
  check_laws(here);
}

TEST_CASE("a link that nobody mines on any more is closed after its time, not before") {
  stratumproxy::options config;
  config.session.grace = 10s;
  config.upstream.empty_link = 30s;
  house here(shared_and_checked, config);
  auto workers = here.several(3);
  for (auto& one : workers) one->reset();
  here.all.run_for(38s);
  CHECK(here.its_pool.open_links() == 1);
  here.all.run_for(5s);
  CHECK(here.its_pool.open_links() == 0);
  CHECK(here.all.snapshot().links.empty());
  CHECK(here.all.event("links_closed") == 1);

  // One that comes in time finds it open.
  here.mining("next")->reset();
  here.all.run_for(35s);
  auto last = here.mining("last");
  here.all.run_for(1min);
  CHECK(here.its_pool.links.size() == 2);
  CHECK(here.its_pool.open_links() == 1);
  check_laws(here);
}

TEST_CASE("a restored worker gets its own lane back, and another pad for the job that it had") {
  house here;
  auto others = here.several(3);
  auto before = here.mining("lost");
  const auto own_pad = pad(before->jobs.back());
  before->reset();
  here.all.run_for(20s);
  auto after = here.mining("lost", before->session);
  CHECK(after->extranonce1 == before->extranonce1);
  CHECK(after->jobs.back().clean);
  CHECK(pad(after->jobs.back()) != own_pad);
  CHECK(here.workers_of_links() == std::vector<std::uint64_t>{4});
  others.push_back(before);
  others.push_back(after);
  CHECK(are_apart(others));
  CHECK(here.verdict(*after, after->submit_of(pool_difficulty)).accepted);

  const auto jobs = after->jobs.size();
  here.its_pool.newest()->job();
  REQUIRE(here.all.until([&] { return after->jobs.size() > jobs; }));
  CHECK(pad(after->jobs.back()) == own_pad);
  check_laws(here);
}

TEST_CASE("where there is no room for a pad a restored worker of a shared link goes on at a later time of the job") {
  house here;
  here.its_pool.extranonce2_size = 4;
  auto other = here.mining("other");
  auto before = here.mining("lost");
  before->reset();
  here.all.run_for(20s);
  auto after = here.mining("lost", before->session);
  CHECK(space(after->jobs.back()) == space(before->jobs.back()));
  CHECK(std::stoul(after->jobs.back().ntime, nullptr, 16) >= std::stoul(before->jobs.back().ntime, nullptr, 16) + 20);
  CHECK(here.verdict(*after, after->submit_of(pool_difficulty)).accepted);
  CHECK(here.verdict(*other, other->submit_of(pool_difficulty)).accepted);
  check_laws(here);
}

TEST_CASE("after the pool came back with another extranonce1 all workers have a clean job, and none was disconnected") {
  house here;
  const auto workers = here.several(5);
  here.all.run_for(30s);
  std::vector<std::size_t> jobs;
  for (const auto& one : workers) jobs.push_back(one->jobs.size());
  here.its_pool.drop_all();
  REQUIRE(here.all.until([&] { return here.its_pool.open_links() == 1 && here.its_pool.newest()->authorized; }));
  here.all.run_for(1s);
  for (std::size_t i = 0; i < workers.size(); ++i) {
    CHECK(workers[i]->open);
    REQUIRE(workers[i]->jobs.size() > jobs[i]);
    CHECK(workers[i]->jobs[jobs[i]].clean);
    CHECK(workers[i]->jobs.back().coinb1.substr(22, 8) == here.its_pool.newest()->extranonce1);
    CHECK(here.verdict(*workers[i], workers[i]->submit_of(pool_difficulty)).accepted);
    CHECK(here.verdict(*workers[i], workers[i]->submit_of(pool_difficulty, workers[i]->jobs.front())).code == 21);
  }
  CHECK(are_apart(workers));
  CHECK(here.its_pool.ledger.size() == 5);
  check_laws(here);
}

TEST_CASE("a pool that came back with fewer bytes for the miners divides its workers over more links") {
  house here;
  std::vector<std::shared_ptr<miner>> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(here.mining("rig" + std::to_string(i), {}, i < 2 ? "NiceHash/1" : "miner/1"));
  here.all.run_for(30s);
  here.its_pool.extranonce2_size = 5;
  here.its_pool.drop_all();
  here.all.run_for(10s);
  for (const auto& one : workers) {
    CHECK(one->open);
    CHECK(one->extranonce1.size() / 2 + one->extranonce2_size <= 5);
    CHECK(here.verdict(*one, one->submit_of(pool_difficulty)).accepted);
  }
  CHECK(are_apart(workers));
  check_laws(here);
}

TEST_CASE("a pool whose extranonce2 is too short for lanes has a link for each worker") {
  house here;
  here.its_pool.extranonce2_size = 3;
  std::vector<std::shared_ptr<miner>> workers;
  for (int i = 0; i < 3; ++i) workers.push_back(here.connect("rig" + std::to_string(i)));
  here.all.run_for(5s);
  // Each was sent away once, and comes back as it was told.
  for (auto& one : workers) {
    if (!one->open) one = here.connect(one->user.substr(6), one->session);
  }
  here.all.run_for(1min);  // the link that they were to share is closed
  for (const auto& one : workers) {
    REQUIRE(one->has_job());
    CHECK(one->extranonce2_size == 3);
    CHECK(here.verdict(*one, one->submit_of(pool_difficulty)).accepted);
  }
  CHECK(here.its_pool.open_links() == 3);
  check_laws(here);
}

TEST_CASE("links are shared only within an account, and an account's own mode goes before its pool's") {
  house here;
  here.all.add_account("bob", where, "", 1, shared_and_checked);
  here.all.add_account("carol", where, "", 1, shared_and_checked);
  auto lonely = std::make_shared<stratumproxy::account>(*here.all.accounts["carol"]);
  lonely->mode = link_mode::dedicated;
  here.all.accounts["carol"] = lonely;
  for (const char* const user : {"alice.1", "alice.2", "bob.1", "bob.2", "carol.1", "carol.2"}) {
    auto one = here.all.connect();
    one->login(user);
    here.miners.push_back(one);
  }
  REQUIRE(here.all.until([&] { return std::all_of(here.miners.begin(), here.miners.end(), [](const auto& one) { return one->has_job(); }); }));
  CHECK(here.workers_of_links() == std::vector<std::uint64_t>{2, 2});
  CHECK(here.its_pool.open_links() == 4);
  check_laws(here);
}

TEST_CASE("where shares cannot be checked links are shared only when the pool's difficulty is fixed, and the pool judges") {
  const bool is_fixed = GENERATE(true, false);
  house here([&](pool_info& row) {
    row.mode = link_mode::shared;
    row.fixed_difficulty = is_fixed;
  });
  const auto workers = here.several(3);
  CHECK(here.its_pool.open_links() == (is_fixed ? 1 : 3));
  CHECK(here.all.snapshot().links.size() == (is_fixed ? 1 : 0));
  for (const auto& one : workers) {
    CHECK(one->difficulty == pool_difficulty);
    CHECK(here.verdict(*one, one->submit_of(pool_difficulty)).accepted);
    CHECK(here.verdict(*one, one->submit_of(pool_difficulty / 2)).code == 23);
  }
  CHECK(here.its_pool.ledger.size() == 6);
  check_laws(here);
}

TEST_CASE("where the pool knows rigs each mines under its own login on the shared link") {
  const bool has_logins = GENERATE(true, false);
  house here([&](pool_info& row) {
    shared_and_checked(row);
    row.rig_logins = has_logins;
  });
  const auto workers = here.several(3);
  here.all.run_for(1s);
  for (const auto& one : workers) CHECK(here.verdict(*one, one->submit_of(pool_difficulty)).accepted);
  std::set<std::string> users;
  for (const auto& share : here.its_pool.ledger) users.insert(share.user);
  CHECK(here.its_pool.links.size() == 1);
  CHECK(users == (has_logins ? std::set<std::string>{"user-of-alice.rig0", "user-of-alice.rig1", "user-of-alice.rig2"}
                             : std::set<std::string>{"user-of-alice"}));
  check_laws(here);
}

// ---- shares ------------------------------------------------------------------------------------------------------------

TEST_CASE("a share that meets the worker's difficulty but not the link's is accepted here, and the pool never sees it") {
  house here;
  auto worker = here.mining("rig");
  REQUIRE(worker->difficulty < pool_difficulty);
  CHECK(here.verdict(*worker, worker->submit_of(worker->difficulty)).accepted);
  CHECK(here.its_pool.ledger.empty());
  CHECK(here.row().held_back == 1);
  CHECK(here.verdict(*worker, worker->submit_of(pool_difficulty)).accepted);
  CHECK(here.its_pool.ledger.size() == 1);
  CHECK(here.row().held_back == 1);
  CHECK(here.all.snapshot().workers.at(0).best_share == Approx(pool_difficulty).epsilon(1e-6));
  CHECK(here.all.snapshot().totals.at(0).shares.accepted_one == Approx(2 * worker->difficulty));
  check_laws(here);
}

TEST_CASE("a share below the worker's difficulty is refused here with the standard code") {
  house here;
  auto worker = here.mining("rig");
  const auto& answer = here.verdict(*worker, worker->submit_of(worker->difficulty * 0.99));
  CHECK_FALSE(answer.accepted);
  CHECK(answer.code == 23);
  CHECK(here.its_pool.ledger.empty());
  CHECK(here.refused_here(reject_reason::low_difficulty) == 1);
  check_laws(here);
}

TEST_CASE("a block below every difficulty goes up all the same") {
  house here;
  here.its_pool.nbits = "1d00ffff";  // a block of 1
  auto worker = here.mining("rig");
  REQUIRE(worker->difficulty > 2);
  const auto id = worker->submit_of(1.01);
  REQUIRE(here.all.until([&] { return worker->reply_to(id) != nullptr; }));
  REQUIRE(here.its_pool.ledger.size() == 1);
  CHECK(worker->reply_to(id)->code == 23);  // this pool knows no blocks; the miner hears what it said
  CHECK(here.row().held_back == 0);
  CHECK(here.refused_here(reject_reason::low_difficulty) == 0);
  check_laws(here);
}

TEST_CASE("the same share again is a duplicate, also for the worker's next connection, and never goes up") {
  house here;
  auto before = here.mining("rig");
  const auto job = before->jobs.back();
  CHECK(here.verdict(*before, before->submit_of(pool_difficulty)).accepted);
  CHECK(here.verdict(*before, before->submit_of(before->difficulty * 4)).accepted);
  const auto again = [](miner& who) {
    who.submits = 0;  // begins its extranonce2 anew
    return who.submit_of(pool_difficulty, who.jobs.front());
  };
  CHECK(here.verdict(*before, again(*before)).code == 22);
  before->submits = 3;
  before->reset();
  here.all.run_for(5s);
  auto after = here.mining("rig", before->session);
  const auto id = after->submit_of(pool_difficulty, job);
  CHECK(here.verdict(*after, id).code == 22);
  CHECK(here.its_pool.ledger.size() == 1);
  CHECK(here.refused_here(reject_reason::duplicate) == 2);
  check_laws(here);
}

TEST_CASE("the difficulty of a job stays with it: shares of jobs from before a change are weighed by the old one") {
  house here;
  auto worker = here.mining("rig");
  const auto old_job = worker->jobs.back();
  here.its_pool.newest()->difficulty(256);
  here.its_pool.newest()->job(false);
  REQUIRE(here.all.until([&] { return worker->jobs.size() > 1 && worker->jobs.back().difficulty <= 256; }));
  CHECK(worker->difficulty <= 256);  // never above the link's
  CHECK(here.verdict(*worker, worker->submit_of(512, old_job)).code == 23);
  CHECK(here.verdict(*worker, worker->submit_of(old_job.difficulty, old_job)).accepted);
  CHECK(here.its_pool.ledger.empty());
  CHECK(here.verdict(*worker, worker->submit_of(512)).accepted);
  CHECK(here.its_pool.ledger.size() == 1);
  check_laws(here);
}

TEST_CASE("a job that is given once more after the pool's difficulty fell is weighed by the one that it came with") {
  house here;
  auto before = here.mining("rig");
  here.its_pool.newest()->difficulty(2048);  // from the next job on
  here.all.run_for(1s);
  auto later = here.mining("later");
  before->reset();
  auto again = here.mining("rig", before->session);
  for (const auto& one : {later, again}) CHECK(here.verdict(*one, one->submit_of(4096)).accepted);
  CHECK(here.its_pool.ledger.empty());
  check_laws(here);
}

TEST_CASE("a miner's wishes for its difficulty are granted, but never above the link's") {
  house here;
  const auto with = [&](const std::string& first, const std::string& password) {
    auto made = here.all.connect();
    here.miners.push_back(made);
    if (!first.empty()) made->send(first);
    made->subscribe();
    made->send(R"({"id":2,"method":"mining.authorize","params":["alice.rig",")" + password + R"("]})");
    REQUIRE(here.all.until([&] { return made->has_job(); }));
    return made;
  };
  CHECK(with("", "x")->jobs.back().difficulty == 1024);
  CHECK(with("", "x,d=64")->jobs.back().difficulty == 64);
  CHECK(with("", "d=1e12")->jobs.back().difficulty == pool_difficulty);
  CHECK(with(R"({"id":9,"method":"mining.suggest_difficulty","params":[128]})", "x")->jobs.back().difficulty == 128);
  const std::string minimum = R"({"id":9,"method":"mining.configure","params":[["minimum-difficulty"],{"minimum-difficulty.value":2000}]})";
  const auto early = with(minimum, "d=16");
  CHECK(early->jobs.back().difficulty == 2048);
  const auto promised = [](const miner& one, std::string_view answer) {
    return std::count_if(one.lines.begin(), one.lines.end(), [&](const std::string& line) { return line.find(answer) != std::string::npos; });
  };
  CHECK(promised(*early, R"("minimum-difficulty":false)") == 1);  // its link was not known yet

  const auto later = here.mining("later");
  later->send(minimum);
  REQUIRE(here.all.until([&] { return later->jobs.back().difficulty == 2048; }));
  CHECK(promised(*later, R"("minimum-difficulty":true)") == 1);
}

TEST_CASE("a worker's best share is the best of those that were checked") {
  house here;
  const auto one = here.mining("rig");
  for (const double difficulty : {2048.0, 5000.0, 1500.0}) CHECK(here.verdict(*one, one->submit_of(difficulty)).accepted);
  CHECK(here.verdict(*one, one->submit_of(8)).code == 23);
  CHECK(here.all.snapshot().workers.at(0).best_share == Approx(5000).epsilon(0.001));
}

TEST_CASE("where nothing is to be checked here, the pool hears of duplicates, too") {
  house here([](pool_info& row) { row.verify = stratumproxy::verify_level::off; });
  const auto one = here.mining("rig");
  const auto job = one->jobs.back();
  for (int i = 0; i < 2; ++i) {
    (void)here.verdict(*one, one->submit_of(0x1p21, job));
    one->submits = 0;  // from which the miner's extranonce2 is made
  }
  CHECK(here.its_pool.ledger.size() == 2);
  CHECK(here.refused_here(reject_reason::duplicate) == 0);
}

TEST_CASE("a dedicated link may have vardiff, too") {
  house here([](pool_info& row) {
    shared_and_checked(row);
    row.mode = link_mode::dedicated;
    row.vardiff = true;
  });
  const auto workers = here.several(2);
  CHECK(here.its_pool.open_links() == 2);
  for (const auto& one : workers) {
    CHECK(one->difficulty < pool_difficulty);
    CHECK(here.verdict(*one, one->submit_of(one->difficulty)).accepted);
    CHECK(here.verdict(*one, one->submit_of(pool_difficulty)).accepted);
  }
  CHECK(here.its_pool.ledger.size() == 2);
  check_laws(here);
}

// ---- slow proofs of work -----------------------------------------------------------------------------------------------

TEST_CASE("slow checks are done elsewhere, and their answers keep the order of the shares") {
  house here(shared_and_checked_slowly);
  here.all.check_time = 50ms;
  auto worker = here.mining("rig");
  std::vector<std::string> ids;
  for (const double share : {worker->difficulty, worker->difficulty / 4, 2 * worker->difficulty, worker->difficulty / 2}) {
    ids.push_back(std::to_string(worker->submit_of(share)));
  }
  here.all.run_for(1s);
  std::vector<std::string> answered;
  std::vector<int> codes;
  for (const auto& reply : worker->replies) {
    if (std::stoull(reply.id) <= 2) continue;
    answered.push_back(reply.id);
    codes.push_back(code_of(reply));
  }
  CHECK(answered == ids);
  CHECK(codes == std::vector{0, 23, 0, 23});
  CHECK(here.row().held_back == 2);
  check_laws(here);
}

TEST_CASE("shares of a worker at the pool's own difficulty go up unchecked while too many checks wait") {
  house here(shared_and_checked_slowly);
  here.its_pool.first_difficulty = 1;  // below what any worker begins with
  here.all.max_checks = 2;
  here.all.check_time = 100ms;
  auto worker = here.mining("rig");
  REQUIRE(worker->difficulty == 1);
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(worker->submit_of(i % 2 == 0 ? 1 : 0.5));
  for (int i = 0; i < 6; ++i) CHECK(code_of(here.verdict(*worker, ids[static_cast<std::size_t>(i)])) == (i % 2 == 0 ? 0 : 23));
  CHECK(here.row().unchecked == 4);
  CHECK(here.its_pool.ledger.size() == 5);  // the pool judged the four, and took one that was checked
  CHECK(here.refused_here(reject_reason::low_difficulty) == 1);
  check_laws(here);
}

TEST_CASE("shares that only the proxy would take wait for their check, however many there are") {
  house here(shared_and_checked_slowly);
  here.all.max_checks = 2;
  here.all.check_time = 100ms;
  auto worker = here.mining("rig");
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(worker->submit_of(worker->difficulty));
  for (const auto id : ids) CHECK(here.verdict(*worker, id).accepted);
  CHECK(here.its_pool.ledger.empty());
  CHECK(here.row().held_back == 10);
  CHECK(here.row().unchecked == 0);
  check_laws(here);
}

TEST_CASE("a check that ends after its worker has left is still counted, and told to nobody") {
  house here(shared_and_checked_slowly);
  here.all.check_time = 5s;
  auto stays = here.mining("stays");
  auto leaves = here.mining("leaves");
  (void)leaves->submit_of(pool_difficulty);
  here.all.run_for(100ms);
  leaves->reset();
  here.all.run_for(10s);
  CHECK(stays->open);
  CHECK(here.its_pool.ledger.size() == 1);
  const auto counted = here.all.snapshot().totals.at(0).shares;
  CHECK(counted.sent == 1);
  CHECK(counted.accepted == 1);
  CHECK(leaves->replies.size() == 2);
}

TEST_CASE("a check that ends after its link is gone does no harm") {
  stratumproxy::options config;
  config.session.grace = 1s;
  house here(shared_and_checked_slowly, config);
  here.all.check_time = 1min;
  auto worker = here.mining("rig");
  (void)worker->submit_of(pool_difficulty);
  here.all.run_for(100ms);
  here.its_pool.up = false;
  here.its_pool.drop_all();
  worker->reset();
  here.all.run_for(30s);
  CHECK(here.all.snapshot().links.empty());
  here.all.run_for(1min);
  const auto counted = here.all.snapshot().totals.at(0).shares;
  CHECK(counted.sent == 1);
  CHECK(counted.rejected_total() == 1);
  CHECK(here.its_pool.ledger.empty());
}
