// An account becomes another while its workers mine.
#include <catch2/catch.hpp>

#include <algorithm>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::link_mode;
using stratumproxy::metrics::switch_cause;

namespace {

struct house {
  explicit house(unsigned shards = 1, stratumproxy::options with = {}) : all(5, shards, std::move(with)) {
    for (const auto* name : {"alice", "bob"}) all.add_account(name, first.name, "", 1, [](auto& row) { row.fixed_difficulty = true; });
  }
  std::shared_ptr<miner> mining(const std::string& user) {
    auto made = all.connect(static_cast<unsigned>(miners.size() % all.shards.size()));
    made->login(user);
    miners.push_back(made);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }
  static bool is_of(const miner& one, const pool& where) {
    return std::any_of(where.links.begin(), where.links.end(), [&](const auto& link) {
      return std::any_of(link->coinb1.begin(), link->coinb1.end(), [&](const auto& entry) {
        return one.jobs.back().coinb1.starts_with(entry.second + link->extranonce1);
      });
    });
  }
  bool accepted(miner& one, std::optional<miner::work> on = std::nullopt) {
    const auto id = one.submit(std::move(on));
    REQUIRE(all.until([&] { return one.reply_to(id) != nullptr; }, 15s));
    return one.reply_to(id)->accepted;
  }
  void move_to(const std::string& account, const pool& where) {
    all.change_account(account, [&](stratumproxy::account& row) { row.routes[0].pool.host = where.name.substr(0, where.name.find(':')); });
  }

  world all;
  pool& first = all.add_pool("first.example:3333");
  pool& second = all.add_pool("second.example:3333");
  std::vector<std::shared_ptr<miner>> miners;
};

}  // namespace

TEST_CASE("another pool of an account is a clean job for its workers, and nothing at all for others") {
  house here(2);
  const auto one = here.mining("alice.a"), two = here.mining("alice.b"), other = here.mining("bob.c");
  here.all.run_for(15s);
  const auto old_job = one->jobs.back();
  const auto lines = other->lines.size();
  here.move_to("alice", here.second);
  REQUIRE(here.all.until([&] { return house::is_of(*one, here.second) && house::is_of(*two, here.second); }, 1s));
  CHECK(one->jobs.back().clean);
  CHECK(here.accepted(*one));
  CHECK(here.accepted(*two));
  CHECK(here.second.ledger.size() == 2);
  // What was found for the old pool is still the old pool's.
  CHECK(here.accepted(*one, old_job));
  CHECK(here.first.ledger.size() == 1);
  here.all.run_for(30s);
  CHECK(here.first.open_links() == 1);
  const auto late = one->submit(old_job);
  here.all.run_for(1s);
  CHECK(one->reply_to(late)->code == 21);
  CHECK(other->lines.size() == lines);
  CHECK(here.accepted(*other));
  CHECK(here.first.ledger.size() == 2);
  for (const auto& each : here.miners) CHECK(each->open);

  const auto now = here.all.snapshot();
  std::uint64_t moved = 0;
  for (const auto& row : now.pools) moved += row.switches[static_cast<std::size_t>(switch_cause::account_changed)];
  CHECK(moved == 2);
  for (const auto& row : now.workers) {
    CHECK(row.pool == (row.account == "alice" ? here.second.name : here.first.name));
    // A counter belongs to its labels. The share for a job that nobody knows any more counts for those of the moment.
    CHECK(row.shares.sent == (row.rig == "a" ? 2 : 1));
  }
}

TEST_CASE("other credentials are another login at the pool, and the old one ends") {
  house here;
  const auto one = here.mining("alice.a");
  here.all.run_for(15s);
  here.all.change_account("alice", [](stratumproxy::account& row) { row.routes[0].user = "another"; });
  REQUIRE(here.all.until([&] { return here.first.links.size() == 2 && here.first.newest()->authorized; }));
  here.all.run_for(1s);
  CHECK(here.first.newest()->user == "another.a");
  CHECK(here.accepted(*one));
  CHECK(here.first.ledger.back().user == "another.a");
  here.all.run_for(15s);
  CHECK(here.first.open_links() == 1);
  CHECK(one->open);
}

TEST_CASE("another mode gathers the workers of an account on one link, or gives each its own") {
  house here;
  std::vector<std::shared_ptr<miner>> workers;
  for (int i = 0; i < 10; ++i) workers.push_back(here.mining("alice.r" + std::to_string(i)));
  here.all.run_for(15s);
  CHECK(here.first.open_links() == 10);
  here.all.change_account("alice", [](stratumproxy::account& row) { row.mode = link_mode::shared; });
  here.all.run_for(20s);
  CHECK(here.first.open_links() == 1);
  for (const auto& one : workers) CHECK(here.accepted(*one));
  here.all.change_account("alice", [](stratumproxy::account& row) { row.mode = std::nullopt; });
  here.all.run_for(1min);
  CHECK(here.first.open_links() == 10);
  for (const auto& one : workers) {
    CHECK(one->open);
    CHECK(here.accepted(*one));
  }
}

