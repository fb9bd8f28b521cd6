#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

#include "served_api.hpp"

namespace {

using namespace stratumproxy::test;
namespace metrics = stratumproxy::metrics;

metrics::worker_row worker(int number, const std::string& account = "0123456789abcdef", const std::string& pool = "pool.example:3333") {
  metrics::worker_row row;
  row.address = "10.0.0.1:" + std::to_string(number);
  row.account = account;
  row.rig = "rig\"1";
  row.agent = "cgminer/4.12";
  row.algorithm = "sha256d";
  row.pool = pool;
  row.session = "89abcdef";
  row.up = true;
  row.difficulty = 0.5;
  row.hashrate = 1e12;
  row.version_mask = 0x1fffe0;
  row.best_share = 4096.5;
  row.mark = "a7";
  row.miner_bytes = 3;
  row.connected_seconds = 12.5;
  row.last_share_seconds = 0.5;
  row.shares.sent = 10;
  row.shares.accepted = 6;
  row.shares.rejected = {1, 2};
  row.shares.unknown = 1;
  return row;
}

}  // namespace

TEST_CASE("workers are listed with all that is known of them") {
  served_api web;
  web.now.workers.push_back(worker(5));
  const auto answer = web.ask(get("/api/v1/workers"));
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) ==
        R"({"workers":[{"worker":"10.0.0.1:5","user":"0123456789abcdef","rig":"rig\"1","agent":"cgminer/4.12","hash":"sha256d",)"
        R"("pool":"pool.example:3333","session":"89abcdef","up":true,"current":true,"difficulty":0.5,"hashrate":1000000000000,)"
        R"("version_mask":"001fffe0","best_share":4096.5,"mark":"a7","miner_bytes":3,"connected_seconds":12.5,"last_share_seconds":0.5,"sent":10,"accepted":6,"rejected":3,"unknown":1}],"next":"","error":""})" "\n");
}

TEST_CASE("links are listed, the dedicated ones too") {
  served_api web;
  web.now.links.push_back({.link = 300, .pool = "pool.example:3333", .account = "a", .route = 1, .is_shared = true,
                           .state = metrics::link_state::parked, .workers = 2, .limit = 256, .difficulty = 8, .round_trip = 0.25});
  web.now.links.push_back({.link = 20, .pool = "pool.example:3333", .account = "b", .route = 0, .state = metrics::link_state::failing, .limit = 1,
                           .fault = "tls_failed: the peer does not speak TLS"});
  CHECK(body_of(web.ask(get("/api/v1/links"))) ==
        R"({"links":[{"link":20,"pool":"pool.example:3333","user":"b","route":0,"mode":"dedicated","state":"failing","workers":0,"limit":1,)"
        R"("difficulty":0,"round_trip_seconds":0,"fault":"tls_failed: the peer does not speak TLS"},)"
        R"({"link":300,"pool":"pool.example:3333","user":"a","route":1,"mode":"shared","state":"parked","workers":2,"limit":256,)"
        R"("difficulty":8,"round_trip_seconds":0.25,"fault":""}],"next":"","error":""})" "\n");
  CHECK(web.asked == metrics::scope::all_links);
  web.now.links[1].route.reset();  // the account has it no more
  CHECK_FALSE(json_of(web.ask(get("/api/v1/links")))["links"][0].HasMember("route"));
  CHECK(json_of(web.ask(get("/api/v1/links?user=a")))["links"].Size() == 1);
  CHECK(json_of(web.ask(get("/api/v1/links?limit=1&after=0000000000000014")))["links"][0]["link"].GetInt() == 300);
}

TEST_CASE("rows are chosen by account and pool") {
  served_api web;
  web.now.workers = {worker(1), worker(2, "ffffffffffffffff"), worker(3, "ffffffffffffffff", "[2001:db8::1]:443")};
  const auto count = [&](const std::string& query) { return json_of(web.ask(get("/api/v1/workers?" + query)))["workers"].Size(); };
  CHECK(count("user=ffffffffffffffff") == 2);
  CHECK(count("user=nobody") == 0);
  CHECK(count("pool=POOL.example:3333") == 2);
  CHECK(count("pool=%5B2001:db8:0::1%5D%3A443&user=ffffffffffffffff") == 1);
  CHECK(count("user=0123456789abcdef&pool=[2001:db8::1]:443") == 0);
}

TEST_CASE("pages follow each other without a gap or a repetition, while rows come and go") {
  served_api web;
  for (int i = 0; i < 25; ++i) web.now.workers.push_back(worker(1000 + (i * 7) % 25));
  web.now.workers.push_back(worker(1003, "0123456789abcdef", "other.example:1"));
  web.now.workers.push_back(worker(1004));  // the same key twice, at the end of a page
  std::multiset<std::string> seen;
  std::string next;
  int pages = 0;
  do {
    const auto json = json_of(web.ask(get("/api/v1/workers?limit=6" + (next.empty() ? next : "&after=" + next))));
    for (const auto& row : json["workers"].GetArray()) seen.insert(std::string(row["worker"].GetString()) + ' ' + row["pool"].GetString());
    next = json["next"].GetString();
    ++pages;
    std::erase_if(web.now.workers, [](const auto& row) { return row.address == "10.0.0.1:1000"; });  // of the first page
  } while (!next.empty());
  CHECK(pages == 5);
  CHECK(seen.size() == 27);
  CHECK(seen.count("10.0.0.1:1004 pool.example:3333") == 2);
  CHECK(seen.count("10.0.0.1:1003 other.example:1") == 1);
}

TEST_CASE("a thousand rows are a page, and ten thousand the largest") {
  served_api web;
  for (int i = 0; i < 10'001; ++i) web.now.workers.push_back(worker(i));
  const auto size = [&](const std::string& query) {
    const auto json = json_of(web.ask(get("/api/v1/workers" + query)));
    CHECK_FALSE(std::string(json["next"].GetString()).empty());
    return json["workers"].Size();
  };
  CHECK(size("") == 1'000);
  CHECK(size("?limit=10000") == 10'000);
}

TEST_CASE("query parameters that mean nothing are refused, and counters that cannot be read are no page") {
  served_api web;
  for (const std::string query : {"users=a", "limit=0", "limit=10001", "limit=-1", "limit=1e3", "limit=", "limit=5x", "pool=nowhere", "pool=",
                                  "user=a&user=b", "token=x", "x"}) {
    CAPTURE(query);
    CHECK(web.status(get("/api/v1/workers?" + query)) == 400);
    CHECK(web.status(get("/api/v1/links?" + query)) == 400);
  }
  CHECK(web.status(get("/api/v1/workers?after=%00%ff")) == 200);
  web.readable = false;
  CHECK(web.status(get("/api/v1/workers")) == 503);
  CHECK(web.status(get("/api/v1/links")) == 503);
}

TEST_CASE("with a token neither workers nor links are shown without it") {
  served_api web("a-good-token");
  CHECK(web.status(get("/api/v1/workers")) == 401);
  CHECK(web.status(get("/api/v1/links?user=a")) == 401);
  CHECK(web.status(get("/api/v1/workers", "Authorization: Bearer a-good-token\r\n")) == 200);
  CHECK(web.status("HEAD /api/v1/links HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer a-good-token\r\nConnection: close\r\n\r\n") == 200);
}
