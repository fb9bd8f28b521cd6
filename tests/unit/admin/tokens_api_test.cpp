#include <catch2/catch.hpp>

#include <rapidjson/document.h>

#include <string>
#include <vector>

#include "served_api.hpp"

using namespace stratumproxyd;
using namespace stratumproxy::test;

namespace {

constexpr const char* file_token = "the-token-of-the-file-0123456789";

std::string bearer(const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; }

std::string remove(const std::string& path, const std::string& headers = "") {
  return "DELETE " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + "\r\n";
}

std::string token_body(const std::string& name, const std::string& role = "admin") {
  return R"({"name":")" + name + R"(","role":")" + role + R"("})";
}

/// Makes one; its text.
std::string make(served_api& web, const std::string& name, const std::string& role, const std::string& as = file_token) {
  const auto answer = web.ask(post("/api/v1/tokens", token_body(name, role), bearer(as)));
  CAPTURE(answer);
  REQUIRE(status_of(answer) == 201);
  const auto json = json_of(answer);
  CHECK(json["name"].GetString() == name);
  CHECK(json["role"].GetString() == role);
  CHECK(std::string(json["error"].GetString()).empty());
  return json["token"].GetString();
}

/// "actor action subject detail" of each entry.
std::vector<std::string> entries(served_api& web, const std::string& query = "", std::string* next = nullptr) {
  const auto json = json_of(web.ask(get("/api/v1/audit" + query, bearer(file_token))));
  std::vector<std::string> out;
  for (const auto& each : json["audit"].GetArray()) {
    CHECK(std::string(each["address"].GetString()) == "127.0.0.1");
    auto& line = out.emplace_back();
    for (const char* name : {"actor", "action", "subject", "detail"})
      line.append(line.empty() ? "" : " ").append(each[name].GetString());
  }
  if (next) *next = json["next"].GetString();
  return out;
}

}  // namespace

TEST_CASE("a token is shown once, works at once with its role, and ends at once") {
  served_api web(file_token);
  const auto answer = web.ask(post("/api/v1/tokens", token_body("boss"), bearer(file_token)));
  CHECK(answer.find("Cache-Control: no-store") != std::string::npos);
  const std::string boss = json_of(answer)["token"].GetString();
  const auto reader = make(web, "eyes", "read-only", boss);
  const auto clerk = make(web, "desk", "register-only", boss);

  CHECK(web.status(get("/api/v1/pools", bearer(reader))) == 200);
  CHECK(web.status(post("/api/v1/pools", "{}", bearer(reader))) == 403);
  CHECK(web.status(get("/api/v1/pools", bearer(clerk))) == 403);
  CHECK(web.status(get("/api/v1/pools")) == 401);

  const auto list = web.ask(get("/api/v1/tokens", bearer(reader)));
  for (const auto& secret : {boss, reader, clerk, token_hash(boss), token_hash(reader), std::string(file_token)})
    CHECK(list.find(secret) == std::string::npos);
  const auto json = json_of(list);
  REQUIRE(json["tokens"].Size() == 3);
  CHECK(std::string(json["tokens"][0]["name"].GetString()) == "boss");
  CHECK(std::string(json["tokens"][0]["role"].GetString()) == "admin");
  CHECK(std::string(json["tokens"][0]["created_at"].GetString()) == "2026-01-02T03:04:05Z");
  CHECK(json["tokens"][0]["last_used_at"].IsNull());

  CHECK(web.status(remove("/api/v1/tokens/eyes", bearer(reader))) == 403);
  CHECK(web.status(remove("/api/v1/tokens/eyes", bearer(boss))) == 200);
  CHECK(web.status(get("/api/v1/pools", bearer(reader))) == 401);
  CHECK(web.status(remove("/api/v1/tokens/eyes", bearer(boss))) == 404);
  CHECK(web.status(remove("/api/v1/tokens/boss", bearer(boss))) == 200);  // there is the file's
}

