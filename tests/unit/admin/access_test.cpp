#include <catch2/catch.hpp>

#include <string>

#include "admin/access.hpp"

namespace {

using namespace stratumproxyd;

http_request request(std::string method, std::string path, std::string host = "127.0.0.1:8080") {
  http_request out;
  out.method = std::move(method);
  out.path = std::move(path);
  out.host = std::move(host);
  return out;
}

/// Rules and the tokens that they ask, at a time that the test says.
struct bench {
  explicit bench(const endpoint& bound = {"127.0.0.1", 8080}, std::vector<std::string> hosts = {})
      : rules(bound, std::move(hosts), tokens) {}

  int status(http_request asked) {
    const auto refused = rules.check(asked, now);
    actor = asked.actor;
    retry_after.clear();
    if (!refused) return 200;
    for (const auto& [name, value] : refused->headers)
      if (name == "Retry-After") retry_after = value;
    return refused->status;
  }
  int status(const std::string& method, const std::string& path, const std::string& token = "",
             const std::string& address = "192.0.2.1") {
    auto asked = request(method, path);
    asked.address = address;
    if (!token.empty()) asked.authorization = "Bearer " + token;
    return status(asked);
  }
  std::string add(const std::string& name, token_role role) {
    const auto token = random_token();
    tokens.add({name, token_hash(token), role, {}, {}});
    return token;
  }

  known_tokens tokens;
  access_rules rules;
  access_rules::time_point now{};
  std::string actor, retry_after;
};

constexpr const char* long_token = "0123456789abcdef0123456789abcdef";

}  // namespace

TEST_CASE("without a token everything is open") {
  bench b;
  CHECK(b.status("GET", "/api/v1/pools") == 200);
  CHECK(b.actor == "open");
  CHECK(b.status("POST", "/api/v1/algorithms") == 200);
  CHECK(b.status("DELETE", "/api/v1/users/x", "any") == 200);
}

TEST_CASE("a token guards all but registration, health and metrics") {
  bench b;
  b.tokens.set_file_token("0123456789abcdef");
  for (const std::string path : {"/metrics", "/healthz", "/readyz"}) CHECK(b.status("GET", path) == 200);
  CHECK(b.status("POST", "/api/v1/users") == 200);
  CHECK(b.status("PUT", "/api/v1/users") == 200);
  CHECK(b.status("POST", "/api/v1/users", "unknown") == 200);
  CHECK(b.status("GET", "/api/v1/users") == 401);
  CHECK(b.status("PATCH", "/api/v1/users") == 401);
  CHECK(b.status("GET", "/api/v1/unknown") == 401);

  auto asked = request("GET", "/api/v1/pools");
  for (const std::string wrong : {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer 0123456789abcdeg",
                                  "Basic 0123456789abcdef", "0123456789abcdef", "Bearer  0123456789abcdef",
                                  "Bearer 0123456789abcdef0123456789abcdef"}) {
    asked.authorization = wrong;
    CHECK(b.status(asked) == 401);
  }
  CHECK(b.rules.failed_logins() == 10);  // that of the registration too, not the one without any token
  for (const std::string scheme : {"Bearer ", "bearer ", "BEARER "}) {
    asked.authorization = scheme + "0123456789abcdef";
    CHECK(b.status(asked) == 200);
    CHECK(b.actor == "token-file");
  }
  b.tokens.set_file_token("another-token");
  CHECK(b.status(asked) == 401);
}

