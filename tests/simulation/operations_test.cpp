// What an operator does with workers while they mine: ends them, moves them, bans them.
#include <catch2/catch.hpp>

#include <algorithm>

#include <stratumproxy/bans.hpp>

#include "simulation.hpp"

using namespace simulation;
using stratumproxy::ban;
using stratumproxy::ban_list;
using stratumproxy::link_mode;
using stratumproxy::move_outcome;

namespace {

struct house {
  explicit house(stratumproxy::options with = {}) : all(3, 1, std::move(with)) {
    all.add_account("alice", first.name, "", 1, [](auto& row) { row.fixed_difficulty = true; });
    all.add_account("bob", second.name, "", 1, [](auto& row) { row.fixed_difficulty = true; });
  }
  stratumproxy::session::session_manager& manager() { return *all.shards[0]->manager; }
  std::shared_ptr<miner> mining(const std::string& user, const std::string& address = "10.0.0.1") {
    auto made = all.connect(0, address);
    made->login(user);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }
  move_outcome move(const miner& who, const std::string& to) { return manager().move_worker(who.origin, all.accounts[to], all.now); }
  void ban_these(const std::vector<ban>& whom) {
    const auto list = ban_list::make(whom);
    REQUIRE(list);
    manager().bans_changed([list = *list](std::string_view address, std::string_view account) {
      return address.empty() ? list->of_account(account) : list->of_address(address);
    }, all.now);
  }
  miner::reply verdict(miner& one, std::optional<miner::work> on = std::nullopt, const std::string& name = {}) {
    const auto id = one.submit(std::move(on), name);
    REQUIRE(all.until([&] { return one.reply_to(id) != nullptr; }, 15s));
    return *one.reply_to(id);
  }
  static bool is_of(const miner& one, const pool& where) {
    return std::any_of(where.links.begin(), where.links.end(), [&](const auto& link) {
      return std::any_of(link->coinb1.begin(), link->coinb1.end(), [&](const auto& entry) {
        return one.jobs.back().coinb1.starts_with(entry.second + link->extranonce1);
      });
    });
  }
  std::uint64_t closed(std::string_view reason) const {
    for (const auto& row : all.snapshot().events) {
      if (row.name == "connections_closed" && row.value == reason) return row.count;
    }
    return 0;
  }
  // Every share that came has ended, and in one way only.
  void check_laws(std::uint64_t sent) const {
    stratumproxy::metrics::share_counts sum;
    for (const auto& row : all.snapshot().totals) sum += row.shares;
    CHECK(sum.sent == sent);
    CHECK(sum.sent == sum.accepted + sum.rejected_total() + sum.unknown);
    CHECK(sum.accepted == first.ledger.size() + second.ledger.size());
  }

  world all;
  pool& first = all.add_pool("first.example:3333");
  pool& second = all.add_pool("second.example:3333");
};

}  // namespace

TEST_CASE("a worker that an operator disconnects is told why, and has no session to come back to") {
  house here;
  const auto one = here.mining("alice.a"), other = here.mining("alice.b");
  CHECK(here.manager().disconnect(one->origin, "an operator asked for it", here.all.now));
  here.all.run_for(1s);
  CHECK_FALSE(one->open);
  CHECK(other->open);
  CHECK(one->messages == std::vector<std::string>{"closing: an operator asked for it"});
  CHECK(here.closed("operator") == 1);
  CHECK(here.all.snapshot().kept_sessions == 0);
  CHECK_FALSE(here.manager().disconnect(one->origin, "again", here.all.now));
  CHECK_FALSE(here.manager().disconnect("10.0.0.1", "a host alone is nobody", here.all.now));

  const auto again = here.all.connect();
  again->login("alice.a", one->session);
  REQUIRE(here.all.until([&] { return again->has_job(); }));
  CHECK(here.all.event("sessions_restored") == 0);
  CHECK(here.verdict(*again).accepted);
  here.check_laws(1);
}

