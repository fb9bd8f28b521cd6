#include <catch2/catch.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "served_api.hpp"

using namespace stratumproxy::test;
namespace metrics = stratumproxy::metrics;
using stratumproxy::account_lookup;
using stratumproxy::move_outcome;

namespace {

const std::string worker = "10.0.0.7:50211";

std::string deletion_of(const std::string& path) { return "DELETE " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"; }

metrics::worker_row row_of(const std::string& address, const std::string& pool = "pool.example:3333") {
  metrics::worker_row row;
  row.address = address;
  row.account = "1b8e2f60a45d97c3";
  row.algorithm = "sha256d";
  row.pool = pool;
  row.session = "5a1f09c2";
  row.up = true;
  row.hashrate = 5;
  row.mark = "a7";
  row.miner_bytes = 3;
  row.connected_seconds = 60;
  return row;
}

stratumproxyd::daemon_status status() {
  return {.version = "1.2.3", .tag = "farm", .stratum = "127.0.0.1:9332", .web = "127.0.0.1:8080", .uptime_seconds = 61.5, .shards = 2,
          .bans = 3, .open_descriptors = 40, .descriptor_limit = 1024};
}

}  // namespace

TEST_CASE("one worker is shown with all its rows, under its address however that is written") {
  served_api web;
  web.now.workers = {row_of(worker), row_of("10.0.0.8:1"), row_of("[2001:db8::1]:50")};
  auto second = row_of(worker, "other.example:3333");
  second.is_current = false;
  second.last_share_seconds = 2.5;
  web.now.workers.push_back(second);
  for (const std::string path : {"10.0.0.7:50211", "10.0.0.7%3A50211"}) {
    const auto json = json_of(web.ask(get("/api/v1/workers/" + path)));
    const auto rows = json["workers"].GetArray();
    REQUIRE(rows.Size() == 2);
    CHECK(std::string(rows[0]["worker"].GetString()) == worker);
    CHECK(std::string(rows[0]["mark"].GetString()) == "a7");
    CHECK(rows[0]["miner_bytes"].GetUint() == 3);
    CHECK(rows[0]["connected_seconds"].GetDouble() == 60);
    CHECK((rows[0]["last_share_seconds"].IsNull() != rows[1]["last_share_seconds"].IsNull()));
  }
  CHECK(json_of(web.ask(get("/api/v1/workers/[2001:db8::1]:50")))["workers"].Size() == 1);
  CHECK(json_of(web.ask(get("/api/v1/workers/%5B2001%3Adb8%3A%3A1%5D%3A50")))["workers"].Size() == 1);
  CHECK(web.status(get("/api/v1/workers/10.0.0.7:50212")) == 404);
  CHECK(web.status(get("/api/v1/workers/10.0.0.7")) == 404);
  CHECK(web.status(get("/api/v1/workers/" + worker + "?x=1")) == 400);
  web.readable = false;
  CHECK(web.status(get("/api/v1/workers/" + worker)) == 503);
}

TEST_CASE("a worker is disconnected, and told by whom") {
  served_api web;
  std::string asked, words;
  std::optional<bool> answer = true;
  web.live.disconnect = [&](const std::string& who, const std::string& text) {
    asked = who;
    words = text;
    return answer;
  };
  CHECK(name_and_error(web.ask(deletion_of("/api/v1/workers/[::1]:50"))) == std::pair<std::string, std::string>{"[::1]:50", ""});
  CHECK(asked == "[::1]:50");
  CHECK(words.find("operator") != std::string::npos);
  answer = false;
  CHECK(web.status(deletion_of("/api/v1/workers/" + worker)) == 404);
  answer.reset();
  const auto busy = web.ask(deletion_of("/api/v1/workers/" + worker));
  CHECK(status_of(busy) == 503);
  CHECK(busy.find("Retry-After:") != std::string::npos);
}

TEST_CASE("a worker is moved to an account that is there, and the answer says why not else") {
  served_api web;
  auto lookup = account_lookup{account_lookup::status::found, std::make_shared<stratumproxy::account>(stratumproxy::account{.name = "bob", .revision = 1, .routes = {{}}})};
  auto outcome = move_outcome::moved;
  web.live.find_account = [&](const std::string&) { return lookup; };
  std::string moved;
  web.live.move_worker = [&](const std::string& who, std::shared_ptr<const stratumproxy::account> to) {
    moved = who + " to " + to->name;
    return outcome;
  };
  const auto path = "/api/v1/workers/" + worker + "/move";
  const std::string body = R"({"user":"bob"})";
  CHECK(name_and_error(web.ask(post(path, body))).first == worker);
  CHECK(moved == worker + " to bob");
  const std::pair<move_outcome, int> expected[] = {{move_outcome::unknown_worker, 404}, {move_outcome::not_mining, 409}, {move_outcome::other_algorithm, 422},
                                                   {move_outcome::refused, 422},        {move_outcome::unavailable, 503}};
  for (const auto& [what, code] : expected) {
    outcome = what;
    CHECK(web.status(post(path, body)) == code);
  }
  moved.clear();
  for (const std::string bad : {"", "{}", R"({"user":""})", R"({"user":7})", R"({"user":"bob","pool":"x"})", R"({"user":"bob","user":"bob"})"}) {
    CAPTURE(bad);
    CHECK(web.status(post(path, bad)) == 400);
  }
  lookup = {account_lookup::status::unknown, nullptr};
  CHECK(web.status(post(path, body)) == 404);
  lookup = {account_lookup::status::unavailable, nullptr};
  CHECK(web.status(post(path, body)) == 503);
  CHECK(moved.empty());
  CHECK(web.status(get(path)) == 405);
}

TEST_CASE("kept sessions are listed in pages, each once") {
  served_api web;
  for (int i = 0; i < 5; ++i) {
    auto row = row_of("10.0.0.7:" + std::to_string(100 + i));
    row.up = i == 4;
    row.session = "0000000" + std::to_string(i);
    row.kept_seconds = 12.5;
    row.expires_seconds = 47.5;
    web.now.workers.push_back(row);
    row.is_current = false;
    row.pool = "other.example:3333";
    web.now.workers.push_back(row);
  }
  std::vector<std::string> seen;
  std::string after;
  do {
    const auto json = json_of(web.ask(get("/api/v1/sessions?limit=3&after=" + after)));
    for (const auto& row : json["sessions"].GetArray()) {
      seen.emplace_back(row["session"].GetString());
      CHECK(row["kept_seconds"].GetDouble() == 12.5);
      CHECK(row["expires_seconds"].GetDouble() == 47.5);
    }
    after = json["next"].GetString();
  } while (!after.empty());
  CHECK(seen == std::vector<std::string>{"00000000", "00000001", "00000002", "00000003"});
  CHECK(json_of(web.ask(get("/api/v1/sessions?user=nobody")))["sessions"].Size() == 0);
  CHECK(web.status(get("/api/v1/sessions?limit=0")) == 400);
}

TEST_CASE("the status is one answer, also while the database is away") {
  served_api web;
  web.live.status = status;
  web.now.connections = 7;
  web.now.kept_sessions = 1;
  web.now.workers = {row_of(worker), row_of("10.0.0.8:1"), row_of("10.0.0.9:1")};
  web.now.workers[1].algorithm = "scrypt";
  web.now.workers[2].up = false;
  const auto json = json_of(web.ask(get("/api/v1/status")));
  CHECK(std::string(json["version"].GetString()) == "1.2.3");
  CHECK(json["uptime_seconds"].GetDouble() == 61.5);
  CHECK(json["shards"].GetUint() == 2);
  CHECK(json["connections"].GetUint() == 7);
  CHECK(json["workers"].GetUint() == 2);
  CHECK(json["kept_sessions"].GetUint() == 1);
  CHECK(json["bans"].GetUint() == 3);
  REQUIRE(json["hashrates"].Size() == 2);
  CHECK(std::string(json["hashrates"][1]["hash"].GetString()) == "sha256d");
  CHECK(json["hashrates"][1]["hashrate"].GetDouble() == 5);
  CHECK(json["open_descriptors"].GetUint() == 40);
  CHECK(json["descriptor_limit"].GetUint() == 1024);
  CHECK(json["reloaded_at"].IsNull());
  CHECK(std::string(json["database"].GetString()) == "up");
  CHECK(json["ready"].GetBool());
  CHECK(std::string(json["actor"].GetString()) == "open");
  CHECK(std::string(json["role"].GetString()) == "admin");
  web.database.down = true;
  const auto away = json_of(web.ask(get("/api/v1/status")));
  CHECK(std::string(away["database"].GetString()) == "down");
  CHECK_FALSE(away["ready"].GetBool());
  web.readable = false;
  CHECK(web.status(get("/api/v1/status")) == 503);
}

TEST_CASE("a reload says what it took over, or why it took nothing") {
  served_api web;
  stratumproxyd::reload_outcome outcome{"", {"log.level"}, {"db.url", "stratum.addr"}};
  web.live.reload = [&] { return outcome; };
  const auto json = json_of(web.ask(post("/api/v1/reload", "")));
  CHECK(std::string(json["taken"][0].GetString()) == "log.level");
  REQUIRE(json["needs_restart"].Size() == 2);
  CHECK(std::string(json["needs_restart"][1].GetString()) == "stratum.addr");
  outcome = {"stratumproxyd.toml:3: unknown key", {}, {}};
  const auto refused = web.ask(post("/api/v1/reload", ""));
  CHECK(status_of(refused) == 422);
  CHECK(name_and_error(refused).second == outcome.error);
  CHECK(web.status(get("/api/v1/reload")) == 405);
}

TEST_CASE("bans are added, changed, listed and lifted, in their one form") {
  served_api web;
  int told = 0;
  web.live.bans_written = [&] { ++told; };
  const auto add = [&](const std::string& subject, const std::string& more = "") {
    return web.ask(post("/api/v1/bans", R"({"subject":")" + subject + R"(","reason":"noisy")" + more + "}"));
  };
  CHECK(status_of(add("10.0.0.0/8")) == 201);
  CHECK(name_and_error(add("2001:DB8::/32")).first == "2001:db8::/32");
  CHECK(status_of(add("1b8e2f60a45d97c3", R"(,"seconds":60)")) == 201);
  CHECK(status_of(add("2001:db8:0::/32", R"(,"seconds":60)")) == 200);
  CHECK(told == 4);
  auto json = json_of(web.ask(get("/api/v1/bans")));
  REQUIRE(json["bans"].Size() == 3);
  CHECK(std::string(json["bans"][0]["subject"].GetString()) == "10.0.0.0/8");
  CHECK(std::string(json["bans"][0]["reason"].GetString()) == "noisy");
  CHECK(json["bans"][0]["seconds"].IsNull());
  CHECK(json["bans"][2]["seconds"].GetUint() == 60);
  CHECK(status_of(web.ask(deletion_of("/api/v1/bans/10.0.0.0%2F8"))) == 200);
  CHECK(name_and_error(web.ask(deletion_of("/api/v1/bans/2001:DB8::%2f32"))).first == "2001:db8::/32");
  CHECK(status_of(web.ask(deletion_of("/api/v1/bans/10.0.0.0%2F8"))) == 404);
  CHECK(web.status(deletion_of("/api/v1/bans/10.0.0.0/8")) == 404);
  CHECK(told == 6);
  CHECK(json_of(web.ask(get("/api/v1/bans")))["bans"].Size() == 1);
}

TEST_CASE("what cannot be banned is refused, loopback unless it is meant, and more than there is room for") {
  served_api web;
  const auto add = [&](const std::string& body) { return web.status(post("/api/v1/bans", body)); };
  for (const std::string bad : {R"({})", R"({"subject":"10.1.1.1"})", R"({"subject":"","reason":"x"})", R"({"subject":"10.1.2.3/8","reason":"x"})",
                                R"({"subject":"a.b","reason":"x"})", R"({"subject":"10.0.0.1","reason":""})", R"({"subject":"10.0.0.1","reason":"a\nb"})",
                                R"({"subject":"10.0.0.1","reason":"x","seconds":0})", R"({"subject":"10.0.0.1","reason":"x","seconds":1.5})",
                                R"({"subject":"10.0.0.1","reason":"x","force":"yes"})", R"({"subject":"10.0.0.1","reason":"x","more":1})"}) {
    CAPTURE(bad);
    CHECK(add(bad) == 400);
  }
  for (const std::string local : {"127.0.0.1", "0.0.0.0/0", "::1", "::/0"}) {
    CAPTURE(local);
    CHECK(add(R"({"subject":")" + local + R"(","reason":"x"})") == 422);
    CHECK(add(R"({"subject":")" + local + R"(","reason":"x","force":false})") == 422);
  }
  CHECK(web.database.bans().empty());
  CHECK(add(R"({"subject":"127.0.0.1","reason":"x","force":true})") == 201);
  web.database.most_bans = 1;
  CHECK(add(R"({"subject":"10.0.0.1","reason":"x"})") == 409);
  web.database.down = true;
  CHECK(add(R"({"subject":"10.0.0.1","reason":"x"})") == 503);
  CHECK(web.status(get("/api/v1/bans")) == 503);
}

TEST_CASE("with a token nothing of what runs is shown or touched without it") {
  served_api web("a-good-token");
  for (const std::string path : {"/api/v1/workers/" + worker, std::string("/api/v1/sessions"), std::string("/api/v1/bans"), std::string("/api/v1/status")})
    CHECK(web.status(get(path)) == 401);
  CHECK(web.status(deletion_of("/api/v1/workers/" + worker)) == 401);
  CHECK(web.status(deletion_of("/api/v1/bans/alice")) == 401);
  CHECK(web.status(post("/api/v1/workers/" + worker + "/move", "{}")) == 401);
  CHECK(web.status(post("/api/v1/bans", "{}")) == 401);
  CHECK(web.status(post("/api/v1/reload", "")) == 401);
}
