#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "exporter.hpp"

namespace {

using namespace stratumproxyd;
namespace metrics = stratumproxy::metrics;

metrics::share_counts shares(std::uint64_t sent, std::uint64_t accepted, double one) {
  metrics::share_counts out;
  out.sent = sent;
  out.accepted = out.pool_accepted = accepted;
  out.sent_one = one * static_cast<double>(sent);
  out.accepted_one = out.pool_accepted_one = one * static_cast<double>(accepted);
  return out;
}

metrics::worker_row worker(const std::string& address, bool up = true) {
  metrics::worker_row row;
  row.address = address;
  row.account = "0123456789abcdef";
  row.algorithm = "scrypt";
  row.pool = "pool.example:3333";
  row.up = up;
  row.difficulty = 65536;
  row.hashrate = 1.5e9;
  row.shares = shares(7, 5, 0.5);
  row.shares.rejected[static_cast<std::size_t>(metrics::reject_reason::stale)] = 1;
  row.shares.unknown = 1;
  return row;
}

std::string page(const metrics::snapshot& now, const std::vector<total_record>& committed = {}, std::string_view tag = "t") {
  worker_series series{metrics_config{}};
  const auto workers = series.update(now.workers);
  return exposition({.tag = tag, .version = "1.2.3", .now = now, .workers = workers, .committed = committed, .process = {}, .database_up = true});
}

bool has(const std::string& text, const std::string& line) { return ("\n" + text).find("\n" + line + "\n") != std::string::npos; }

const std::string labels = R"({proxy="t",worker="10.0.0.1:5",user="0123456789abcdef",hash="scrypt",pool="pool.example:3333"} )";

}  // namespace

TEST_CASE("HTTP requests are counted by status, and wrong tokens even where there was none") {
  const metrics::snapshot now;
  const auto text = exposition({.tag = "t", .version = "1", .now = now, .workers = {}, .committed = {}, .process = {},
                                .http_answers = {{200, 3}, {401, 2}}, .http_failed_logins = 1});
  CHECK(has(text, R"(proxy_http_requests_total{proxy="t",code="200"} 3)"));
  CHECK(has(text, R"(proxy_http_requests_total{proxy="t",code="401"} 2)"));
  CHECK(has(text, R"(proxy_http_authentications_failed_total{proxy="t"} 1)"));
  CHECK(has(page(now), R"(proxy_http_authentications_failed_total{proxy="t"} 0)"));
}

TEST_CASE("a worker has the fixed metrics with the fixed labels") {
  metrics::snapshot now;
  now.workers.push_back(worker("10.0.0.1:5"));
  const auto text = page(now);
  CHECK(has(text, R"(proxy_worker_up{proxy="t",worker="10.0.0.1:5",user="0123456789abcdef"} 1)"));
  CHECK(has(text, "proxy_worker_sended" + labels + "7"));
  CHECK(has(text, "proxy_worker_one_sended" + labels + "3.5"));
  CHECK(has(text, "proxy_worker_accepted" + labels + "5"));
  CHECK(has(text, "proxy_worker_one_accepted" + labels + "2.5"));
  CHECK(has(text, "proxy_worker_speed" + labels + "1500000000"));
  CHECK(has(text, "proxy_worker_difficulty" + labels + "65536"));
  CHECK(has(text, "proxy_worker_rejected_total" + labels + "1"));
  CHECK(has(text, "proxy_worker_unknown_total" + labels + "1"));
  CHECK(has(text, "# TYPE proxy_worker_sended counter"));
  CHECK(has(text, "# TYPE proxy_worker_speed gauge"));
}

TEST_CASE("a kept session is down, and one without a pool has no shares to show") {
  metrics::snapshot now;
  now.workers.push_back(worker("10.0.0.1:5", false));
  auto early = worker("10.0.0.2:6");
  early.pool.clear();
  now.workers.push_back(early);
  const auto text = page(now);
  CHECK(has(text, R"(proxy_worker_up{proxy="t",worker="10.0.0.1:5",user="0123456789abcdef"} 0)"));
  CHECK(has(text, R"(proxy_worker_up{proxy="t",worker="10.0.0.2:6",user="0123456789abcdef"} 1)"));
  CHECK(text.find(R"(proxy_worker_sended{proxy="t",worker="10.0.0.2:6")") == std::string::npos);
}