TEST_CASE("a share that is at the pool when its worker is disconnected still counts, once") {
  house here;
  const auto one = here.mining("alice.a");
  here.first.answers_shares = false;
  (void)one->submit();
  REQUIRE(here.all.until([&] { return here.first.ledger.size() == 1; }));
  CHECK(here.manager().disconnect(one->origin, "", here.all.now));
  here.all.run_for(1s);
  CHECK(one->messages.empty());
  const auto link = here.first.newest();
  REQUIRE(link->withheld.size() == 1);
  link->send("{\"id\":" + link->withheld.front() + ",\"result\":true,\"error\":null}");
  here.all.run_for(1s);
  here.check_laws(1);
}

TEST_CASE("a connection that has said nothing yet can be ended, and so can a session that is kept") {
  house here;
  const auto stranger = here.all.connect();
  CHECK(here.manager().disconnect(stranger->origin, "", here.all.now));
  here.all.run_for(1s);
  CHECK_FALSE(stranger->open);

  const auto one = here.mining("alice.a");
  one->reset();
  here.all.run_for(1s);
  const auto kept = here.all.snapshot();
  REQUIRE(kept.workers.size() == 1);
  CHECK(kept.workers[0].kept_seconds == Approx(1).margin(0.1));
  CHECK(kept.workers[0].expires_seconds == Approx(59).margin(0.1));
  CHECK(here.manager().disconnect(one->origin, "", here.all.now));
  CHECK(here.all.snapshot().workers.empty());
  here.all.run_for(15s);
  CHECK(here.first.open_links() == 0);
}

TEST_CASE("a worker that is moved mines for the other account at once, under the name that it logged in with") {
  house here;
  const auto one = here.mining("alice.a"), other = here.mining("alice.b");
  const auto old_job = one->jobs.back();
  const auto lines = other->lines.size();
  const auto replies = one->replies.size();
  CHECK(here.move(*one, "bob") == move_outcome::moved);
  REQUIRE(here.all.until([&] { return house::is_of(*one, here.second); }, 2s));
  CHECK(one->jobs.back().clean);
  CHECK(one->replies.size() == replies);  // it asked nothing
  CHECK(here.verdict(*one).accepted);     // as alice.a
  CHECK(here.verdict(*one, std::nullopt, "bob.a").accepted);
  CHECK(here.verdict(*one, std::nullopt, "carol.a").code == 24);
  CHECK(here.verdict(*one, std::nullopt, ".a").code == 24);
  CHECK(here.second.ledger.back().user.ends_with(".a"));
  // What was found for the old account is still that one's.
  CHECK(here.verdict(*one, old_job).accepted);
  CHECK(here.first.ledger.size() == 1);
  CHECK(here.second.ledger.size() == 2);
  CHECK(other->lines.size() == lines);
  CHECK(here.all.event("sessions_moved") == 1);
  CHECK(here.move(*one, "bob") == move_outcome::moved);  // it is there
  CHECK(here.all.event("sessions_moved") == 1);
  here.check_laws(5);
  for (const auto& row : here.all.snapshot().workers) {
    CHECK(row.account == (row.address == one->origin ? "bob" : "alice"));
    if (row.address == one->origin) CHECK(row.rig == "a");
  }
}

TEST_CASE("a worker that was moved and spells its account in another case than that is registered in is still itself") {
  house here;
  here.all.accounts["ALICE"] = here.all.accounts["alice"];  // found without case
  const auto one = here.mining("ALICE.a");
  CHECK(here.verdict(*one).accepted);
  REQUIRE(here.move(*one, "bob") == move_outcome::moved);
  here.all.run_for(1s);
  REQUIRE(house::is_of(*one, here.second));
  CHECK(here.verdict(*one).accepted);
  here.check_laws(2);
}

