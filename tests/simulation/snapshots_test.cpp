// A snapshot that is taken in pieces while the proxy goes on.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "simulation.hpp"

using namespace simulation;
namespace metrics = stratumproxy::metrics;
using stratumproxy::session::partial_snapshot;

namespace {

stratumproxy::options for_crowds(std::chrono::milliseconds grace) {
  stratumproxy::options config;
  config.session.grace = grace;
  config.upstream.connects_per_second = 100'000;
  config.limits.unauthorized_per_address = 100'000;
  return config;
}

std::string address_of(std::size_t number) { return "10.0." + std::to_string(number / 200) + "." + std::to_string(number % 200); }

/// Many workers of one account on one shard.
struct crowd {
  crowd(std::size_t size, std::chrono::milliseconds grace) : all(3, 1, for_crowds(grace)) {
    all.add_account("alice", all.add_pool("pool.example:3333").name);
    while (miners.size() < size) join();
    REQUIRE(all.until([&] { return std::ranges::all_of(miners, [](const auto& one) { return one->has_job(); }); }, 60s));
  }

  std::shared_ptr<miner> join() {
    miners.push_back(all.connect(0, address_of(miners.size())));
    miners.back()->login("alice");
    return miners.back();
  }
  void mine(std::size_t from, std::size_t to) {
    std::vector<std::uint64_t> ids;
    for (std::size_t i = from; i < to; ++i) ids.push_back(miners[i]->submit());
    REQUIRE(all.until([&] {
      for (std::size_t i = from; i < to; ++i)
        if (!miners[i]->reply_to(ids[i - from])) return false;
      return true;
    }));
  }
  bool add_piece(partial_snapshot& to) { return all.shards[0]->manager->add_piece(to, all.now); }
  std::shared_ptr<miner> of(const metrics::worker_row& row) {
    const auto found = std::ranges::find(miners, row.address, &miner::origin);
    REQUIRE(found != miners.end());
    return *found;
  }

  world all;
  std::vector<std::shared_ptr<miner>> miners;
};

}  // namespace

