#include <catch2/catch.hpp>

#include <string>

#include "served_api.hpp"

namespace {

using namespace stratumproxy::test;

constexpr const char* pool_path = "/api/v1/pools/pool.example:3333";

std::string patch(const std::string& path, const std::string& body, const std::string& headers = "") {
  return post(path, body, headers, "PATCH");
}

std::string removal(const std::string& path, const std::string& headers = "") {
  return "DELETE " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + "\r\n";
}

std::string etag_of(const std::string& answer) {
  const auto at = answer.find("ETag: ");
  REQUIRE(at != std::string::npos);
  return answer.substr(at + 6, answer.find('\r', at) - at - 6);
}

std::string error_of(const std::string& answer) { return name_and_error(answer).second; }

}  // namespace

TEST_CASE("a pool is shown by its address, in any spelling") {
  served_api web;
  web.database.add_pool(tester, 
      {.pool = "[2001:db8::1]:443", .algorithm = "scrypt", .divider = 2.5, .reconnect_hosts = {}, .source = {}});
  const auto answer = web.ask(get(pool_path));
  CHECK(status_of(answer) == 200);
  CHECK(
      body_of(answer) ==
      R"({"pool":"pool.example:3333","algorithm":"sha256d","login_template":"{user}.{rig}","reconnect_hosts":[],"mode":"dedicated",)"
      R"("verify":"basic","vardiff":false,"fixed_difficulty":false,"rig_logins":false,"tls":"off","tls_fingerprint":"","source":"",)"
      R"("error":""})"
      "\n");
  CHECK(etag_of(answer).size() == 18);
  CHECK(etag_of(web.ask(get("/api/v1/pools/POOL.example%3A3333"))) == etag_of(answer));
  for (const std::string path : {"[2001:db8::1]:443", "%5b2001:db8:0::1%5D%3a443"})
    CHECK(json_of(web.ask(get("/api/v1/pools/" + path)))["divider"].GetDouble() == 2.5);
  CHECK(web.status(get("/api/v1/pools/unknown.example:1")) == 404);
  for (const std::string bad : {"pool.example", "pool.example:0", "2001:db8::1:443"})
    CHECK(web.status(get("/api/v1/pools/" + bad)) == 400);
  CHECK(web.status(get("/api/v1/pools/a%20b:1")) == 404);
}

TEST_CASE("a pool is changed by what is given, while it is as the one who changes it has seen it") {
  served_api web;
  const auto seen = etag_of(web.ask(get(pool_path)));
  const auto changed = web.ask(patch(
      pool_path, R"({"divider":2,"login_template":"{user}","reconnect_hosts":["B.example"],"verify":"full","vardiff":true})",
      "If-Match: " + seen + "\r\n"));
  CHECK(status_of(changed) == 200);
  const auto row = json_of(changed);
  CHECK(row["divider"].GetDouble() == 2);
  CHECK(row["login_template"] == "{user}");
  CHECK(row["reconnect_hosts"][0] == "b.example");
  CHECK(row["verify"] == "full");
  CHECK(row["vardiff"].GetBool());
  CHECK(row["algorithm"] == "sha256d");
  CHECK(etag_of(changed) != seen);
  CHECK(web.status(patch(pool_path, R"({"vardiff":false})", "If-Match: " + seen + "\r\n")) == 412);
  CHECK(web.status(patch(pool_path, R"({"vardiff":false})", "If-Match: 7\r\n")) == 400);
  CHECK(json_of(web.ask(get(pool_path)))["vardiff"].GetBool());
  const auto later =
      json_of(web.ask(patch(pool_path, R"({"divider":null,"reconnect_hosts":[],"algorithm":"SHA256"})", "If-Match: *\r\n")));
  CHECK_FALSE(later.HasMember("divider"));
  CHECK(later["reconnect_hosts"].Size() == 0);
  CHECK(later["algorithm"] == "sha256d");
  CHECK(later["vardiff"].GetBool());
}