TEST_CASE("the next authorize of a worker that was moved wins, and its former name is nobody's then") {
  house here;
  here.all.add_account("carol", here.first.name, "", 1, [](auto& row) { row.fixed_difficulty = true; });
  const auto one = here.mining("alice.a");
  CHECK(here.move(*one, "bob") == move_outcome::moved);
  CHECK(here.move(*one, "carol") == move_outcome::moved);
  REQUIRE(here.all.until([&] { return house::is_of(*one, here.first) && here.first.links.size() == 2; }, 2s));
  here.all.run_for(1s);
  CHECK(here.verdict(*one, std::nullopt, "alice.a").accepted);
  CHECK(here.verdict(*one, std::nullopt, "bob.a").code == 24);
  one->authorize("bob.x");
  REQUIRE(here.all.until([&] { return house::is_of(*one, here.second); }, 2s));
  CHECK(here.verdict(*one, std::nullopt, "bob.x").accepted);
  CHECK(here.verdict(*one, std::nullopt, "alice.a").code == 24);
  CHECK(here.verdict(*one, std::nullopt, "carol.a").code == 24);
  here.check_laws(5);
}

TEST_CASE("a worker that was moved and comes back authorizes as before, and mines where that leads") {
  house here;
  const auto one = here.mining("alice.a");
  CHECK(here.move(*one, "bob") == move_outcome::moved);
  REQUIRE(here.all.until([&] { return house::is_of(*one, here.second); }, 2s));
  one->reset();
  here.all.run_for(1s);
  const auto again = here.all.connect();
  again->login("alice.a", one->session);
  REQUIRE(here.all.until([&] { return again->has_job() && house::is_of(*again, here.first); }));
  CHECK(here.verdict(*again).accepted);
  here.check_laws(1);
}

TEST_CASE("who cannot be moved stays where it is") {
  house here;
  here.all.add_account("scrypt", "scrypt.example:3333", "", 65536, [](auto& row) { row.algorithm = "scrypt"; });
  here.all.add_account("nobody", "refuses.example:3333", "", 1, [](auto& row) { row.fixed_difficulty = true; });
  here.all.add_pool("refuses.example:3333").refuses_login = "no such user";
  const auto one = here.mining("alice.a");
  CHECK(here.move(*one, "scrypt") == move_outcome::other_algorithm);
  const auto stranger = here.all.connect();
  CHECK(here.move(*stranger, "bob") == move_outcome::not_mining);
  stranger->authorize("alice.b");  // before its subscribe
  here.all.run_for(1s);
  CHECK(here.move(*stranger, "bob") == move_outcome::not_mining);
  CHECK(here.manager().move_worker("10.9.9.9:1", here.all.accounts["bob"], here.all.now) == move_outcome::unknown_worker);

  const auto finds_out = here.all.connect();
  finds_out->login("nobody.x");
  here.all.run_for(1s);
  CHECK(here.move(*one, "nobody") == move_outcome::refused);
  here.ban_these({{"bob", "did not pay"}});
  CHECK(here.move(*one, "bob") == move_outcome::refused);
  CHECK(house::is_of(*one, here.first));
  CHECK(here.verdict(*one).accepted);
  here.check_laws(1);
}

TEST_CASE("workers move between shared links with shares in flight, and every share ends once") {
  house here;
  for (const auto* name : {"alice", "bob"}) here.all.change_account(name, [](stratumproxy::account& row) { row.mode = link_mode::shared; });
  std::vector<std::shared_ptr<miner>> miners;
  for (int i = 0; i < 20; ++i) miners.push_back(here.mining("alice.r" + std::to_string(i)));
  std::uint64_t sent = 0;
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < miners.size(); ++i) {
      auto& one = *miners[i];
      for (int share = 0; share < 3; ++share, ++sent) (void)one.submit();
      here.all.run_for(1ms);
      if ((i + static_cast<std::size_t>(round)) % 3 == 0) CHECK(here.move(one, round % 2 ? "alice" : "bob") == move_outcome::moved);
      (void)one.submit();
      ++sent;
    }
    here.all.run_for(2s);
  }
  here.all.run_for(15s);
  here.check_laws(sent);
  for (const auto& one : miners) {
    CHECK(one->open);
    CHECK(one->replies.size() == one->submits + 2);
  }
}

