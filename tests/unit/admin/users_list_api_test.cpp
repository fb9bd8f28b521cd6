#include <catch2/catch.hpp>

#include <string>

#include "served_api.hpp"

namespace {

using namespace stratumproxy::test;
using stratumproxyd::moment;
namespace metrics = stratumproxy::metrics;

std::string registered(served_api& web, const std::string& wallet) {
  return name_and_error(web.ask(post("/api/v1/users", user("pool.example:3333", wallet)))).first;
}

metrics::worker_row worker(const std::string& account, double hashrate, bool up = true) {
  metrics::worker_row row;
  row.account = account;
  row.pool = "pool.example:3333";
  row.hashrate = hashrate;
  row.up = up;
  return row;
}

}  // namespace

TEST_CASE("accounts are listed with routes, workers, totals and when they were seen, without passwords") {
  served_api web;
  const auto one = registered(web, "wallet"), two = registered(web, "other");
  web.now.workers = {worker(one, 5e11), worker(one, 25e10), worker(one, 1, false)};
  stratumproxyd::total_record total{one, "pool.example:3333", "sha256d", {}};
  total.shares.sent = 12;
  total.shares.accepted = 9;
  total.shares.rejected[1] = 2;
  total.shares.unknown = 1;
  total.shares.accepted_one = 4096.5;
  web.database.add_totals("here", std::vector{total}, {});
  web.database.add_totals("there", std::vector{total}, {});
  web.database.note_seen(std::vector{one, two}, moment(std::chrono::seconds(1'767'322'800)));
  const auto answer = web.ask(get("/api/v1/users"));
  CHECK(status_of(answer) == 200);
  CHECK(
      body_of(answer) ==
      R"({"users":[{"name":")" + one +
          R"(","revision":1,"created_at":"2026-01-02T03:04:05Z","mode":null,)"
          R"("pools":[{"pool":"pool.example:3333","user":"wallet","weight":0}],"workers":2,"hashrate":750000000001,)"
          R"("last_seen":"2026-01-02T03:04:05Z","sent":24,"accepted":18,"rejected":4,"unknown":2,"difficulty_one_accepted":8193},)"
          R"({"name":")" +
          two +
          R"(","revision":2,"created_at":"2026-01-02T03:04:05Z","mode":null,)"
          R"("pools":[{"pool":"pool.example:3333","user":"other","weight":0}],"workers":0,"hashrate":0,)"
          R"("last_seen":"2026-01-02T03:00:00Z","sent":0,"accepted":0,"rejected":0,"unknown":0,"difficulty_one_accepted":0}],)"
          R"("next":"","error":""})"
          "\n");
  const auto shown = json_of(web.ask(get("/api/v1/users/" + one)));
  CHECK(shown["last_seen"] == "2026-01-02T03:04:05Z");
  CHECK(shown["rejected"].GetInt() == 4);
  CHECK(shown["difficulty_one_accepted"].GetDouble() == 8193);
}

TEST_CASE("pages of accounts follow each other, and the last one says so") {
  served_api web;
  for (int i = 0; i < 7; ++i) registered(web, "wallet" + std::to_string(i));
  std::string next;
  std::vector<std::string> seen;
  for (const std::size_t size : {3, 3, 1}) {
    const auto json = json_of(web.ask(get("/api/v1/users?limit=3&after=" + next)));
    CHECK(json["users"].Size() == size);
    for (const auto& row : json["users"].GetArray()) seen.emplace_back(row["name"].GetString());
    next = json["next"].GetString();
    CHECK(next.empty() == (size == 1));
  }
  CHECK(seen.size() == 7);
  CHECK(std::ranges::is_sorted(seen));
  CHECK(json_of(web.ask(get("/api/v1/users?limit=7")))["next"] == "");
}

TEST_CASE("the filters of accounts reach the database in the form of its rows") {
  served_api web;
  registered(web, "wallet");
  CHECK(json_of(web.ask(get("/api/v1/users?pool=POOL.example:3333&algorithm=SHA256D&search=Wal%5f&limit=10000")))["users"]
            .Size() == 1);
  CHECK(web.database.asked.pool == "pool.example:3333");
  CHECK(web.database.asked.algorithm == "sha256d");
  CHECK(web.database.asked.search == "Wal_");
  CHECK(web.database.asked.limit == 10'001);
  CHECK(json_of(web.ask(get("/api/v1/users?pool=%5B2001:db8::1%5D:1")))["users"].Size() == 0);
}

TEST_CASE("bad queries for accounts are refused, and nothing is listed without the token, the database or the counters") {
  served_api web("a-good-token");
  const std::string token = "Authorization: Bearer a-good-token\r\n";
  CHECK(web.status(get("/api/v1/users")) == 401);
  for (const std::string query :
       {"user=a", "limit=0", "limit=10001", "limit=x", "pool=nowhere", "search=a&search=b", "token=x"}) {
    CAPTURE(query);
    CHECK(web.status(get("/api/v1/users?" + query, token)) == 400);
  }
  web.readable = false;
  CHECK(web.status(get("/api/v1/users", token)) == 503);
  web.readable = true;
  web.database.down = true;
  CHECK(web.status(get("/api/v1/users", token)) == 503);
  web.database.down = false;
  CHECK(web.status(get("/api/v1/users", token)) == 200);
}