TEST_CASE("a change of a pool that cannot be is refused") {
  served_api web;
  for (const std::string body :
       {R"({"pool":"other.example:1"})", R"({"divider":0})", R"({"divider":"1"})", R"({"login_template":""})",
        R"({"login_template":"{x}"})", R"({"reconnect_hosts":["a:1"]})", R"({"reconnect_hosts":"a"})", R"({"mode":"both"})",
        R"({"mode":null})", R"({"verify":true})", "[]", "{"}) {
    CAPTURE(body);
    CHECK(web.status(patch(pool_path, body)) == 400);
  }
  CHECK(web.status(patch(pool_path, R"({"algorithm":"none"})")) == 404);
  CHECK(web.status(patch("/api/v1/pools/unknown.example:1", "{}")) == 404);
  const auto fault = web.ask(patch(pool_path, R"({"mode":"shared"})"));
  CHECK(status_of(fault) == 422);
  CHECK(error_of(fault) == "pool pool.example:3333: mode shared needs verify = full, or fixed_difficulty = true");
  CHECK(web.database.writes == 0);
}

TEST_CASE("pools and algorithms that nothing needs are removed, others are not") {
  served_api web;
  REQUIRE(web.users(user("pool.example:3333")) == 201);
  const auto used = web.ask(removal(pool_path));
  CHECK(status_of(used) == 409);
  CHECK(error_of(used).starts_with("accounts have the pool: "));
  CHECK(web.status(removal("/api/v1/algorithms/sha256d")) == 409);
  REQUIRE(web.status(post("/api/v1/pools", R"({"pool":"spare.example:1","algorithm":"x13"})")) == 201);
  const auto stale = etag_of(web.ask(get("/api/v1/pools/spare.example:1")));
  REQUIRE(web.status(patch("/api/v1/pools/spare.example:1", R"({"divider":3})")) == 200);
  CHECK(web.status(removal("/api/v1/pools/spare.example:1", "If-Match: " + stale + "\r\n")) == 412);
  CHECK(name_and_error(web.ask(removal("/api/v1/pools/SPARE.example:1"))) ==
        std::pair<std::string, std::string>("spare.example:1", ""));
  CHECK(web.status(removal("/api/v1/pools/spare.example:1")) == 404);
  CHECK(web.status(removal("/api/v1/algorithms/x13")) == 200);
  CHECK(web.status(get("/api/v1/algorithms/x13")) == 404);
  CHECK(web.status(removal("/api/v1/algorithms/x13")) == 404);
}

TEST_CASE("an algorithm is shown and changed by its name") {
  served_api web;
  REQUIRE(web.status(post("/api/v1/algorithms", R"({"name":"new/1+","divider":256,"aliases":["n"]})")) == 201);
  const std::string path = "/api/v1/algorithms/new%2F1+";
  const auto shown = web.ask(get(path));
  CHECK(body_of(shown) ==
        R"({"name":"new/1+","aliases":["n"],"divider":256,"dialect":"bitcoin","coinb1_index":2,"source":"","error":""})"
        "\n");
  const auto changed =
      web.ask(patch(path, R"({"divider":2.5,"aliases":["N1","n2"],"coinb1_index":3})", "If-Match: " + etag_of(shown) + "\r\n"));
  CHECK(body_of(changed) ==
        R"({"name":"new/1+","aliases":["n1","n2"],"divider":2.5,"dialect":"bitcoin","coinb1_index":3,"source":"","error":""})"
        "\n");
  CHECK(web.status(patch(path, R"({"divider":1})", "If-Match: " + etag_of(shown) + "\r\n")) == 412);
  for (const std::string body :
       {R"({"name":"x"})", R"({"divider":null})", R"({"aliases":["a b"]})", R"({"dialect":"none"})", R"({"coinb1_index":9})"}) {
    CAPTURE(body);
    CHECK(web.status(patch(path, body)) == 400);
  }
  CHECK(web.status(patch("/api/v1/algorithms/none", "{}")) == 404);
}