TEST_CASE("a token needs a good name and a role, and a name of its own") {
  served_api web(file_token);
  const auto status = [&](const std::string& body) { return web.status(post("/api/v1/tokens", body, bearer(file_token))); };
  for (const std::string name : {"", "a b", "a/b", "\\u00e4", "open", "token-file", "automatic", "a.b"})
    CHECK(status(token_body(name)) == 400);
  CHECK(status(token_body(std::string(65, 'n'))) == 400);
  CHECK(status(token_body(std::string(64, 'n'))) == 201);
  for (const std::string role : {"", "root", "Admin", "read_only"}) CHECK(status(token_body("x", role)) == 400);
  for (const std::string body : {R"({"name":"x"})", R"({"role":"admin"})", R"({"name":"x","role":"admin","token":"mine"})"})
    CHECK(status(body) == 400);
  make(web, "x", "admin");
  CHECK(status(token_body("x", "read-only")) == 409);
}

TEST_CASE("the first token closes an open server, so it is an admin's, and the last admin's stays") {
  served_api web;
  CHECK(web.status(get("/api/v1/tokens")) == 200);
  CHECK(web.status(post("/api/v1/tokens", token_body("eyes", "read-only"))) == 409);
  CHECK(web.status(get("/api/v1/tokens")) == 200);
  const std::string boss = json_of(web.ask(post("/api/v1/tokens", token_body("boss"))))["token"].GetString();
  CHECK(web.status(get("/api/v1/tokens")) == 401);
  CHECK(web.status(post("/api/v1/tokens", token_body("thief"))) == 401);
  make(web, "eyes", "read-only", boss);
  CHECK(web.status(remove("/api/v1/tokens/boss", bearer(boss))) == 409);
  make(web, "heir", "admin", boss);
  CHECK(web.status(remove("/api/v1/tokens/boss", bearer(boss))) == 200);
  CHECK(web.status(get("/api/v1/tokens", bearer(boss))) == 401);
}

TEST_CASE("without the database tokens go on working, and none is made") {
  served_api web(file_token);
  const auto reader = make(web, "eyes", "read-only");
  web.database.down = true;
  CHECK(web.status(get("/api/v1/links", bearer(reader))) == 200);
  CHECK(web.status(post("/api/v1/tokens", token_body("other"), bearer(file_token))) == 503);
  CHECK(web.status(remove("/api/v1/tokens/eyes", bearer(file_token))) == 503);
  CHECK(web.status(get("/api/v1/links", bearer(reader))) == 200);
}

TEST_CASE("every change is in the audit log with who made it, and nothing else is") {
  served_api web(file_token);
  const auto auth = bearer(make(web, "boss", "admin"));
  CHECK(web.status(post("/api/v1/algorithms", R"({"name":"new-algo","divider":256})", auth)) == 201);
  CHECK(web.status(post("/api/v1/pools", R"({"pool":"new.example:1","algorithm":"new-algo"})", auth)) == 201);
  const auto name =
      name_and_error(web.ask(post("/api/v1/users", user("pool.example:3333", "wallet", "canary-password")))).first;
  const std::string path = "/api/v1/users/" + name;
  const std::string changed =
      R"({"pools":[{"pool":"pool.example:3333","user":"thief","password":"canary-2","weight":3}],"mode":"dedicated"})";
  CHECK(web.status(post(path, changed, auth, "PATCH")) == 200);
  CHECK(web.status(remove(path, auth)) == 200);
  CHECK(web.status(remove("/api/v1/tokens/boss", auth)) == 200);
  const auto all = entries(web);
  CHECK(all == std::vector<std::string>{
                   "boss token.remove boss ",
                   "boss user.remove " + name + " ",
                   "boss user.change " + name + " pool.example:3333 thief weight 3 password given; mode dedicated",
                   "open user.register " + name + " pool.example:3333 wallet",
                   "boss pool.add new.example:1 algorithm new-algo",
                   "boss algorithm.add new-algo divider 256",
                   "token-file token.add boss role admin",
               });
  // What changes nothing, or is refused.
  const auto again = bearer(file_token);
  CHECK(web.status(post("/api/v1/algorithms", R"({"name":"new-algo","divider":256})", again)) == 201);
  CHECK(web.status(post("/api/v1/pools", R"({"pool":"new.example:1","algorithm":"new-algo"})", again)) == 201);
  CHECK(web.status(post("/api/v1/pools", R"({"pool":"new.example:1","algorithm":"scrypt"})", again)) == 409);
  CHECK(web.status(remove(path, again)) == 404);
  CHECK(web.status(post("/api/v1/pools", "{}")) == 401);
  CHECK(web.status(get("/api/v1/pools", again)) == 200);
  CHECK(entries(web) == all);
  CHECK(web.users(user("pool.example:3333")) == 201);
  CHECK(web.users(user("pool.example:3333")) == 201);
  CHECK(entries(web).size() == all.size() + 1);
}

