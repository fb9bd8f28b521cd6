#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "served_api.hpp"

namespace {

using namespace stratumproxyd;
using namespace stratumproxy::test;
namespace metrics = stratumproxy::metrics;

const std::string first_route = R"({"pool":"pool.example:3333","user":"wallet","password":"x"})";

/// An API that knows two more pools of one algorithm, one of another, and one that cannot be spoken to.
struct web_with_pools : served_api {
  explicit web_with_pools(const std::string& token = "") : served_api(token) {
    for (const std::string pool : {"second.example:1", "third.example:1"})
      database.add_pool(tester, {.pool = pool, .algorithm = "sha256d", .divider = {}, .reconnect_hosts = {}, .source = {}});
    database.add_pool(tester, {.pool = "other.example:1", .algorithm = "scrypt", .divider = {}, .reconnect_hosts = {}, .source = {}});
    database.writes = 0;
  }
  std::string register_pools(const std::string& pools, const std::string& more = "") {
    return ask(post("/api/v1/users", R"({"pools":[)" + pools + "]" + more + "}"));
  }
  std::string change(const std::string& name, const std::string& body, const std::string& headers = "") {
    return ask(post("/api/v1/users/" + name, body, headers, "PATCH"));
  }
  std::string show(const std::string& name) { return ask(get("/api/v1/users/" + name)); }
  std::string remove(const std::string& name, const std::string& headers = "") {
    return ask("DELETE /api/v1/users/" + name + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + "\r\n");
  }
  std::string registered() { return name_and_error(register_pools(first_route + R"(,{"pool":"second.example:1","user":"w2","password":"secret"})")).first; }
};

std::string route(const std::string& pool, const std::string& user = "wallet", const std::string& more = R"(,"password":"x")") {
  return R"({"pool":")" + pool + R"(","user":")" + user + "\"" + more + "}";
}

metrics::worker_row worker(const std::string& account, double hashrate, bool up = true) {
  metrics::worker_row row;
  row.account = account;
  row.hashrate = hashrate;
  row.up = up;
  return row;
}

bool has_etag(const std::string& answer, const std::string& revision) {
  return answer.find("ETag: \"" + revision + "\"\r\n") != std::string::npos;
}

}  // namespace

TEST_CASE("an account is registered with several pools, and found again by the first or by all of them") {
  web_with_pools web;
  const auto all = first_route + "," + route("SECOND.example:1", "w2", R"(,"password":"","weight":3)");
  const auto made = web.register_pools(all);
  CHECK(status_of(made) == 201);
  const auto name = name_and_error(made).first;
  CHECK(web.changed.lines() == std::vector<std::string>{name + ' '});
  CHECK(name_and_error(web.register_pools(all)).first == name);
  CHECK(name_and_error(web.ask(post("/api/v1/users", user("pool.example:3333")))).first == name);
  CHECK(name_and_error(web.register_pools(first_route)).first == name);
  const auto account = web.database.user(name);
  REQUIRE(account);
  REQUIRE(account->routes.size() == 2);
  CHECK(account->routes[1].pool == "second.example:1");
  CHECK(account->routes[1].weight == 3);

  const auto other = web.register_pools(first_route + "," + route("third.example:1"));
  CHECK(status_of(other) == 409);
  CHECK(name_and_error(other).first.empty());
  CHECK(web.database.user(name)->revision == account->revision);
  CHECK(web.database.writes == 1);
}

TEST_CASE("a malformed list of pools is answered 400, one that cannot be 404 or 422, and nothing is written") {
  web_with_pools web;
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += (i ? "," : "") + route("pool.example:3333", "u" + std::to_string(i));
  const auto second = route("second.example:1", "wallet", R"(,"password":"x")");
  for (const auto& pools : {
           std::string(), nine, first_route + "," + first_route, first_route + "," + route("POOL.example:3333", "wallet", R"(,"password":"y")"),
           std::string("\"pool.example:3333\""), route("pool.example:3333", "u", ""), route("pool.example:3333", ""),
           route("pool.example", "u"), route("pool.example:3333", "u", R"(,"password":"x","weight":-1)"),
           route("pool.example:3333", "u", R"(,"password":"x","weight":1001)"), route("pool.example:3333", "u", R"(,"password":"x","weight":0.5)"),
           route("pool.example:3333", "u", R"(,"password":"x","weight":"1")"), route("pool.example:3333", "u", R"(,"password":"x","mode":"shared")"),
           route("pool.example:3333", "u", R"(,"password":["x"])"), std::string("{}"), std::string("[]")}) {
    CAPTURE(pools);
    CHECK(status_of(web.register_pools(pools)) == 400);
  }
  CHECK(name_and_error(web.register_pools(first_route + "," + route("second.example:1", "u", R"(,"password":"x","wait":1)"))).second ==
        "unknown member pools[1].wait");
  CHECK(name_and_error(web.register_pools(route("pool.example:3333", "\\u0001"))).second == "pools[0].user contains control characters");
  CHECK(name_and_error(web.register_pools(first_route, "," + user("pool.example:3333").substr(1, user("pool.example:3333").size() - 2))).second ==
        "give either pools, or pool, user and password");
  CHECK(web.status(post("/api/v1/users", R"({"pools":null})")) == 400);
  CHECK(web.status(post("/api/v1/users", R"({"pool":"pool.example:3333","user":"u","password":"p","weight":1})")) == 400);
  CHECK(status_of(web.register_pools(first_route + "," + route("unknown.example:1"))) == 404);
  CHECK(status_of(web.register_pools(first_route + "," + route("other.example:1"))) == 422);
  CHECK(status_of(web.register_pools(first_route + "," + second, R"(,"mode":"shared")")) == 422);
  CHECK(web.database.writes == 0);
  CHECK(web.changed.lines().empty());
}