TEST_CASE("with a token rows are neither shown nor changed without it") {
  served_api web("a-good-token");
  for (const auto& request : {get(pool_path), patch(pool_path, "{}"), removal(pool_path), get("/api/v1/algorithms/x13"),
                              patch("/api/v1/algorithms/x13", "{}"), removal("/api/v1/algorithms/x13"), get("/api/v1/export"),
                              post("/api/v1/import", "{}")}) {
    CAPTURE(request);
    CHECK(web.status(request) == 401);
  }
}

TEST_CASE("an export is imported as it is, elsewhere and here, where it changes nothing") {
  served_api here, there;
  here.database.add_pool(tester, {.pool = "[2001:db8::1]:443",
                          .algorithm = "scrypt",
                          .divider = 2.5,
                          .reconnect_hosts = {"a.example"},
                          .tls = {},
                          .source = "a page"});
  const auto document = body_of(here.ask(get("/api/v1/export")));
  const auto first = json_of(there.ask(post("/api/v1/import", document)));
  CHECK(first["created"].GetInt() == 1);
  CHECK(body_of(there.ask(get("/api/v1/export"))) == document);
  CHECK(document.find(R"("divider":null)") != std::string::npos);
  CHECK(document.find(R"("source":"a page")") != std::string::npos);
  CHECK(here.status(post("/api/v1/import", R"({"algorithms":[],"pools":[]})")) == 200);
}

TEST_CASE("an import with a row that cannot be changes nothing, and the row is named") {
  served_api web;
  const std::string good = R"({"pool":"new.example:1","algorithm":"sha256d"})";
  const auto refused = [&](int status, const std::string& rows) {
    const auto answer = web.ask(post("/api/v1/import", R"({"pools":[)" + good + "," + rows + "]}"));
    CHECK(status_of(answer) == status);
    CHECK(web.status(get("/api/v1/pools/new.example:1")) == 404);
    return error_of(answer);
  };
  CHECK(refused(404, R"({"pool":"b.example:1","algorithm":"none"})") == "pool b.example:1: unknown algorithm");
  CHECK(refused(422, R"({"pool":"b.example:1","algorithm":"x13","vardiff":true})").starts_with("pool b.example:1: "));
  CHECK(refused(400, good) == "new.example:1 appears twice");
  CHECK(refused(400, R"({"pool":"b.example:1"})") == "pool b.example:1: algorithm is missing");
  CHECK(refused(400, R"({"algorithm":"x13"})") == "pools[1].pool is missing");
  CHECK(refused(400, R"({"pool":"b.example:1","algorithm":"x13","password":"x"})") == "unknown member pools[1].password");
  for (const std::string body : {R"({"users":[]})", R"({"pools":{}})", R"({"pools":["a"]})", R"({"algorithms":[{"name":"x"}]})",
                                 R"({"algorithms":[{"name":"x y","divider":1}]})", R"({"error":"x"})", "[]", ""}) {
    CAPTURE(body);
    CHECK(web.status(post("/api/v1/import", body)) == 400);
  }
}

TEST_CASE("an import may be as large as an export of all that is taken, and no larger than 4 MiB") {
  served_api web;
  std::string rows;
  for (int i = 0; i < 10'000; ++i)
    rows += (i > 0 ? "," : "") + (R"({"pool":"p)" + std::to_string(i) + R"(.example:1","algorithm":"sha256d","source":")" +
                                  std::string(200, 's') + R"("})");
  const auto answer = web.ask(post("/api/v1/import", R"({"pools":[)" + rows + "]}"));
  CHECK(status_of(answer) == 200);
  CHECK(json_of(answer)["created"].GetInt() == 10'000);
  const auto large = web.ask(post("/api/v1/import", std::string(4 * 1'048'576 + 1, ' ')));
  CHECK(status_of(large) == 413);
  CHECK(error_of(large) == "the body is larger than 4194304 bytes");
}