TEST_CASE("a change that concerns no route moves nobody") {
  house here;
  const auto one = here.mining("alice.a");
  here.all.run_for(15s);
  const auto lines = one->lines.size();
  here.all.change_account("alice", [](stratumproxy::account&) {});
  here.all.change_account("alice", [&](stratumproxy::account& row) {
    auto fallback = row.routes[0];
    fallback.pool.host = "second.example";
    row.routes.push_back(fallback);
  });
  here.all.run_for(5s);
  CHECK(one->lines.size() == lines);
  CHECK(here.first.links.size() == 1);
  CHECK(here.second.attempts == 0);
  // The fall-back counts from now on.
  here.first.up = false;
  here.first.drop_all();
  here.all.run_for(2s);
  CHECK(house::is_of(*one, here.second));
}

TEST_CASE("pools in another order are a move, and the worker mines on until the new one has work for it") {
  house here;
  here.all.add_route("alice", here.second.name);
  const auto one = here.mining("alice.a");
  here.all.run_for(15s);
  here.second.up = false;
  here.all.change_account("alice", [](stratumproxy::account& row) { std::swap(row.routes[0], row.routes[1]); });
  here.all.run_for(20s);
  CHECK(house::is_of(*one, here.first));
  CHECK(here.accepted(*one));
  here.second.up = true;
  REQUIRE(here.all.until([&] { return house::is_of(*one, here.second); }, 3min));
  here.all.change_account("alice", [](stratumproxy::account& row) { std::swap(row.routes[0], row.routes[1]); });
  here.all.run_for(1s);
  CHECK(house::is_of(*one, here.first));
  const auto now = here.all.snapshot();
  const auto of_second = std::find_if(now.pools.begin(), now.pools.end(), [&](const auto& row) { return row.pool == here.second.name; });
  CHECK(of_second->switches[static_cast<std::size_t>(switch_cause::account_changed)] == 1);
}

TEST_CASE("who rolls version bits is never without them on the way to a link that another one opened") {
  house here;
  here.all.add_route("alice", here.second.name);
  here.all.change_account("alice", [](stratumproxy::account& row) { row.mode = link_mode::shared; });
  const auto plain = here.mining("alice.a");
  const auto rolling = here.all.connect();
  rolling->send(R"({"id":80,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]})");
  rolling->login("alice.b");
  REQUIRE(here.all.until([&] { return rolling->has_job(); }));
  here.all.run_for(15s);
  const auto lines = rolling->lines.size();
  const auto jobs = rolling->jobs.size();
  here.all.change_account("alice", [](stratumproxy::account& row) { std::swap(row.routes[0], row.routes[1]); });
  here.all.run_for(2s);
  CHECK(house::is_of(*plain, here.second));
  CHECK(house::is_of(*rolling, here.second));
  CHECK(rolling->jobs.size() == jobs + 1);
  CHECK(std::none_of(rolling->lines.begin() + static_cast<std::ptrdiff_t>(lines), rolling->lines.end(),
                     [](const std::string& line) { return line.find("set_version_mask") != std::string::npos; }));
}

TEST_CASE("a share for a job of before a move is judged by the terms of that job, whatever the age of the new pool's job") {
  house here;
  here.second.version_mask = 0x00ffe000;
  here.all.add_route("alice", here.second.name);
  const auto weigh = [&](unsigned one, unsigned other) {
    here.all.change_account("alice", [&](stratumproxy::account& row) {
      row.mode = link_mode::shared;
      row.routes[0].weight = one;
      row.routes[1].weight = other;
    });
  };
  weigh(50, 50);
  std::vector<std::shared_ptr<miner>> rolling;
  for (const auto* name : {"alice.a", "alice.b"}) {
    rolling.push_back(here.all.connect());
    rolling.back()->send(R"({"id":80,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]})");
    rolling.back()->login(name);
    REQUIRE(here.all.until([&] { return rolling.back()->has_job(); }));
  }
  here.all.run_for(2s);
  const auto at_first = house::is_of(*rolling[0], here.first) ? 0 : 1;
  auto& one = *rolling[static_cast<std::size_t>(at_first)];
  auto& other = *rolling[static_cast<std::size_t>(1 - at_first)];
  REQUIRE(house::is_of(one, here.first));
  REQUIRE(house::is_of(other, here.second));
  // The job of the pool that it goes to is older than the one that it has, under terms that it had before.
  (void)here.second.newest()->job(true);
  here.all.run_for(100ms);
  (void)here.first.newest()->job(true);
  here.all.run_for(100ms);
  const auto before = one.jobs.back();
  REQUIRE(other.jobs.back().id < before.id);
  weigh(0, 100);
  here.all.run_for(1s);
  REQUIRE(house::is_of(one, here.second));
  const auto submit = [&](const miner::work& job, int id, const std::string& bits) {
    one.send("{\"id\":" + std::to_string(id) + ",\"method\":\"mining.submit\",\"params\":[\"" + one.user + "\",\"" + job.text_id +
             "\",\"000000\",\"" + job.ntime + "\",\"0000000" + std::to_string(id - 80) + "\",\"" + bits + "\"]}");
    here.all.run_for(1s);
    return *one.reply_to(static_cast<std::uint64_t>(id));
  };
  CHECK(submit(before, 81, "10000000").accepted);
  CHECK(submit(one.jobs.back(), 82, "00c00000").accepted);
  CHECK(submit(one.jobs.back(), 83, "10000000").code == 20);
  CHECK(here.first.ledger.size() == 1);
  CHECK(here.second.ledger.size() == 1);
}