TEST_CASE("the audit log comes in pages, newest first, and for one account") {
  served_api web(file_token);
  std::vector<std::string> names;
  for (const std::string each : {"a", "b", "c"})
    names.push_back(name_and_error(web.ask(post("/api/v1/users", user("pool.example:3333", each)))).first);
  std::string next;
  const auto first = entries(web, "?limit=2", &next);
  REQUIRE(first.size() == 2);
  CHECK(first[0] == "open user.register " + names[2] + " pool.example:3333 c");
  REQUIRE_FALSE(next.empty());
  const auto second = entries(web, "?limit=2&after=" + next, &next);
  CHECK(second == std::vector<std::string>{"open user.register " + names[0] + " pool.example:3333 a"});
  CHECK(next.empty());
  CHECK(entries(web, "?limit=3", &next).size() == 3);
  CHECK(next.empty());
  CHECK(entries(web, "?user=" + names[1]) ==
        std::vector<std::string>{"open user.register " + names[1] + " pool.example:3333 b"});
  CHECK(entries(web, "?user=nobody").empty());
  for (const std::string query :
       {"?limit=0", "?limit=10001", "?limit=x", "?after=", "?after=-1", "?limit=1&limit=2", "?pool=x"})
    CHECK(web.status(get("/api/v1/audit" + query, bearer(file_token))) == 400);
}

TEST_CASE("a change of the tables that the audit log cannot take is refused, and not made") {
  served_api web(file_token);
  web.database.access_in_memory().refuse_audit = true;
  CHECK(web.users(user("pool.example:3333", "wallet", "canary-password")) == 503);
  CHECK(web.database.writes == 0);
  CHECK(web.changed.lines().empty());
}

TEST_CASE("what was done to what runs is in the audit log, and where that cannot be written in the program's log") {
  served_api web;
  web.live.disconnect = [](const std::string&, const std::string&) { return std::optional(true); };
  web.live.reload = [] { return stratumproxyd::reload_outcome{}; };
  const std::string path = "/api/v1/workers/10.0.0.7:50211";
  CHECK(web.status(remove(path)) == 200);
  CHECK(web.status(post("/api/v1/reload", "")) == 200);
  const auto written = web.database.access().audit({});
  REQUIRE(written.size() == 2);
  CHECK(written[0].change.action == "configuration.reload");
  CHECK(written[1].change.action == "worker.disconnect");
  CHECK(written[1].change.subject == "10.0.0.7:50211");
  CHECK(written[1].by.actor == "open");

  web.database.access_in_memory().refuse_audit = true;
  CHECK(web.status(remove(path)) == 200);
  REQUIRE(web.log.lines().size() == 1);
  CHECK(web.log.lines()[0].starts_with("audit_not_written"));
  CHECK(web.log.lines()[0].find("worker.disconnect 10.0.0.7:50211") != std::string::npos);
}

TEST_CASE("answers are counted by their status, whoever gave them") {
  served_api web(file_token);
  CHECK(web.status(get("/api/v1/pools", bearer(file_token))) == 200);
  CHECK(web.status(get("/api/v1/pools")) == 401);
  CHECK(web.status(get("/nowhere")) == 404);
  CHECK(web.status("nonsense\r\n\r\n") == 400);
  web.server.stop();  // so that the last one is counted
  CHECK(web.server.answered() == std::vector<std::pair<int, std::uint64_t>>{{200, 1}, {400, 1}, {401, 1}, {404, 1}});
}