TEST_CASE("a family without series is left out") {
  metrics::snapshot now;
  CHECK(page(now).find("proxy_worker_") == std::string::npos);
  now.workers.push_back(worker("10.0.0.1:5"));
  CHECK(page(now).find("proxy_worker_best_share") == std::string::npos);
  now.workers[0].pool.clear();
  CHECK(page(now).find("proxy_worker_sended") == std::string::npos);
}

TEST_CASE("rows with equal labels are one series with their sum") {
  metrics::snapshot now;
  now.workers.push_back(worker("10.0.0.1:5", true));
  now.workers.push_back(worker("10.0.0.1:5", false));
  now.workers.back().difficulty = 1;
  const auto text = page(now);
  CHECK(has(text, "proxy_worker_sended" + labels + "14"));
  CHECK(has(text, "proxy_worker_difficulty" + labels + "65536"));
  CHECK(has(text, R"(proxy_worker_up{proxy="t",worker="10.0.0.1:5",user="0123456789abcdef"} 1)"));

  std::set<std::string> seen;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('#')) CHECK(seen.insert(line.substr(0, line.rfind(' '))).second);
}

TEST_CASE("a pool shows whether it is up, its divider and its links") {
  metrics::snapshot now;
  metrics::pool_row row;
  row.pool = "pool.example:3333";
  row.algorithm = "scrypt";
  row.divider = 65536;
  row.links[static_cast<std::size_t>(metrics::link_state::live)] = 2;
  row.shared_links[static_cast<std::size_t>(metrics::link_state::waiting)] = 4;
  row.connects = 9;
  row.drops = 3;
  now.pools.push_back(row);
  row.pool = "dead.example:1";
  row.links = {};
  row.links[static_cast<std::size_t>(metrics::link_state::connecting)] = 1;
  now.pools.push_back(row);
  const auto text = page(now);
  const std::string pool = R"({proxy="t",hash="scrypt",pool="pool.example:3333"} )";
  CHECK(has(text, "proxy_pool_up" + pool + "1"));
  CHECK(has(text, "proxy_pool_divider" + pool + "65536"));
  CHECK(has(text, "proxy_link_connects_total" + pool + "9"));
  CHECK(has(text, "proxy_link_drops_total" + pool + "3"));
  CHECK(has(text, R"(proxy_links{proxy="t",hash="scrypt",pool="pool.example:3333",mode="dedicated",state="live"} 2)"));
  CHECK(has(text, R"(proxy_links{proxy="t",hash="scrypt",pool="pool.example:3333",mode="dedicated",state="refused"} 0)"));
  CHECK(has(text, R"(proxy_links{proxy="t",hash="scrypt",pool="pool.example:3333",mode="shared",state="waiting"} 4)"));
  CHECK(has(text, R"(proxy_links{proxy="t",hash="scrypt",pool="pool.example:3333",mode="shared",state="live"} 0)"));
  CHECK(has(text, R"(proxy_pool_up{proxy="t",hash="scrypt",pool="dead.example:1"} 0)"));
}

TEST_CASE("a pool shows what the proxy did with shares by itself, summed over its rows") {
  metrics::snapshot now;
  metrics::pool_row row;
  row.pool = "pool.example:3333";
  row.algorithm = "scrypt";
  row.shared_links[static_cast<std::size_t>(metrics::link_state::live)] = 1;
  row.rejected_here[static_cast<std::size_t>(metrics::reject_reason::stale)] = 5;
  row.rejected_here[static_cast<std::size_t>(metrics::reject_reason::duplicate)] = 1;
  row.held_back = 100;
  row.unchecked = 7;
  now.pools = {row, row};
  const auto text = page(now);
  const std::string pool = R"({proxy="t",hash="scrypt",pool="pool.example:3333")";
  CHECK(has(text, "proxy_pool_up" + pool + "} 1"));
  CHECK(has(text, "proxy_links" + pool + R"(,mode="shared",state="live"} 2)"));
  CHECK(has(text, "proxy_local_rejects_total" + pool + R"(,reason="stale"} 10)"));
  CHECK(has(text, "proxy_local_rejects_total" + pool + R"(,reason="duplicate"} 2)"));
  CHECK(text.find("reason=\"low_difficulty\"") == std::string::npos);
  CHECK(has(text, "proxy_shares_held_back_total" + pool + "} 200"));
  CHECK(has(text, "proxy_shares_unchecked_total" + pool + "} 14"));
}

