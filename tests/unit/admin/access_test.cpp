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

int status(const access_rules& rules, const http_request& asked) {
  const auto refused = rules.check(asked);
  return refused ? refused->status : 200;
}

}  // namespace

TEST_CASE("without a token everything is open") {
  const access_rules rules({"127.0.0.1", 8080}, {});
  CHECK(status(rules, request("GET", "/api/v1/pools")) == 200);
  CHECK(status(rules, request("POST", "/api/v1/algorithms")) == 200);
}

TEST_CASE("a token guards all but registration, health and metrics") {
  access_rules rules({"127.0.0.1", 8080}, {});
  rules.set_token("0123456789abcdef");
  for (const std::string path : {"/metrics", "/healthz", "/readyz"}) CHECK(status(rules, request("GET", path)) == 200);
  CHECK(status(rules, request("POST", "/api/v1/users")) == 200);
  CHECK(status(rules, request("PUT", "/api/v1/users")) == 200);
  CHECK(status(rules, request("GET", "/api/v1/users")) == 401);
  CHECK(status(rules, request("GET", "/api/v1/unknown")) == 401);

  auto asked = request("GET", "/api/v1/pools");
  for (const std::string wrong : {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer 0123456789abcdeg",
                                  "Basic 0123456789abcdef", "0123456789abcdef", "Bearer  0123456789abcdef",
                                  "Bearer 0123456789abcdef0123456789abcdef"}) {
    asked.authorization = wrong;
    CHECK(status(rules, asked) == 401);
  }
  for (const std::string scheme : {"Bearer ", "bearer "}) {
    asked.authorization = scheme + "0123456789abcdef";
    CHECK(status(rules, asked) == 200);
  }
  rules.set_token("another-token");
  CHECK(status(rules, asked) == 401);
}

TEST_CASE("a loopback server answers only under its own names") {
  const access_rules rules({"127.0.0.1", 8080}, {"proxy.example"});
  for (const std::string host : {"localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "proxy.example:443", ""})
    CHECK(status(rules, request("GET", "/metrics", host)) == 200);
  for (const std::string host : {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "a b", "[::2]"})
    CHECK(status(rules, request("GET", "/metrics", host)) == 403);
  const access_rules open({"0.0.0.0", 8080}, {});
  CHECK(status(open, request("GET", "/metrics", "farm.example")) == 200);
}

TEST_CASE("pages of other sites are refused, the server's own are not") {
  const access_rules rules({"127.0.0.1", 8080}, {});
  auto asked = request("POST", "/api/v1/users");
  for (const std::string origin : {"https://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1:8080.evil.example"}) {
    asked.origin = origin;
    CHECK(status(rules, asked) == 403);
  }
  asked.origin = "http://127.0.0.1:8080";
  CHECK(status(rules, asked) == 200);
  asked.origin.clear();
  asked.fetch_site = "cross-site";
  CHECK(status(rules, asked) == 403);
}
