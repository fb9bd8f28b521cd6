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
  std::size_t pieces = 1, begun = 1;
  std::set<std::string> left;
  std::vector<std::shared_ptr<miner>> newcomers;
  const auto newcomer = [&] {
    newcomers.push_back(all.connect(0, "10.1.0." + std::to_string(newcomers.size())));
    newcomers.back()->login("alice");
  };
  for (std::size_t rows = 0; !manager.add_piece(part, all.now); ++pieces) {
    if (part.taken.workers.size() < rows) ++begun;
    rows = part.taken.workers.size();
    mine(100, 200);  // some are in the snapshot already, others not
    left.insert(miners[crowd - pieces]->origin);
    manager.disconnect(miners[crowd - pieces]->origin, "", all.now);
    newcomer();
    // So many that the table of workers has to grow, when nobody knows any more who was seen.
    for (int i = 0; pieces == 5 && i < 2'000; ++i) newcomer();
    all.run_for(1s);
  }
  CHECK(pieces > crowd / 64);
  CHECK(begun == 2);

  std::set<std::string> rows;
  std::uint64_t sent = 0;
  for (const auto& row : part.taken.workers) {
    CHECK(rows.insert(row.address).second);
    CHECK(row.shares.sent == row.shares.accepted + row.shares.rejected_total() + row.shares.unknown);
    sent += row.shares.sent;
  }
  for (const auto& one : miners) CHECK((rows.contains(one->origin) || left.contains(one->origin)));
  REQUIRE(part.taken.totals.size() == 1);
  CHECK(part.taken.totals[0].shares.sent == crowd + (pieces - 1) * 100);
  CHECK(sent >= crowd - left.size());
  CHECK(sent < part.taken.totals[0].shares.sent);
  CHECK(part.taken.connections == miners.size() + newcomers.size() - left.size());

  const auto whole = manager.snapshot(all.now);
  CHECK(whole.workers.size() == part.taken.connections);
}

TEST_CASE("a snapshot in pieces has each pool, link, route and total once") {
  constexpr int many = 150;
  stratumproxy::options config;
  config.upstream.connects_per_second = 100'000;
  config.limits.unauthorized_per_address = 100'000;
  world all(3, 1, config);
  std::vector<std::shared_ptr<miner>> miners;
  for (int i = 0; i < many; ++i) {
    const auto number = std::to_string(i);
    all.add_account("user" + number, all.add_pool("one" + number + ".example:3333").name);
    all.add_route("user" + number, all.add_pool("two" + number + ".example:3333").name);
    miners.push_back(all.connect(0, "10.0.0." + number));
    miners.back()->login("user" + number);
  }
  REQUIRE(all.until([&] { return std::ranges::all_of(miners, [](const auto& one) { return one->has_job(); }); }, 60s));

  stratumproxy::session::partial_snapshot part{.what = metrics::scope::all_links};
  while (!all.shards[0]->manager->add_piece(part, all.now)) all.run_for(1s);
  std::set<std::string> pools, routes, totals;
  std::set<std::uint64_t> links;
  std::uint64_t linked = 0;
  for (const auto& row : part.taken.pools) {
    CHECK(pools.insert(row.pool).second);
    linked += row.links[static_cast<std::size_t>(metrics::link_state::live)];
  }
  for (const auto& row : part.taken.links) CHECK(links.insert(row.link).second);
  for (const auto& row : part.taken.routes) {
    CHECK(routes.insert(row.account + " " + std::to_string(row.route)).second);
    CHECK(row.workers == (row.route == 0 ? 1 : 0));
  }
  for (const auto& row : part.taken.totals) CHECK(totals.insert(row.account).second);
  CHECK(pools.size() >= many);
  CHECK(links.size() == many);
  CHECK(linked == many);
  CHECK(routes.size() == 2 * many);
  CHECK(totals.size() == many);
}