TEST_CASE("a shared link shows its state, its lanes, its difficulty, and its latency once there is one") {
  metrics::snapshot now;
  now.links.push_back({.link = 12, .pool = "pool.example:3333", .account = "a", .is_shared = true, .state = metrics::link_state::live, .workers = 200,
                       .limit = 256, .difficulty = 0.5, .round_trip = 0.125});
  now.links.push_back({.link = 13, .pool = "pool.example:3333", .account = "a", .is_shared = true, .state = metrics::link_state::connecting, .limit = 256});
  now.links.push_back({.link = 14, .pool = "pool.example:3333", .account = "a", .state = metrics::link_state::live, .round_trip = 1});
  now.links.push_back({.link = 15, .pool = "pool.example:3333", .account = "a", .is_shared = true, .state = metrics::link_state::parked});
  const auto text = page(now);
  CHECK(text.find(R"(link="14")") == std::string::npos);  // of one worker alone
  CHECK(has(text, R"(proxy_link_up{proxy="t",user="a",pool="pool.example:3333",link="15"} 1)"));
  const std::string live = R"({proxy="t",user="a",pool="pool.example:3333",link="12"} )";
  const std::string young = R"({proxy="t",user="a",pool="pool.example:3333",link="13"} )";
  CHECK(has(text, "proxy_link_up" + live + "1"));
  CHECK(has(text, "proxy_link_lanes_used" + live + "200"));
  CHECK(has(text, "proxy_link_lanes" + live + "256"));
  CHECK(has(text, "proxy_link_difficulty" + live + "0.5"));
  CHECK(has(text, "proxy_link_round_trip_seconds" + live + "0.125"));
  CHECK(has(text, "proxy_link_up" + young + "0"));
  CHECK(has(text, "proxy_link_lanes_used" + young + "0"));
  CHECK(has(text, "proxy_link_difficulty" + young + "0"));
  CHECK(text.find("proxy_link_round_trip_seconds" + young) == std::string::npos);
}

TEST_CASE("a pool is in one of four states, and up while a link is live, with a job or without") {
  using metrics::link_state;
  const auto state_with = [](std::vector<link_state> dedicated, std::vector<link_state> shared) {
    metrics::snapshot now;
    metrics::pool_row row;
    row.pool = "p:1";
    row.algorithm = "scrypt";
    for (const auto state : dedicated) ++row.links[static_cast<std::size_t>(state)];
    for (const auto state : shared) ++row.shared_links[static_cast<std::size_t>(state)];
    now.pools.push_back(row);
    const auto text = page(now);
    std::string found;
    for (const std::string state : {"up", "silent", "failing", "idle"}) {
      const bool is = has(text, R"(proxy_pool_state{proxy="t",hash="scrypt",pool="p:1",state=")" + state + "\"} 1");
      CHECK(is != has(text, R"(proxy_pool_state{proxy="t",hash="scrypt",pool="p:1",state=")" + state + "\"} 0"));
      if (is) found += state;
    }
    CHECK(has(text, std::string(R"(proxy_pool_up{proxy="t",hash="scrypt",pool="p:1"} )") + (found == "up" || found == "silent" ? "1" : "0")));
    return found;
  };
  CHECK(state_with({link_state::live, link_state::failing}, {link_state::silent}) == "up");
  CHECK(state_with({}, {link_state::parked, link_state::silent}) == "up");
  CHECK(state_with({link_state::silent}, {link_state::refused}) == "silent");
  for (const auto state : {link_state::waiting, link_state::connecting, link_state::handshaking, link_state::failing, link_state::refused})
    CHECK(state_with({}, {state}) == "failing");
  CHECK(state_with({}, {}) == "idle");
}

TEST_CASE("workers that left a pool are counted by cause, summed over its rows") {
  metrics::snapshot now;
  metrics::pool_row row;
  row.pool = "p:1";
  row.algorithm = "scrypt";
  row.switches[static_cast<std::size_t>(metrics::switch_cause::reject_storm)] = 3;
  row.switches[static_cast<std::size_t>(metrics::switch_cause::slice)] = 1;
  now.pools = {row, row};
  const auto text = page(now);
  CHECK(has(text, R"(proxy_pool_switches_total{proxy="t",hash="scrypt",pool="p:1",cause="reject_storm"} 6)"));
  CHECK(has(text, R"(proxy_pool_switches_total{proxy="t",hash="scrypt",pool="p:1",cause="slice"} 2)"));
  CHECK(text.find("cause=\"lost\"") == std::string::npos);
}