TEST_CASE("an account is shown without its passwords, and still while no worker is there") {
  web_with_pools web;
  const auto name = web.registered();
  const auto answer = web.show(name);
  CHECK(status_of(answer) == 200);
  CHECK(has_etag(answer, "1"));
  CHECK(body_of(answer) ==
        R"({"name":")" + name + R"(","revision":1,"created_at":"2026-01-02T03:04:05Z","mode":null,"pools":[)"
        R"({"pool":"pool.example:3333","user":"wallet","weight":0,"share":0,"work":0,"usable":true,"cause":"","workers":0},)"
        R"({"pool":"second.example:1","user":"w2","weight":0,"share":0,"work":0,"usable":true,"cause":"","workers":0}],)"
        R"("workers":0,"hashrate":0,"last_seen":null,"sent":0,"accepted":0,"rejected":0,"unknown":0,"difficulty_one_accepted":0,"error":""})" "\n");
  for (const std::string unknown : {"0000000000000000", "x", "canary", "../../etc", "%30"}) CHECK(status_of(web.show(unknown)) == 404);
  web.readable = false;
  CHECK(status_of(web.show(name)) == 503);
}

TEST_CASE("an account shows what its workers and routes do") {
  web_with_pools web;
  const auto name = web.registered();
  web.now.workers = {worker(name, 1e12), worker(name, 5e11, false), worker(name, 25e10), worker("ffffffffffffffff", 1)};
  web.now.workers[2].is_current = false;
  web.now.routes = {{.account = name, .pool = "pool.example:3333", .route = 0, .is_usable = false, .cause = metrics::switch_cause::lost, .work = 300},
                    {.account = name, .pool = "second.example:1", .route = 1, .workers = 1, .work = 100},
                    {.account = name, .pool = "gone.example:1", .route = 2, .work = 1e6},
                    {.account = "ffffffffffffffff", .pool = "pool.example:3333", .route = 0, .work = 1e6}};
  const auto json = json_of(web.show(name));
  CHECK(json["workers"].GetInt() == 1);
  CHECK(json["hashrate"].GetDouble() == 1.75e12);
  const auto& lost = json["pools"][0];
  CHECK(lost["share"].GetDouble() == 0.75);
  CHECK(lost["work"].GetDouble() == 300);
  CHECK_FALSE(lost["usable"].GetBool());
  CHECK(std::string(lost["cause"].GetString()) == "lost");
  CHECK(json["pools"][1]["share"].GetDouble() == 0.25);
  CHECK(json["pools"][1]["workers"].GetInt() == 1);
  CHECK(std::string(json["pools"][1]["cause"].GetString()).empty());
  CHECK(web.asked == metrics::scope::everything);
}

TEST_CASE("the only route of an account has all of its work") {
  web_with_pools web;
  const auto name = name_and_error(web.register_pools(first_route)).first;
  metrics::share_counts counts;
  counts.accepted_one = 42;
  web.now.totals = {{.account = name, .pool = "pool.example:3333", .algorithm = "sha256d", .shares = counts},
                    {.account = name, .pool = "second.example:1", .algorithm = "sha256d", .shares = counts}};
  const auto route_of = [&] { return body_of(web.show(name)); };
  CHECK(route_of().find(R"("share":0,"work":0,"usable":true,"cause":"","workers":0)") != std::string::npos);
  web.now.workers = {worker(name, 1)};
  CHECK(route_of().find(R"("share":1,"work":42,"usable":true,"cause":"","workers":1)") != std::string::npos);
}

TEST_CASE("a change of an account is answered with what it is now, and told to the proxy once") {
  web_with_pools web;
  const auto name = web.registered();
  // Passwords that the account has need not be said.
  const auto answer = web.change(name, R"({"pools":[)" + route("second.example:1", "w2", R"(,"weight":30)") + "," +
                                           route("third.example:1", "w3", R"(,"password":"p3","weight":70)") + R"(],"mode":"dedicated"})");
  CHECK(status_of(answer) == 200);
  CHECK(has_etag(answer, "2"));
  CHECK(body_of(answer) == body_of(web.show(name)));
  const auto account = *web.database.user(name);
  REQUIRE(account.routes.size() == 2);
  CHECK(account.routes[0].password == "secret");
  CHECK(account.routes[1].weight == 70);
  CHECK(account.mode == stratumproxy::link_mode::dedicated);
  CHECK(web.changed.lines() == std::vector<std::string>{name + ' ', name + ' '});

  // Not given stays; the same again is no change; null is the pools' mode.
  CHECK(has_etag(web.change(name, "{}"), "2"));
  CHECK(has_etag(web.change(name, R"({"mode":"dedicated"})"), "2"));
  CHECK(web.changed.lines().size() == 2);
  CHECK(has_etag(web.change(name, R"({"mode":null})"), "3"));
  CHECK_FALSE(web.database.user(name)->mode);
  CHECK(web.database.user(name)->routes.size() == 2);
  web.readable = false;
  CHECK(status_of(web.change(name, R"({"mode":"dedicated"})")) == 200);
}