TEST_CASE("an older revision that comes late changes nothing") {
  house here;
  const auto before = here.all.accounts["alice"];
  const auto one = here.mining("alice.a");
  here.move_to("alice", here.second);
  here.all.run_for(1s);
  REQUIRE(house::is_of(*one, here.second));
  here.all.shards[0]->manager->account_changed("alice", before, here.all.now);
  here.all.accounts["alice"] = before;  // a look-up that was under way
  const auto two = here.mining("alice.b");
  here.all.run_for(5s);
  CHECK(house::is_of(*one, here.second));
  CHECK(house::is_of(*two, here.second));
}

TEST_CASE("a look-up that was under way during a change is made again") {
  const std::string asked = GENERATE("alice", "ALICE");  // found without case
  house here;
  const auto before = here.all.accounts["alice"];
  const auto one = here.all.connect();
  one->login(asked + ".a");
  here.all.run_for(1500us);  // of 2 ms, until it is answered
  here.move_to("alice", here.second);
  const auto changed = std::exchange(here.all.accounts[asked], before);  // what the look-up was about to say
  here.all.run_for(1ms);
  here.all.accounts[asked] = changed ? changed : here.all.accounts["alice"];
  here.all.run_for(1s);
  REQUIRE(one->has_job());
  CHECK(house::is_of(*one, here.second));
}

TEST_CASE("a login that finds a newer account brings the news to the workers that are there") {
  house here;
  const auto one = here.mining("alice.a");
  auto changed = std::make_shared<stratumproxy::account>(*here.all.accounts["alice"]);
  ++changed->revision;
  changed->routes[0].pool.host = "second.example";
  here.all.accounts["alice"] = changed;
  const auto two = here.mining("alice.b");
  here.all.run_for(1s);
  CHECK(house::is_of(*one, here.second));
  CHECK(house::is_of(*two, here.second));
}

TEST_CASE("workers of an account that is removed are told and let go, and kept ones are not taken back") {
  house here;
  const auto one = here.mining("alice.a"), dropped = here.mining("alice.b"), other = here.mining("bob.c");
  const auto session = dropped->session;
  dropped->reset();
  here.all.run_for(1s);
  here.all.remove_account("alice");
  here.all.run_for(1s);
  CHECK_FALSE(one->open);
  CHECK(one->messages == std::vector<std::string>{"closing: the account was removed"});
  CHECK(other->open);
  const auto again = here.all.connect();
  again->login("alice.b", session);
  here.all.run_for(1s);
  CHECK(again->replies.back().code == 24);
  here.all.run_for(30s);
  CHECK(here.first.open_links() == 1);
  CHECK(here.all.snapshot().workers.size() == 1);
  std::uint64_t closed = 0;
  for (const auto& row : here.all.snapshot().events) closed += row.name == "connections_closed" && row.value == "account_removed" ? row.count : 0;
  CHECK(closed == 1);
}

TEST_CASE("workers are let go, and not moved, when their account comes to mine another algorithm") {
  house here;
  const auto one = here.mining("alice.a");
  here.all.change_account("alice", [](stratumproxy::account& row) { row.routes[0].pool.algorithm = "scrypt"; });
  here.all.run_for(1s);
  CHECK_FALSE(one->open);
  CHECK(one->messages == std::vector<std::string>{"closing: the account mines another algorithm now"});
  const auto again = here.mining("alice.b");
  here.all.run_for(1s);
  CHECK(here.accepted(*again));
}