TEST_CASE("each role may do what it says") {
  bench b;
  const auto admin = b.add("boss", token_role::admin);
  const auto reader = b.add("eyes", token_role::read_only);
  const auto clerk = b.add("desk", token_role::register_only);
  b.rules.set_policy({.registration = registration_policy::token, .registrations = {}, .failed_logins = {}});
  struct row {
    std::string method, path;
    int admin, reader, clerk, nobody;
  };
  for (const auto& [method, path, as_admin, as_reader, as_clerk, as_nobody] : std::initializer_list<row>{
           {"GET", "/api/v1/users/x", 200, 200, 403, 401},      {"HEAD", "/api/v1/pools", 200, 200, 403, 401},
           {"GET", "/api/v1/tokens", 200, 200, 403, 401},       {"POST", "/api/v1/tokens", 200, 403, 403, 401},
           {"POST", "/api/v1/users", 200, 403, 200, 401},       {"PUT", "/api/v1/users", 200, 403, 200, 401},
           {"PATCH", "/api/v1/users/x", 200, 403, 403, 401},    {"DELETE", "/api/v1/users/x", 200, 403, 403, 401},
           {"DELETE", "/api/v1/users", 200, 403, 403, 401},     {"POST", "/api/v1/users/x", 200, 403, 403, 401},
           {"POST", "/api/v1/pools", 200, 403, 403, 401},       {"GET", "/api/", 200, 200, 403, 401},
           {"GET", "/metrics", 200, 200, 200, 200},             {"GET", "/", 200, 200, 200, 200}}) {
    CAPTURE(method, path);
    CHECK(b.status(method, path, admin) == as_admin);
    CHECK(b.status(method, path, reader) == as_reader);
    CHECK(b.status(method, path, clerk) == as_clerk);
    CHECK(b.status(method, path) == as_nobody);
    CHECK(b.status(method, path, random_token()) == as_nobody);
  }
  CHECK(b.status("GET", "/api/v1/pools", admin) == 200);
  CHECK(b.actor == "boss");
}

TEST_CASE("registration is open, needs a token, or is off") {
  bench b;
  const auto admin = b.add("boss", token_role::admin);
  const auto reader = b.add("eyes", token_role::read_only);
  const auto set = [&](registration_policy policy) {
    b.rules.set_policy({.registration = policy, .registrations = {}, .failed_logins = {}});
  };
  const auto as = [&](const std::string& token) { return b.status("POST", "/api/v1/users", token); };
  CHECK(as("") == 200);
  CHECK(b.actor == "open");
  CHECK(as(reader) == 200);  // as everybody may
  CHECK(b.actor == "eyes");
  set(registration_policy::token);
  CHECK(as("") == 401);
  CHECK(as(reader) == 403);
  CHECK(as(admin) == 200);
  set(registration_policy::off);
  CHECK(as("") == 403);
  CHECK(as(admin) == 403);
  CHECK(b.status("GET", "/api/v1/users", admin) == 200);
  bench without;
  without.rules.set_policy({.registration = registration_policy::token, .registrations = {}, .failed_logins = {}});
  CHECK(without.status("POST", "/api/v1/users") == 401);
  CHECK(without.status("POST", "/api/v1/tokens") == 200);
}

TEST_CASE("what a token of the database closed stays closed without it") {
  bench b;
  const auto token = b.add("boss", token_role::admin);
  CHECK(b.status("GET", "/api/v1/pools", token) == 200);
  b.tokens.remove("boss");
  CHECK(b.status("GET", "/api/v1/pools", token) == 401);
  CHECK(b.status("GET", "/api/v1/pools") == 401);
  b.tokens.set_file_token(long_token);
  CHECK(b.status("GET", "/api/v1/pools", long_token) == 200);
}

TEST_CASE("open registrations of an address are limited, those with a token and those of others are not") {
  bench b;
  const auto clerk = b.add("desk", token_role::register_only);
  const auto reader = b.add("eyes", token_role::read_only);
  b.rules.set_policy({.registrations = {.per_minute = 6, .burst = 2}, .failed_logins = {}});
  const auto as = [&](const std::string& token, const std::string& address = "192.0.2.1") {
    return b.status("POST", "/api/v1/users", token, address);
  };
  CHECK(as("") == 200);
  CHECK(as(reader) == 200);
  CHECK(as("") == 429);
  CHECK(b.retry_after == "10");
  CHECK(as(reader) == 429);
  CHECK(as("unknown") == 429);
  CHECK(as(clerk) == 200);
  CHECK(as("", "192.0.2.2") == 200);
  CHECK(b.status("GET", "/api/v1/pools", reader) == 200);
  b.now += std::chrono::seconds(10);
  CHECK(as("") == 200);
  CHECK(as("") == 429);
}