TEST_CASE("workers of a banned address or account are told and let go, and the account cannot log in") {
  house here;
  const auto one = here.mining("alice.a", "10.1.2.3"), other = here.mining("alice.b", "10.2.0.1"), third = here.mining("bob.c", "10.2.0.2");
  here.ban_these({{"10.1.0.0/16", "noisy"}, {"bob", "did not pay"}});
  here.all.run_for(1s);
  CHECK_FALSE(one->open);
  CHECK(one->messages == std::vector<std::string>{"closing: banned: noisy"});
  CHECK_FALSE(third->open);
  CHECK(third->messages == std::vector<std::string>{"closing: banned: did not pay"});
  CHECK(other->open);
  CHECK(here.closed("banned") == 2);
  CHECK(here.all.snapshot().kept_sessions == 0);

  const auto again = here.all.connect(0, "10.2.0.9");
  again->login("bob.c");
  here.all.run_for(1s);
  CHECK(again->replies.back().code == 24);
  CHECK(again->replies.back().text == "banned: did not pay");
  here.ban_these({});
  again->authorize("bob.c");
  REQUIRE(here.all.until([&] { return again->has_job(); }));
}

TEST_CASE("a ban of an account ends its kept sessions, and one that comes during a look-up counts") {
  house here;
  const auto one = here.mining("alice.a"), late = here.all.connect();
  one->reset();
  here.all.run_for(1s);
  REQUIRE(here.all.snapshot().kept_sessions == 1);
  late->login("alice.b");
  here.all.run_for(1500us);  // of 2 ms, until the look-up is answered
  here.ban_these({{"alice", "gone"}});
  here.all.run_for(1s);
  CHECK(here.all.snapshot().kept_sessions == 0);
  CHECK(late->replies.back().code == 24);
}

TEST_CASE("thousands of workers are let go in turns") {
  house here;
  std::vector<std::shared_ptr<miner>> miners;
  here.all.change_account("alice", [](stratumproxy::account& row) { row.mode = link_mode::shared; });
  for (int i = 0; i < 2'500; ++i) {
    miners.push_back(here.all.connect(0, "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
    miners.back()->login("alice.r");
    if (i % 500 == 0) here.all.run_for(100ms);
  }
  here.all.run_for(5s);
  here.ban_these({{"10.0.0.0/16", "all of them"}});
  here.all.run_for(150ms);
  const auto left = std::count_if(miners.begin(), miners.end(), [](const auto& one) { return one->open; });
  CHECK(left > 0);
  CHECK(left < 2'500);
  here.all.run_for(1s);
  CHECK(here.closed("banned") == 2'500);
}

TEST_CASE("the rows of workers say what they have of the extranonce, and when their last share came") {
  house here;
  const auto one = here.mining("alice.a");
  here.all.run_for(30s);
  auto rows = here.all.snapshot().workers;
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].mark == one->extranonce1);
  CHECK(rows[0].miner_bytes == one->extranonce2_size);
  CHECK(rows[0].connected_seconds == Approx(30).margin(1));
  CHECK_FALSE(rows[0].last_share_seconds);
  CHECK(here.verdict(*one).accepted);
  here.all.run_for(10s);
  rows = here.all.snapshot().workers;
  CHECK(rows[0].last_share_seconds.value_or(0) == Approx(10).margin(0.1));
  CHECK(rows[0].expires_seconds == 0);
}

TEST_CASE("a worker that has the pool's own extranonce has no mark") {
  house here;
  here.first.extranonce2_size = 3;  // too short for a mark and three bytes
  const auto one = here.all.connect();
  one->login("alice.a");
  REQUIRE(here.all.until([&] { return !one->open; }));
  const auto again = here.all.connect();
  again->login("alice.a", one->session);
  REQUIRE(here.all.until([&] { return again->has_job(); }));
  const auto rows = here.all.snapshot().workers;
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].mark.empty());
  CHECK(rows[0].miner_bytes == 3);
}
