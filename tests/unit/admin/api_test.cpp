#include <catch2/catch.hpp>

#include <rapidjson/document.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "served_api.hpp"

using namespace stratumproxyd;
using namespace stratumproxy::test;

TEST_CASE("a user is registered, and found again by POST and PUT") {
  served_api web;
  const auto first = web.ask(post("/api/v1/users", user("pool.example:3333")));
  CHECK(status_of(first) == 201);
  const auto [name, error] = name_and_error(first);
  CHECK(name.size() == 16);
  CHECK(error.empty());
  CHECK(web.changed.lines() == std::vector<std::string>{name + ' '});
  for (const std::string method : {"POST", "PUT"}) {
    const auto again = web.ask(post("/api/v1/users", user("POOL.Example:3333"), "", method));
    CHECK(status_of(again) == 201);
    CHECK(name_and_error(again).first == name);
  }
  CHECK(name_and_error(web.ask(post("/api/v1/users", user("pool.example:3333", "wallet", "other")))).first != name);
}

TEST_CASE("curl's default content type is taken, others are not") {
  served_api web;
  const auto body = user("pool.example:3333");
  const auto with = [&](const std::string& type) {
    return web.status("POST /api/v1/users HTTP/1.1\r\nHost: localhost\r\n" + (type.empty() ? type : "Content-Type: " + type + "\r\n") +
                      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  };
  CHECK(with("application/json; charset=utf-8") == 201);
  CHECK(with("application/json ; charset=utf-8") == 201);
  CHECK(with("application/x-www-form-urlencoded") == 201);
  CHECK(with("") == 201);
  CHECK(with("text/plain") == 415);
  CHECK(with("multipart/form-data; boundary=x") == 415);
}

TEST_CASE("every form of host is taken") {
  served_api web;
  const std::vector<std::pair<std::string, std::string>> hosts = {
      {"EU.Stratum.Example:1", "eu.stratum.example:1"}, {"localhost:65535", "localhost:65535"}, {"10.0.0.1:3333", "10.0.0.1:3333"},
      {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443"},   {"pool.xn--p1ai:8080", "pool.xn--p1ai:8080"}};
  for (const auto& [sent, kept] : hosts) {
    const auto answer = web.ask(post("/api/v1/pools", R"({"pool":")" + sent + R"(","algorithm":"scrypt"})"));
    CHECK(status_of(answer) == 201);
    CHECK(name_and_error(answer).first == kept);
    CHECK(web.users(user(sent)) == 201);
  }
}

TEST_CASE("a malformed registration is answered 400 and writes nothing") {
  served_api web;
  for (const std::string pool : {"", "pool.example", "pool.example:", "pool.example:0", "pool.example:65536", "pool.example:-1", ":3333",
                                 "2001:db8::1:443", "[2001:db8::1]", "[::g]:1", "256.1.1.1:1", "1.2.3:1", "a b:1", "-a.example:1",
                                 "a..example:1", "stratum+tcp://pool.example:1", "pool.example:3333/x", "p\\u00f6ol.example:1",
                                 "pool.example:+333", "pool.example:1e3"}) {
    CAPTURE(pool);
    CHECK(web.users(user(pool)) == 400);
  }
  CHECK(web.users(user("pool.example:3333", "")) == 400);
  CHECK(web.users(user("pool.example:3333", std::string(257, 'u'))) == 400);
  CHECK(web.users(user("pool.example:3333", "u", std::string(257, 'p'))) == 400);
  CHECK(web.users(user("pool.example:3333", "a\\nb")) == 400);
  CHECK(web.users(user("pool.example:3333", "a\\u0000b")) == 400);
  CHECK(web.users(user("pool.example:3333", "u", "a\\u007fb")) == 400);
  CHECK(web.users(user("pool.example:3333", "u", "a\\u0085b")) == 400);
  for (const std::string body :
       {"", "{", "[]", "null", R"({"pool":5,"user":"u","password":"p"})", R"({"pool":"pool.example:3333","user":null,"password":"p"})",
        R"({"pool":"pool.example:3333","user":"u"})", R"({"pool":"pool.example:3333","password":"p"})", R"({"user":"u","password":"p"})",
        R"({"pool":"pool.example:3333","user":"u","password":"p","is_admin":true})",
        R"({"pool":"pool.example:3333","user":"u","user":"v","password":"p"})", "{\"pool\":\"\xff\",\"user\":\"u\",\"password\":\"p\"}"}) {
    CAPTURE(body);
    const auto answer = web.ask(post("/api/v1/users", body));
    CHECK(status_of(answer) == 400);
    const auto [name, error] = name_and_error(answer);
    CHECK(name.empty());
    CHECK_FALSE(error.empty());
  }
  CHECK(web.database.writes == 0);
}

TEST_CASE("longest user and password are taken") {
  served_api web;
  CHECK(web.users(user("pool.example:3333", std::string(256, 'u'), std::string(256, 'p'))) == 201);
  CHECK(web.users(user("pool.example:3333", "w\u00e4llet", "")) == 201);
}

TEST_CASE("an unknown pool is 404, one of another dialect 422") {
  served_api web;
  CHECK(web.users(user("unknown.example:1")) == 404);
  CHECK(web.status(post("/api/v1/algorithms", R"({"name":"my-equihash","divider":1,"dialect":"zcash"})")) == 201);
  CHECK(web.status(post("/api/v1/pools", R"({"pool":"zec.example:1","algorithm":"my-equihash"})")) == 201);
  const auto answer = web.ask(post("/api/v1/users", user("zec.example:1")));
  CHECK(status_of(answer) == 422);
  CHECK(name_and_error(answer).second == "this dialect is not built");
}

TEST_CASE("algorithms are listed and added; a given value that is another is a conflict") {
  served_api web;
  const auto add = [&](const std::string& body) { return web.status(post("/api/v1/algorithms", body)); };
  CHECK(add(R"({"name":"New-Algo","divider":256,"aliases":["na"],"coinb1_index":3})") == 201);
  CHECK(add(R"({"name":"new-algo","divider":256})") == 201);
  CHECK(add(R"({"name":"new-algo","divider":1})") == 409);
  CHECK(add(R"({"name":"new-algo","divider":256,"coinb1_index":2})") == 409);
  CHECK(add(R"({"name":"new-algo","divider":256,"dialect":"zcash"})") == 409);

  rapidjson::Document json;
  const auto body = body_of(web.ask(get("/api/v1/algorithms")));
  json.Parse(body.c_str());
  REQUIRE(json.IsObject());
  CHECK(std::string(json["error"].GetString()).empty());
  bool seen = false;
  for (const auto& row : json["algorithms"].GetArray()) {
    if (std::string(row["name"].GetString()) != "new-algo") continue;
    seen = true;
    CHECK(row["divider"].GetInt() == 256);
    CHECK(row["coinb1_index"].GetInt() == 3);
    CHECK(std::string(row["dialect"].GetString()) == "bitcoin");
    CHECK(std::string(row["aliases"][0].GetString()) == "na");
  }
  CHECK(seen);

  for (const std::string bad : {R"({"name":"x"})", R"({"divider":1})", R"({"name":"x","divider":0})", R"({"name":"x","divider":-1})",
                                R"({"name":"x","divider":"1"})", R"({"name":"x","divider":1e999})", R"({"name":"","divider":1})",
                                R"({"name":"a b","divider":1})", R"({"name":"x","divider":1,"dialect":"klingon"})",
                                R"({"name":"x","divider":1,"coinb1_index":1.5})", R"({"name":"x","divider":1,"coinb1_index":99})",
                                R"({"name":"x","divider":1,"aliases":"y"})", R"({"name":"x","divider":1,"aliases":[""]})"}) {
    CAPTURE(bad);
    CHECK(add(bad) == 400);
  }
}

TEST_CASE("pools are listed and added; an unknown algorithm is 404, another one a conflict") {
  served_api web;
  const auto add = [&](const std::string& body) { return web.status(post("/api/v1/pools", body)); };
  CHECK(add(R"({"pool":"[::1]:3333","algorithm":"scrypt","divider":0.5,"login_template":"{account}_{rig}","reconnect_hosts":["B.example"]})") == 201);
  CHECK(add(R"({"pool":"pool.example:3333","algorithm":"sha256d"})") == 201);
  CHECK(add(R"({"pool":"pool.example:3333","algorithm":"scrypt"})") == 409);
  CHECK(add(R"({"pool":"[::1]:3333","algorithm":"scrypt"})") == 201);
  CHECK(add(R"({"pool":"[::1]:3333","algorithm":"scrypt","divider":0.25})") == 409);
  CHECK(add(R"({"pool":"[::1]:3333","algorithm":"scrypt","login_template":"{user}.{rig}"})") == 409);
  CHECK(add(R"({"pool":"[::1]:3333","algorithm":"scrypt","reconnect_hosts":["c.example"]})") == 409);
  CHECK(add(R"({"pool":"pool.example:3334","algorithm":"no-such"})") == 404);
  for (const std::string bad : {R"({"pool":"x:1"})", R"({"algorithm":"scrypt"})", R"({"pool":"x","algorithm":"scrypt"})",
                                R"({"pool":"x:1","algorithm":"scrypt","divider":0})", R"({"pool":"x:1","algorithm":"scrypt","login_template":""})",
                                R"({"pool":"x:1","algorithm":"scrypt","login_template":"{password}"})",
                                R"({"pool":"x:1","algorithm":"scrypt","login_template":"{user"})",
                                R"({"pool":"x:1","algorithm":"scrypt","reconnect_hosts":["a:1"]})"}) {
    CAPTURE(bad);
    CHECK(add(bad) == 400);
  }
  const auto list = body_of(web.ask(get("/api/v1/pools")));
  CHECK(list.find(R"({"pool":"[::1]:3333","algorithm":"scrypt","divider":0.5,"login_template":"{account}_{rig}","reconnect_hosts":["b.example"])") !=
        std::string::npos);
}

TEST_CASE("what a pool says of its links is listed, taken over from the row, and in conflict when it is another") {
  served_api web;
  const auto add = [&](const std::string& more) {
    return web.status(post("/api/v1/pools", R"({"pool":"links.example:1","algorithm":"SHA256")" + more + "}"));
  };
  std::string fingerprint;
  for (int i = 0; i < 32; ++i) fingerprint += i > 0 ? ":AB" : "AB";
  CHECK(add(R"(,"mode":"shared","verify":"full","vardiff":true,"rig_logins":true,"tls":"pin","tls_fingerprint":")" + fingerprint +
            "\"") == 201);
  CHECK(add("") == 201);
  CHECK(add(R"(,"mode":"shared","fixed_difficulty":false)") == 201);
  CHECK(add(R"(,"mode":"dedicated")") == 409);
  CHECK(add(R"(,"vardiff":false)") == 409);
  CHECK(add(R"(,"vardiff":false,"fixed_difficulty":true)") == 409);
  CHECK(add(R"(,"verify":"off","vardiff":false,"mode":"dedicated")") == 409);
  CHECK(add(R"(,"rig_logins":false)") == 409);
  CHECK(add(R"(,"tls":"insecure")") == 409);
  const auto list = body_of(web.ask(get("/api/v1/pools")));
  CHECK(list.find(R"("mode":"shared","verify":"full","vardiff":true,"fixed_difficulty":false,"rig_logins":true,"tls":"pin",)"
                  R"("tls_fingerprint":"abababababababababababababababababababababababababababababababab","source")") !=
        std::string::npos);
  CHECK(list.find(R"({"pool":"pool.example:3333","algorithm":"sha256d","login_template":"{user}.{rig}","reconnect_hosts":[],)"
                  R"("mode":"dedicated","verify":"basic","vardiff":false,"fixed_difficulty":false,"rig_logins":false,"tls":"off",)"
                  R"("tls_fingerprint":"","source":"")") !=
        std::string::npos);
  for (const std::string bad : {R"("mode":"both")", R"("mode":true)", R"("mode":null)", R"("verify":"yes")", R"("verify":1)",
                                R"("vardiff":1)", R"("vardiff":"true")", R"("fixed_difficulty":null)", R"("rig_logins":[])", R"("tls":"on")", R"("tls":true)",
                                R"("tls_fingerprint":"ab")"}) {
    CAPTURE(bad);
    CHECK(add("," + bad) == 400);
  }
}

TEST_CASE("a pool with values that do not go together is 422 with the reason, and not written") {
  served_api web;
  const auto refused = [&](const std::string& algorithm, const std::string& more) {
    const auto answer = web.ask(post("/api/v1/pools", R"({"pool":"x.example:1","algorithm":")" + algorithm + "\"," + more + "}"));
    CHECK(status_of(answer) == 422);
    return name_and_error(answer).second;
  };
  CHECK(refused("sha256d", R"("mode":"shared")") == "mode shared needs verify = full, or fixed_difficulty = true");
  CHECK(refused("sha256d", R"("vardiff":true)") == "vardiff needs verify = full");
  CHECK(refused("sha256d", R"("verify":"full","vardiff":true,"fixed_difficulty":true)") == "vardiff and fixed_difficulty exclude each other");
  CHECK(refused("x11", R"("verify":"full")") == "no hash function is known for x11: verify can be basic or off");
  CHECK(refused("x11", R"("mode":"shared")") == "no hash function is known for x11: mode shared needs fixed_difficulty = true");
  CHECK(web.database.writes == 0);
  CHECK(web.status(post("/api/v1/pools", R"({"pool":"x.example:1","algorithm":"no-such","mode":"shared"})")) == 404);
  CHECK(web.status(post("/api/v1/pools", R"({"pool":"x.example:1","algorithm":"x11","mode":"shared","fixed_difficulty":true})")) == 201);
}

TEST_CASE("an account may have a mode of its own, which later requests neither change nor hide") {
  served_api web;
  CHECK(web.status(post("/api/v1/pools", R"({"pool":"checked.example:1","algorithm":"scrypt","verify":"full"})")) == 201);
  const auto register_with = [&](const std::string& pool, const std::string& mode) {
    return web.ask(post("/api/v1/users", R"({"pool":")" + pool + R"(","user":"u","password":"p","mode":)" + mode + "}"));
  };
  const auto first = register_with("checked.example:1", "\"shared\"");
  CHECK(status_of(first) == 201);
  CHECK(register_with("checked.example:1", "\"shared\"") == first);
  CHECK(name_and_error(web.ask(post("/api/v1/users", user("checked.example:1", "u", "p")))) == name_and_error(first));
  const auto other = register_with("checked.example:1", "\"dedicated\"");
  CHECK(status_of(other) == 409);
  CHECK(name_and_error(other) == std::pair<std::string, std::string>("", "the account is there with another mode"));
  CHECK(status_of(register_with("pool.example:3333", "\"shared\"")) == 422);
  CHECK(status_of(register_with("pool.example:3333", "\"dedicated\"")) == 201);
  CHECK(status_of(register_with("pool.example:3333", "\"both\"")) == 400);
  CHECK(status_of(register_with("pool.example:3333", "null")) == 400);
}

TEST_CASE("with a token the tables are closed and registration stays open") {
  served_api web("a-good-token");
  CHECK(web.status(get("/api/v1/pools")) == 401);
  CHECK(web.status(get("/api/v1/pools?token=a-good-token")) == 401);
  CHECK(web.status(post("/api/v1/algorithms", R"({"name":"x","divider":1})")) == 401);
  CHECK(web.users(user("pool.example:3333")) == 201);
  CHECK(web.status(get("/metrics")) == 200);
  const std::string good = "Authorization: Bearer a-good-token\r\n";
  CHECK(web.status(get("/api/v1/pools", good)) == 200);
  CHECK(web.status(get("/api/v1/config", good)) == 404);
  CHECK(web.status(get("/api/v1/users/..%2f..%2fetc%2fpasswd", good)) == 404);
  CHECK(web.status(get("/api/v1/users/a%0d%0aSet-Cookie:x=1", good)) == 404);
  CHECK(web.status(post("/api/v1/users", "{}", good, "PATCH")) == 405);
  const auto cross = web.ask(post("/api/v1/pools", "{}", good + "Origin: https://evil.example\r\n"));
  CHECK(status_of(cross) == 403);
  CHECK(cross.find("Access-Control") == std::string::npos);
}

TEST_CASE("while the database is away the API says so, and health and metrics go on") {
  served_api web;
  web.database.down = true;
  for (const auto& request : {post("/api/v1/users", user("pool.example:3333")), get("/api/v1/pools"), get("/api/v1/algorithms"),
                              post("/api/v1/pools", R"({"pool":"x:1","algorithm":"scrypt"})")}) {
    const auto answer = web.ask(request);
    CHECK(status_of(answer) == 503);
    CHECK(answer.find("Retry-After: ") != std::string::npos);
    CHECK_FALSE(name_and_error(answer).second.empty());
  }
  const auto health = web.ask(get("/healthz"));
  CHECK(status_of(health) == 200);
  CHECK(body_of(health) == "{\"status\":\"ok\",\"db\":\"down\"}\n");
  CHECK(web.status(get("/readyz")) == 503);
  CHECK(web.status(get("/metrics")) == 200);
  web.database.down = false;
  CHECK(web.status(get("/readyz")) == 200);
  web.database.taken = true;
  CHECK(web.ask(get("/readyz")).find("tag") != std::string::npos);
  CHECK(web.status(get("/readyz")) == 503);
  web.database.taken = false;
  web.ready = false;
  CHECK(web.status(get("/readyz")) == 503);
}

TEST_CASE("counters that cannot be read are no page") {
  served_api web;
  web.page.reset();
  CHECK(web.status(get("/metrics")) == 503);
}

TEST_CASE("a long unknown member is named up to a whole character") {
  served_api web;
  const auto answer = web.ask(post("/api/v1/users", R"({")" + std::string(63, 'a') + "\xc3\xa4\":1," + user("pool.example:3333").substr(1)));
  CHECK(status_of(answer) == 400);
  CHECK(name_and_error(answer).second == "unknown member " + std::string(63, 'a'));
}

TEST_CASE("metrics have the content type of the text format") {
  served_api web;
  CHECK(web.ask(get("/metrics")).find("Content-Type: text/plain; version=0.0.4\r\n") != std::string::npos);
}

TEST_CASE("what the database says is shown to nobody") {
  served_api web;
  web.database.broken = true;
  const auto answer = web.ask(post("/api/v1/users", user("pool.example:3333", "u", "canary-secret")));
  CHECK(status_of(answer) == 500);
  CHECK(answer.find("canary") == std::string::npos);
  CHECK(web.log.text() == "http_failed /api/v1/users\n");
}

TEST_CASE("a hundred equal registrations at once give one name") {
  served_api web;
  std::vector<std::string> names(100);
  std::vector<std::thread> threads;
  for (int t = 0; t < 10; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = static_cast<std::size_t>(t) * 10; i < static_cast<std::size_t>(t + 1) * 10; ++i)
        names[i] = body_of(web.ask(post("/api/v1/users", user("pool.example:3333"))));
    });
  for (auto& thread : threads) thread.join();
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == 1);
  CHECK(web.database.writes == 1);
}