TEST_CASE("a snapshot in pieces has each worker once, and nothing in its rows that is not in its totals") {
  constexpr std::size_t many = 700;
  crowd here(many, 0s);
  here.mine(0, many);

  partial_snapshot part;
  std::size_t pieces = 1, begun = 1, before = 0, came_too_late = many;
  std::set<std::string> left;
  for (; !here.add_piece(part); ++pieces) {
    const auto rows = part.taken.workers.size();
    if (rows < before) {
      ++begun;
      came_too_late = here.miners.size();
    } else {
      CHECK(rows - before < 64 + 16);  // what is in one bucket stays together
    }
    before = rows;
    here.mine(100, 200);  // some are in the snapshot already, others not
    left.insert(here.miners[many - pieces]->origin);
    here.all.shards[0]->manager->disconnect(here.miners[many - pieces]->origin, "", here.all.now);
    here.join();
    // So many that the table of workers has to grow, when nobody knows any more who was seen.
    for (int i = 0; pieces == 5 && i < 2'000; ++i) here.join();
    here.all.run_for(1s);
  }
  CHECK(begun == 2);

  std::set<std::string> rows;
  std::uint64_t sent = 0;
  for (const auto& row : part.taken.workers) {
    CHECK(rows.insert(row.address).second);
    CHECK(row.shares.sent == row.shares.accepted + row.shares.rejected_total() + row.shares.unknown);
    sent += row.shares.sent;
  }
  for (std::size_t i = 0; i < here.miners.size(); ++i) {
    const auto& origin = here.miners[i]->origin;
    if (i >= came_too_late) CHECK_FALSE(rows.contains(origin));
    else CHECK((rows.contains(origin) || left.contains(origin)));
  }
  REQUIRE(part.taken.totals.size() == 1);
  CHECK(part.taken.totals[0].shares.sent == many + (pieces - 1) * 100);
  CHECK(sent >= many - left.size());
  CHECK(sent < part.taken.totals[0].shares.sent);
  CHECK(part.taken.connections == here.miners.size() - left.size());

  const auto whole = here.all.shards[0]->manager->snapshot(here.all.now);
  CHECK(whole.workers.size() == part.taken.connections);
}

TEST_CASE("a worker that returns while a snapshot is taken is in it once") {
  crowd here(300, 60s);
  here.mine(0, 300);
  partial_snapshot part;
  REQUIRE_FALSE(here.add_piece(part));
  REQUIRE(part.taken.workers.size() > 2);
  const auto dropped = here.of(part.taken.workers[0]);
  const auto half_open = here.of(part.taken.workers[1]);
  dropped->reset();
  half_open->vanish();
  for (const auto& one : {dropped, half_open}) {
    const auto again = here.all.connect(0, one->address);
    again->login("alice", one->session);
    REQUIRE(here.all.until([&] { return again->has_job(); }));
    CHECK(again->session != "");
  }
  CHECK(here.all.event("sessions_restored") == 2);
  while (!here.add_piece(part)) here.all.run_for(1s);
  CHECK(part.taken.workers.size() == 300);
  CHECK(part.taken.connections == 300);
}

TEST_CASE("a shard that had many workers is copied in few pieces once they are gone") {
  crowd here(3'000, 0s);
  std::size_t pieces = 1;
  for (partial_snapshot part; !here.add_piece(part);) ++pieces;
  CHECK(pieces > 3'000 / 64);
  CHECK(pieces < 3 * 3'000 / 64);
  for (const auto& one : here.miners) one->reset();
  here.all.run_for(60s);
  pieces = 1;
  partial_snapshot part;
  while (!here.add_piece(part)) ++pieces;
  CHECK(part.taken.workers.empty());
  CHECK(pieces < 5);
}

TEST_CASE("a snapshot in pieces has each pool, link, route and total once, whatever comes meanwhile") {
  constexpr int many = 150;
  world all(3, 1, for_crowds(60s));
  std::vector<std::shared_ptr<miner>> miners;
  const auto add_user = [&] {
    const auto number = std::to_string(miners.size());
    all.add_account("user" + number, all.add_pool("one" + number + ".example:3333").name);
    all.add_route("user" + number, all.add_pool("two" + number + ".example:3333").name);
    miners.push_back(all.connect(0, address_of(miners.size())));
    miners.back()->login("user" + number);
  };
  while (miners.size() < many) add_user();
  REQUIRE(all.until([&] { return std::ranges::all_of(miners, [](const auto& one) { return one->has_job(); }); }, 60s));

  partial_snapshot part{.what = metrics::scope::all_links};
  std::size_t links_begun = 0, links_before = 0;
  while (!all.shards[0]->manager->add_piece(part, all.now)) {
    if (part.taken.links.size() < links_before) ++links_begun;
    links_before = part.taken.links.size();
    // Once links are copied: so many that their table has to grow, and pools that have no row.
    for (int i = 0; links_begun == 0 && links_before > 0 && i < 400; ++i) add_user();
    add_user();
    all.run_for(1s);
  }
  CHECK(links_begun == 1);

  std::set<std::string> pools, routes, totals;
  std::set<std::uint64_t> links;
  std::uint64_t counted = 0;
  for (const auto& row : part.taken.pools) {
    CHECK(pools.insert(row.pool).second);
    for (const auto number : row.links) counted += number;
  }
  for (const auto& row : part.taken.links) {
    CHECK(links.insert(row.link).second);
    CHECK(pools.contains(row.pool));
  }
  CHECK(counted == links.size());
  for (const auto& row : part.taken.routes) CHECK(routes.insert(row.account + " " + std::to_string(row.route)).second);
  for (const auto& row : part.taken.totals) CHECK(totals.insert(row.account).second);
  for (int i = 0; i < many; ++i) {
    const auto number = std::to_string(i);
    CHECK(pools.contains("one" + number + ".example:3333"));
    CHECK(routes.contains("user" + number + " 0"));
    CHECK(routes.contains("user" + number + " 1"));
    CHECK(totals.contains("user" + number));
  }
  const auto on_first = std::ranges::count_if(part.taken.routes, [](const auto& row) { return row.route == 0 && row.workers == 1; });
  CHECK(on_first == static_cast<long>(part.taken.workers.size()));
}