TEST_CASE("on loopback without any token nothing is limited; on another address registrations are") {
  const access_policy tight{.registrations = {.per_minute = 1, .burst = 1}, .failed_logins = {}};
  bench own, open({"0.0.0.0", 8080});
  own.rules.set_policy(tight);
  open.rules.set_policy(tight);
  CHECK(own.status("POST", "/api/v1/users") == 200);
  CHECK(own.status("POST", "/api/v1/users") == 200);
  CHECK(open.status("POST", "/api/v1/users") == 200);
  CHECK(open.status("POST", "/api/v1/users") == 429);
}

TEST_CASE("wrong tokens are limited; a good one goes on working, unless it could be hit by trying") {
  bench b;
  const auto admin = b.add("boss", token_role::admin);
  b.tokens.set_file_token("short-one");
  b.rules.set_policy({.registrations = {}, .failed_logins = {.per_minute = 60, .burst = 3}});
  const auto as = [&](const std::string& token, const std::string& address = "192.0.2.1") {
    return b.status("GET", "/api/v1/pools", token, address);
  };
  CHECK(as("short-one") == 200);
  for (int i = 0; i < 3; ++i) CHECK(as("wrong") == 401);
  CHECK(as("wrong") == 429);
  CHECK(b.retry_after == "1");
  CHECK(as("short-one") == 429);
  CHECK(as("short-one", "192.0.2.2") == 200);
  CHECK(as(admin) == 200);
  CHECK(as("") == 401);
  b.tokens.set_file_token(long_token);
  CHECK(as(long_token) == 200);
  b.now += std::chrono::seconds(1);
  CHECK(as("wrong") == 401);
  CHECK(b.rules.failed_logins() == 6);
}

TEST_CASE("where anybody may register nobody may try tokens") {
  bench b;
  b.tokens.set_file_token("short-one");
  b.rules.set_policy({.registrations = {.per_minute = 1, .burst = 1}, .failed_logins = {.per_minute = 1, .burst = 3}});
  const auto as = [&](const std::string& token) { return b.status("POST", "/api/v1/users", token); };
  CHECK(as("") == 200);
  CHECK(as("") == 429);
  CHECK(as("short-one") == 200);
  for (int i = 0; i < 4; ++i) CHECK(as("wrong") == 429);
  CHECK(b.rules.failed_logins() == 4);
  CHECK(as("short-one") == 429);
}

TEST_CASE("a loopback server answers only under its own names") {
  bench rules({"127.0.0.1", 8080}, {"proxy.example"});
  for (const std::string host : {"localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "proxy.example:443", ""})
    CHECK(rules.status(request("GET", "/metrics", host)) == 200);
  for (const std::string host : {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "a b", "[::2]"})
    CHECK(rules.status(request("GET", "/metrics", host)) == 403);
  rules.rules.set_hosts({"other.example"});
  CHECK(rules.status(request("GET", "/metrics", "other.example")) == 200);
  CHECK(rules.status(request("GET", "/metrics", "localhost")) == 200);
  CHECK(rules.status(request("GET", "/metrics", "proxy.example")) == 403);
  bench open({"0.0.0.0", 8080});
  CHECK(open.status(request("GET", "/metrics", "farm.example")) == 200);
}

TEST_CASE("pages of other sites are refused whatever they do, the server's own are not") {
  bench b;
  const auto token = b.add("boss", token_role::admin);
  for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    CAPTURE(method);
    auto asked = request(method, method == "POST" ? "/api/v1/users" : "/api/v1/users/x");
    asked.authorization = "Bearer " + token;
    for (const std::string origin : {"https://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1:8080.evil.example"}) {
      asked.origin = origin;
      CHECK(b.status(asked) == 403);
    }
    asked.origin = "http://127.0.0.1:8080";
    CHECK(b.status(asked) == 200);
    asked.host = "evil.example:8080";
    asked.origin = "http://evil.example:8080";
    CHECK(b.status(asked) == 403);
    asked.host = "127.0.0.1:8080";
    asked.origin.clear();
    asked.fetch_site = "cross-site";
    CHECK(b.status(asked) == 403);
  }
}