TEST_CASE("a worker that was away during the change comes back to the new pool") {
  house here;
  auto one = here.mining("alice.a");
  here.all.run_for(15s);
  const auto session = one->session;
  one->reset();
  here.all.run_for(1s);
  here.move_to("alice", here.second);
  here.all.run_for(5s);
  one = here.all.connect();
  one->login("alice.a", session);
  REQUIRE(here.all.until([&] { return one->has_job(); }, 2s));
  CHECK(here.all.event("sessions_restored") == 1);
  CHECK(house::is_of(*one, here.second));
  CHECK(here.accepted(*one));
  here.all.run_for(15s);
  CHECK(here.first.open_links() == 0);
}

TEST_CASE("a new pool that cannot be had is not mined for by the old account's link") {
  house here;
  const auto one = here.mining("alice.a");
  here.all.run_for(15s);
  here.second.up = false;
  here.move_to("alice", here.second);
  here.all.run_for(20s);
  CHECK(here.first.open_links() == 0);
  CHECK(one->open);
  here.second.up = true;
  REQUIRE(here.all.until([&] { return house::is_of(*one, here.second); }, 1min));
  CHECK(here.accepted(*one));
}

TEST_CASE("shares in flight during a change keep their verdict") {
  house here;
  const auto one = here.mining("alice.a");
  here.all.run_for(15s);
  here.first.answers_shares = false;
  const auto id = one->submit();
  here.all.run_for(100ms);
  here.move_to("alice", here.second);
  here.all.run_for(1s);
  auto link = here.first.newest();
  link->send("{\"id\":" + link->withheld.front() + ",\"result\":true,\"error\":null}");
  here.all.run_for(1s);
  REQUIRE(one->reply_to(id));
  CHECK(one->reply_to(id)->accepted);
  std::uint64_t accepted = 0;
  for (const auto& row : here.all.snapshot().totals) accepted += row.pool == here.first.name ? row.shares.accepted : 0;
  CHECK(accepted == 1);
}

TEST_CASE("a hundred changes under load: no disconnect, no share to a pool that did not give its job") {
  const auto seed = GENERATE(std::uint64_t{1}, 2, 3);
  house here(2);
  here.all.random.seed(seed);
  pool& third = here.all.add_pool("third.example:3333");
  pool* const pools[] = {&here.first, &here.second, &third};
  for (int i = 0; i < 5; ++i) here.all.add_account("c" + std::to_string(i), here.first.name, "", 1, [](auto& row) { row.fixed_difficulty = true; });
  for (int i = 0; i < 50; ++i) (void)here.mining("c" + std::to_string(i % 5) + ".r" + std::to_string(i));
  here.all.run_for(15s);
  const auto dice = [&](unsigned sides) { return static_cast<unsigned>(here.all.random() % sides); };
  std::uint64_t sent = 0;
  for (int change = 0; change < 100; ++change) {
    here.all.change_account("c" + std::to_string(dice(5)), [&](stratumproxy::account& row) {
      const auto any_host = [&] {
        const auto& name = pools[dice(3)]->name;
        return name.substr(0, name.find(':'));
      };
      auto& route = row.routes[0];
      if (dice(2)) route.pool.host = any_host();
      if (dice(3) == 0) route.user = "user" + std::to_string(dice(3));
      if (dice(3) == 0) row.mode = dice(2) ? std::optional(link_mode::shared) : std::nullopt;
      row.routes.resize(1);
      if (dice(2)) {
        row.routes.push_back(route);
        row.routes.back().pool.host = any_host();
        row.routes.back().user = "second";
      }
    });
    for (int i = 0; i < 40; ++i) {
      auto& one = *here.miners[dice(50)];
      (void)one.submit(one.jobs[one.jobs.size() - 1 - dice(std::min<unsigned>(2, static_cast<unsigned>(one.jobs.size())))]);
      ++sent;
      if (dice(8) == 0) {
        for (const auto& link : pools[dice(3)]->links) {
          if (link->open && link->authorized) (void)link->job(dice(2) != 0);
        }
      }
      here.all.run_for(std::chrono::milliseconds(dice(50)));
    }
  }
  here.all.run_for(30s);
  for (const auto& one : here.miners) CHECK(one->open);
  for (const auto* one : pools) {
    for (const auto& share : one->ledger) CHECK(share.coinbase.starts_with("c0ffee"));  // else the job was not this link's
  }
  stratumproxy::metrics::share_counts sum;
  for (const auto& row : here.all.snapshot().totals) sum += row.shares;
  CHECK(sum.sent == sent);
  CHECK(sum.sent == sum.accepted + sum.rejected_total() + sum.unknown);
  CHECK(sum.accepted == here.first.ledger.size() + here.second.ledger.size() + third.ledger.size());
  CHECK(sum.unknown == 0);
  std::uint64_t told = 0;
  for (const auto& one : here.miners) {
    for (const auto& reply : one->replies) told += reply.accepted && std::stoull(reply.id) > 2;
  }
  CHECK(told == sum.accepted);
}