TEST_CASE("a worker on two pools is up once, and has the counters of each") {
  metrics::snapshot now;
  now.workers = {worker("10.0.0.1:5"), worker("10.0.0.1:5")};
  now.workers[0].is_current = false;
  now.workers[0].shares = shares(3, 2, 0.5);
  now.workers[1].pool = "other.example:1";
  const auto text = page(now);
  const auto ups = text.find("\nproxy_worker_up{");
  CHECK(ups != std::string::npos);
  CHECK(text.find("\nproxy_worker_up{", ups + 1) == std::string::npos);
  CHECK(has(text, "proxy_worker_sended" + labels + "3"));
  CHECK(has(text, R"(proxy_worker_sended{proxy="t",worker="10.0.0.1:5",user="0123456789abcdef",hash="scrypt",pool="other.example:1"} 7)"));
}

TEST_CASE("the difficulty is that of a connected worker's current row, whatever the order of rows") {
  auto current = worker("10.0.0.1:5"), other = current, kept = current;
  current.difficulty = 1;
  other.difficulty = 2;
  other.is_current = false;
  kept.difficulty = 3;
  kept.up = false;
  metrics::snapshot now;
  for (const auto& rows : {std::vector{current, other, kept}, {kept, other, current}, {other, current, kept}}) {
    now.workers = rows;
    CHECK(has(page(now), "proxy_worker_difficulty" + labels + "1"));
  }
  now.workers = {other, kept};
  CHECK(has(page(now), "proxy_worker_difficulty" + labels + "2"));
}

TEST_CASE("workers are counted for each account and pool, and those above the cap share one series without a difficulty") {
  metrics::snapshot now;
  now.workers = {worker("10.0.0.1:5"), worker("10.0.0.2:6"), worker("10.0.0.3:7", false)};
  worker_series series{{.tag = {}, .max_workers = 1}};
  const auto workers = series.update(now.workers);
  const auto text = exposition({.tag = "t", .version = "v", .now = now, .workers = workers, .committed = {}, .process = {}});
  const std::string rest = R"({proxy="t",worker="other",user="0123456789abcdef",hash="scrypt",pool="pool.example:3333"} )";
  CHECK(has(text, "proxy_worker_sended" + labels + "7"));
  CHECK(has(text, "proxy_worker_sended" + rest + "14"));
  CHECK(has(text, "proxy_worker_speed" + rest + "3000000000"));
  CHECK(has(text, R"(proxy_worker_up{proxy="t",worker="other",user="0123456789abcdef"} 1)"));
  CHECK(text.find(R"(proxy_worker_difficulty{proxy="t",worker="other")") == std::string::npos);
  CHECK(has(text, R"(proxy_workers{proxy="t",user="0123456789abcdef",hash="scrypt",pool="pool.example:3333"} 2)"));
  CHECK(has(text, R"(proxy_workers_unnamed{proxy="t"} 2)"));
}

TEST_CASE("the routes of an account show what they are for and what they got") {
  metrics::snapshot now;
  now.routes.push_back({.account = "a", .pool = "p:1", .route = 0, .weight = 70, .workers = 7, .work = 300});
  now.routes.push_back({.account = "a", .pool = "p:2", .route = 1, .weight = 0, .is_usable = false,
                        .cause = metrics::switch_cause::refused, .work = 100});
  now.routes.push_back({.account = "b", .pool = "p:1", .route = 0, .weight = 1});
  now.totals.push_back({.account = "a", .pool = "p:1", .algorithm = "scrypt", .shares = {}, .worker_seconds = 12.5});
  const auto text = page(now);
  const std::string first = R"({proxy="t",user="a",pool="p:1",route="0"} )";
  const std::string second = R"({proxy="t",user="a",pool="p:2",route="1"} )";
  CHECK(has(text, "proxy_route_usable" + first + "1"));
  CHECK(has(text, "proxy_route_weight" + first + "70"));
  CHECK(has(text, "proxy_route_workers" + first + "7"));
  CHECK(has(text, "proxy_route_difficulty_one_accepted_total" + first + "300"));
  CHECK(has(text, "proxy_route_share" + first + "0.75"));
  CHECK(has(text, "proxy_route_usable" + second + "0"));
  CHECK(has(text, "proxy_route_share" + second + "0.25"));
  CHECK(has(text, R"(proxy_route_share{proxy="t",user="b",pool="p:1",route="0"} 0)"));
  CHECK(has(text, R"(proxy_worker_seconds_total{proxy="t",user="a",hash="scrypt",pool="p:1"} 12.5)"));
}