TEST_CASE("a change that cannot be made is refused and changes nothing") {
  web_with_pools web;
  const auto name = web.registered();
  const auto other = name_and_error(web.register_pools(route("third.example:1"))).first;
  const auto before = web.database.user(name)->revision;
  const auto refused = [&](int status, const std::string& body) {
    CAPTURE(body);
    const auto answer = web.change(name, body);
    CHECK(status_of(answer) == status);
    CHECK_FALSE(name_and_error(answer).second.empty());
  };
  refused(400, "[]");
  refused(400, R"({"pools":[]})");
  refused(400, R"({"pools":[{"pool":"pool.example:3333"}]})");
  refused(400, R"({"pools":[)" + first_route + "," + first_route + "]}");
  refused(400, R"({"mode":"both"})");
  refused(400, R"({"name":"x"})");
  refused(400, user("second.example:1"));
  refused(404, R"({"pools":[)" + route("unknown.example:1") + "]}");
  refused(422, R"({"pools":[)" + first_route + "," + route("other.example:1") + "]}");
  refused(422, R"({"mode":"shared"})");
  refused(409, R"({"pools":[)" + route("third.example:1") + "]}");
  refused(409, R"({"pools":[)" + route("third.example:1", "new", "") + "]}");
  CHECK(status_of(web.change("0000000000000000", "{}")) == 404);
  CHECK(web.database.user(name)->revision == before);
  CHECK(web.database.user(other)->routes.size() == 1);
  CHECK(web.changed.lines().size() == 2);
}

TEST_CASE("with If-Match a change is made only to the revision that it was meant for") {
  web_with_pools web;
  const auto name = web.registered();
  const std::string mode = R"({"mode":"dedicated"})";
  const auto outdated = web.change(name, mode, "If-Match: \"7\"\r\n");
  CHECK(status_of(outdated) == 412);
  CHECK_FALSE(name_and_error(outdated).second.empty());
  CHECK(web.database.user(name)->revision == 1);
  for (const std::string malformed : {"1", "\"\"", "\"", "\"1", "\"1\", \"2\"", "\"x\"", "\"-1\"", "\"99999999999999999999\""}) {
    CAPTURE(malformed);
    CHECK(status_of(web.change(name, mode, "If-Match: " + malformed + "\r\n")) == 400);
  }
  CHECK(has_etag(web.change(name, mode, "If-Match: \"1\"\r\n"), "2"));
  CHECK(has_etag(web.change(name, R"({"mode":null})", "If-Match: *\r\n"), "3"));
  CHECK(has_etag(web.change(name, mode, "If-Match: W/\"3\"\r\n"), "4"));  // as a reverse proxy that compresses leaves it
  CHECK(status_of(web.change("0000000000000000", mode, "If-Match: \"1\"\r\n")) == 404);
}

TEST_CASE("an account is removed once, and not where If-Match has another revision") {
  web_with_pools web;
  const auto name = web.registered();
  CHECK(status_of(web.remove(name, "If-Match: 1\r\n")) == 400);
  CHECK(status_of(web.remove(name, "If-Match: \"7\"\r\n")) == 412);
  CHECK(status_of(web.remove("0000000000000000", "If-Match: \"7\"\r\n")) == 404);
  const auto answer = web.remove(name, "If-Match: \"1\"\r\n");
  CHECK(status_of(answer) == 200);
  CHECK(name_and_error(answer) == std::pair<std::string, std::string>(name, ""));
  CHECK(web.changed.lines() == std::vector<std::string>{name + ' ', name + ' '});
  CHECK(status_of(web.remove(name)) == 404);
  CHECK(status_of(web.show(name)) == 404);
  CHECK(web.changed.lines().size() == 2);
  web.database.down = true;
  CHECK(status_of(web.remove(name)) == 503);
  CHECK(status_of(web.show(name)) == 503);
}

TEST_CASE("with a token accounts can be registered, but neither seen nor changed nor removed without it") {
  web_with_pools web("a-good-token");
  const auto name = web.registered();
  CHECK(name.size() == 16);
  CHECK(status_of(web.show(name)) == 401);
  CHECK(status_of(web.change(name, "{}")) == 401);
  CHECK(status_of(web.remove(name)) == 401);
  CHECK(status_of(web.remove("0000000000000000")) == 401);
  CHECK(web.status(get("/api/v1/users/" + name, "Authorization: Bearer a-good-token\r\n")) == 200);
  CHECK(web.status(post("/api/v1/users/" + name, "{}", "Authorization: Bearer a-good-token\r\n", "PATCH")) == 200);
}
