#include "stratumproxy/metrics.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

using namespace stratumproxy::metrics;

namespace {

share_counts counts(std::uint64_t n) {
  share_counts value;
  value.sent = n;
  value.accepted = 2 * n;
  value.unknown = 3 * n;
  value.late = 4 * n;
  value.pool_accepted = 5 * n;
  value.rejected.fill(n);
  value.sent_one = 0.5 * static_cast<double>(n);
  value.accepted_one = 0.25 * static_cast<double>(n);
  value.pool_accepted_one = 0.125 * static_cast<double>(n);
  return value;
}

pool_row pool(std::string name, std::uint64_t n) {
  pool_row row;
  row.pool = std::move(name);
  row.algorithm = "sha256d";
  row.links.fill(n);
  row.connects = row.drops = row.refused_logins = row.protocol_errors = n;
  return row;
}

total_row total(std::string account, std::string pool, std::string algorithm, std::uint64_t n) {
  return {std::move(account), std::move(pool), std::move(algorithm), counts(n)};
}

}  // namespace

TEST_CASE("every reject reason and link state has a label of its own") {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < reject_reasons; ++i) labels.insert(name(static_cast<reject_reason>(i)));
  CHECK(labels.size() == reject_reasons);
  labels.clear();
  for (std::size_t i = 0; i < link_states; ++i) labels.insert(name(static_cast<link_state>(i)));
  CHECK(labels.size() == link_states);
}

TEST_CASE("share counts add up field by field") {
  auto sum = counts(1);
  sum += counts(10);
  CHECK(sum.sent == 11);
  CHECK(sum.accepted == 22);
  CHECK(sum.unknown == 33);
  CHECK(sum.late == 44);
  CHECK(sum.pool_accepted == 55);
  CHECK(sum.rejected_total() == 11 * reject_reasons);
  CHECK(sum.sent_one == 5.5);
  CHECK(sum.accepted_one == 2.75);
  CHECK(sum.pool_accepted_one == 1.375);
}

TEST_CASE("a round trip falls into the first bucket whose bound it does not exceed") {
  latency_histogram histogram;
  histogram.observe(0);
  histogram.observe(0.001);
  histogram.observe(0.0011);
  histogram.observe(60);
  histogram.observe(61);
  histogram.observe(-5);
  CHECK(histogram.counts[0] == 3);
  CHECK(histogram.counts[1] == 1);
  CHECK(histogram.counts[11] == 1);
  CHECK(histogram.counts[12] == 1);
  CHECK(histogram.sum == Approx(121.0021));
}

TEST_CASE("merged snapshots keep every worker and sum the rest") {
  snapshot one, two;
  one.workers.resize(2);
  one.workers[0].address = "10.0.0.1:1";
  two.workers.resize(1);
  two.workers[0].address = "10.0.0.9:9";
  one.connections = 3;
  two.connections = 4;
  one.kept_sessions = 1;
  two.kept_sessions = 2;
  one.round_trip.observe(0.5);
  two.round_trip.observe(2);
  one.merge(std::move(two));
  REQUIRE(one.workers.size() == 3);
  CHECK(one.workers[0].address == "10.0.0.1:1");
  CHECK(one.workers[2].address == "10.0.0.9:9");
  CHECK(one.connections == 7);
  CHECK(one.kept_sessions == 3);
  CHECK(one.round_trip.sum == 2.5);
  CHECK(one.round_trip.counts[9] == 0);
  CHECK(one.round_trip.counts[8] == 1);
  CHECK(one.round_trip.counts[10] == 1);
}

TEST_CASE("merging sums rows of the same pool and appends the others") {
  snapshot one, two;
  one.pools = {pool("a:1", 1), pool("b:1", 2)};
  two.pools = {pool("b:1", 3), pool("c:1", 4)};
  one.merge(std::move(two));
  REQUIRE(one.pools.size() == 3);
  CHECK(one.pools[0].connects == 1);
  CHECK(one.pools[1].pool == "b:1");
  for (const auto links : one.pools[1].links) CHECK(links == 5);
  CHECK(one.pools[1].connects == 5);
  CHECK(one.pools[1].drops == 5);
  CHECK(one.pools[1].refused_logins == 5);
  CHECK(one.pools[1].protocol_errors == 5);
  CHECK(one.pools[2].pool == "c:1");
}

TEST_CASE("totals are the same row only when account, pool and algorithm are the same") {
  snapshot one, two;
  one.totals = {total("a", "p:1", "x11", 1)};
  two.totals = {total("a", "p:1", "x11", 2), total("b", "p:1", "x11", 3), total("a", "q:1", "x11", 4),
                total("a", "p:1", "x13", 5)};
  one.merge(std::move(two));
  REQUIRE(one.totals.size() == 4);
  CHECK(one.totals[0].shares.sent == 3);
  CHECK(one.totals[1].shares.sent == 3);
  CHECK(one.totals[2].shares.sent == 4);
  CHECK(one.totals[3].shares.sent == 5);
}

TEST_CASE("events are summed by name, label and value") {
  snapshot one, two;
  one.events = {{"closed", "reason", "idle", 1}};
  two.events = {{"closed", "reason", "idle", 2}, {"closed", "reason", "reset", 3}, {"restored", "", "", 4}};
  one.merge(std::move(two));
  REQUIRE(one.events.size() == 3);
  CHECK(one.events[0].count == 3);
  CHECK(one.events[1].count == 3);
  CHECK(one.events[2].count == 4);
}

TEST_CASE("rows that occur twice in one snapshot to be merged are summed too") {
  snapshot one, two;
  two.pools = {pool("a:1", 1), pool("a:1", 2)};
  one.merge(std::move(two));
  REQUIRE(one.pools.size() == 1);
  CHECK(one.pools[0].connects == 3);
}