TEST_CASE("the best share is that of all rows of a worker, and is not shown while none was checked") {
  metrics::snapshot now;
  now.workers = {worker("10.0.0.1:5"), worker("10.0.0.1:5", false), worker("10.0.0.2:6")};
  now.workers[0].best_share = 4096.5;
  now.workers[1].best_share = 1e12;
  const auto text = page(now);
  CHECK(has(text, "proxy_worker_best_share" + labels + "1000000000000"));
  CHECK(text.find(R"(proxy_worker_best_share{proxy="t",worker="10.0.0.2:6")") == std::string::npos);
}

TEST_CASE("totals are those of the database, not those of the moment") {
  metrics::snapshot now;
  now.totals.push_back({.account = "a", .pool = "p:1", .algorithm = "sha256d", .shares = shares(1'000, 1'000, 1)});
  auto kept = shares(10, 6, 2);
  kept.rejected[static_cast<std::size_t>(metrics::reject_reason::duplicate)] = 3;
  kept.unknown = 1;
  kept.late = 4;
  kept.pool_accepted = 5;
  const auto text = page(now, {{"a", "p:1", "sha256d", kept}});
  const std::string row = R"({proxy="t",user="a",hash="sha256d",pool="p:1"} )";
  CHECK(has(text, "proxy_shares_sent_total" + row + "10"));
  CHECK(has(text, "proxy_shares_accepted_total" + row + "6"));
  CHECK(has(text, "proxy_pool_shares_accepted_total" + row + "5"));
  CHECK(has(text, "proxy_shares_unknown_total" + row + "1"));
  CHECK(has(text, "proxy_shares_late_total" + row + "4"));
  CHECK(has(text, "proxy_difficulty_one_sent_total" + row + "20"));
  CHECK(has(text, "proxy_difficulty_one_accepted_total" + row + "12"));
  CHECK(has(text, "proxy_difficulty_one_pool_accepted_total" + row + "12"));
  CHECK(has(text, R"(proxy_shares_rejected_total{proxy="t",user="a",hash="sha256d",pool="p:1",reason="duplicate"} 3)"));
  CHECK(text.find("reason=\"stale\"") == std::string::npos);
}

