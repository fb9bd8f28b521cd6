// A snapshot that is taken in pieces while the proxy goes on.
#include <catch2/catch.hpp>

#include <set>
#include <vector>

#include "simulation.hpp"

using namespace simulation;
namespace metrics = stratumproxy::metrics;

TEST_CASE("a snapshot in pieces has each worker once, and nothing in its rows that is not in its totals") {
  constexpr std::size_t crowd = 700;
  stratumproxy::options config;
  config.session.grace = 0s;
  config.upstream.connects_per_second = 100'000;
  config.limits.unauthorized_per_address = 100'000;
  world all(3, 1, config);
  auto& where = all.add_pool("pool.example:3333");
  all.add_account("alice", where.name);
  auto& manager = *all.shards[0]->manager;
  std::vector<std::shared_ptr<miner>> miners;
  for (std::size_t i = 0; i < crowd; ++i) {
    miners.push_back(all.connect(0, "10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200)));
    miners.back()->login("alice");
  }
  REQUIRE(all.until([&] { return std::ranges::all_of(miners, [](const auto& one) { return one->has_job(); }); }, 60s));
  const auto mine = [&](std::size_t from, std::size_t to) {
    std::vector<std::uint64_t> ids;
    for (std::size_t i = from; i < to; ++i) ids.push_back(miners[i]->submit());
    REQUIRE(all.until([&] {
      for (std::size_t i = from; i < to; ++i)
        if (!miners[i]->reply_to(ids[i - from])) return false;
      return true;
    }));
  };
  mine(0, crowd);

  stratumproxy::session::partial_snapshot part;
  std::size_t pieces = 1;
  std::set<std::string> left;
  std::vector<std::shared_ptr<miner>> newcomers;
  for (; !manager.add_piece(part, all.now); ++pieces) {
    mine(100, 200);  // some are in the snapshot already, others not
    left.insert(miners[crowd - pieces]->origin);
    manager.disconnect(miners[crowd - pieces]->origin, "", all.now);
    newcomers.push_back(all.connect(0, "10.1.0." + std::to_string(pieces)));
    newcomers.back()->login("alice");
    all.run_for(1s);
  }
  CHECK(pieces == 4);

  std::set<std::string> rows;
  std::uint64_t sent = 0;
  for (const auto& row : part.taken.workers) {
    CHECK(rows.insert(row.address).second);
    CHECK(row.shares.sent == row.shares.accepted + row.shares.rejected_total() + row.shares.unknown);
    sent += row.shares.sent;
  }
  for (const auto& one : miners) CHECK((rows.contains(one->origin) || left.contains(one->origin)));
  for (const auto& one : newcomers) CHECK_FALSE(rows.contains(one->origin));
  REQUIRE(part.taken.totals.size() == 1);
  CHECK(part.taken.totals[0].shares.sent == crowd + 3 * 100);
  CHECK(sent >= crowd - left.size());
  CHECK(sent < part.taken.totals[0].shares.sent);
  CHECK(part.taken.connections == crowd);

  const auto whole = manager.snapshot(all.now);
  CHECK(whole.workers.size() == crowd);
}