TEST_CASE("large counters keep every digit") {
  metrics::snapshot now;
  now.workers.push_back(worker("10.0.0.1:5"));
  now.workers[0].shares.sent = 9'007'199'254'740'991;  // 2^53 - 1
  now.workers[0].shares.accepted_one = 123'456'789.012345;
  const auto text = page(now);
  const auto value = [&](const std::string& name) {
    const auto at = text.find("\n" + name + "{");
    REQUIRE(at != std::string::npos);
    const auto space = text.find("} ", at);
    return std::stod(text.substr(space + 2));
  };
  CHECK(value("proxy_worker_sended") == 9'007'199'254'740'991.0);
  CHECK(value("proxy_worker_one_accepted") == Approx(123'456'789.012345).epsilon(1e-15));
}

TEST_CASE("the round trip is a cumulative histogram") {
  metrics::snapshot now;
  now.round_trip.counts[0] = 2;
  now.round_trip.counts[6] = 3;   // up to 100 ms
  now.round_trip.counts[12] = 1;  // above a minute
  now.round_trip.sum = 90.5;
  const auto text = page(now);
  CHECK(has(text, R"(proxy_share_round_trip_seconds_bucket{proxy="t",le="0.001"} 2)"));
  CHECK(has(text, R"(proxy_share_round_trip_seconds_bucket{proxy="t",le="0.1"} 5)"));
  CHECK(has(text, R"(proxy_share_round_trip_seconds_bucket{proxy="t",le="60"} 5)"));
  CHECK(has(text, R"(proxy_share_round_trip_seconds_bucket{proxy="t",le="+Inf"} 6)"));
  CHECK(has(text, R"(proxy_share_round_trip_seconds_count{proxy="t"} 6)"));
  CHECK(has(text, R"(proxy_share_round_trip_seconds_sum{proxy="t"} 90.5)"));
}

TEST_CASE("events, gauges and the build are shown") {
  metrics::snapshot now;
  now.connections = 12;
  now.kept_sessions = 3;
  now.events = {{"connections_closed", "reason", "slow_reader", 3}, {"connections_closed", "reason", "idle", 1},
                {"connections_closed", "reason", "idle", 1}, {"accept_errors", "", "", 7}};
  const auto text = page(now);
  CHECK(has(text, R"(proxy_connections_closed_total{proxy="t",reason="slow_reader"} 3)"));
  CHECK(has(text, R"(proxy_connections_closed_total{proxy="t",reason="idle"} 2)"));
  CHECK(has(text, R"(proxy_accept_errors_total{proxy="t"} 7)"));
  CHECK(has(text, R"(proxy_connections{proxy="t"} 12)"));
  CHECK(has(text, R"(proxy_sessions_kept{proxy="t"} 3)"));
  CHECK(has(text, R"(proxy_tag_held{proxy="t"} 1)"));
  CHECK(has(exposition({.tag = "t", .version = "v", .now = {}, .workers = {}, .committed = {}, .process = {}, .has_tag = false}),
            R"(proxy_tag_held{proxy="t"} 0)"));
  CHECK(has(text, R"(proxy_build_info{proxy="t",version="1.2.3"} 1)"));
}

TEST_CASE("every metric is described in the documentation") {
  metrics::snapshot now;
  now.workers.push_back(worker("10.0.0.1:5"));
  now.workers[0].best_share = 1;
  now.pools.push_back({.pool = "p:1", .algorithm = "scrypt"});
  now.pools[0].rejected_here.fill(1);
  now.pools[0].switches.fill(1);
  now.routes.push_back({.account = "a", .pool = "p:1"});
  now.totals.push_back({.account = "a", .pool = "p:1", .algorithm = "scrypt"});
  now.links.push_back({.link = 1, .pool = "p:1", .account = "a", .is_shared = true, .round_trip = 1});
  auto kept = shares(1, 1, 1);
  kept.rejected.fill(1);
  for (const std::string_view name : {"authorizes_failed", "connections_accepted", "connections_closed", "connections_refused",
                                      "descriptors_exhausted", "intruders_refused", "jobs_coalesced", "lines_refused", "links_closed",
                                      "miner_responses", "pool_messages_refused", "pool_requests_refused", "reconnects_refused",
                                      "sessions_handed_over", "sessions_kept", "sessions_moved", "sessions_recalled", "sessions_restored",
                                      "sessions_superseded", "verdicts_unmatched"})
    now.events.push_back({name, "", "", 1});
  std::ifstream file(std::string(SPX_TEST_SOURCE_DIR) + "/../docs/metrics.md");
  const std::string documentation((std::istreambuf_iterator<char>(file)), {});
  std::istringstream lines(page(now, {{"a", "p:1", "scrypt", kept}}));
  int found = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    const auto name = line.substr(7, line.find(' ', 7) - 7);
    CAPTURE(name);
    CHECK(documentation.find("| `" + name + "` |") != std::string::npos);
    ++found;
  }
  CHECK(found > 60);
}

TEST_CASE("label values are escaped") {
  metrics::snapshot now;
  now.connections = 1;
  CHECK(has(page(now, {}, "a\"b\\c"), R"(proxy_connections{proxy="a\"b\\c"} 1)"));
  now.workers.push_back(worker("x\ny"));
  const auto text = page(now, {}, "a\"b\\c");
  CHECK(has(text, R"(proxy_worker_up{proxy="a\"b\\c",worker="x\ny",user="0123456789abcdef"} 1)"));
  CHECK(has(text, R"(proxy_worker_sended{proxy="a\"b\\c",worker="x\ny",user="0123456789abcdef",hash="scrypt",pool="pool.example:3333"} 7)"));
}

TEST_CASE("the process's own figures are read") {
  const auto stats = read_process_stats();
  CHECK(stats.resident_bytes > 1'000'000);
  CHECK(stats.virtual_bytes >= stats.resident_bytes);
  std::uint64_t descriptors = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++descriptors;
  CHECK(stats.open_fds == descriptors - 1);  // without the directory's own
  CHECK(stats.max_fds >= stats.open_fds);
  CHECK(stats.start_time_seconds > 1'600'000'000);
  CHECK(stats.threads >= 1);
  const auto text = exposition({.tag = "t", .version = "v", .now = {}, .workers = {}, .committed = {}, .process = stats});
  for (const std::string name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
                                 "process_start_time_seconds", "process_virtual_memory_bytes"})
    CHECK(text.find("\n" + name + " ") != std::string::npos);
}
