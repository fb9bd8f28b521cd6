#include <catch2/catch.hpp>

#include <atomic>
#include <deque>
#include <future>
#include <string>
#include <vector>

#include "admin/http_server.hpp"
#include "certificates.hpp"
#include "raw_http.hpp"

namespace {

using namespace stratumproxyd;
using namespace stratumproxy::test;

/// A server with a page, a route that repeats its body, and one that fails.
struct served {
  http_server server;

  explicit served(http_limits limits = {}, http_guard guard = {}) : server(limits) {
    server.route("GET", "/page", [](const http_request&) { return http_response{200, "the page", "text/plain", {}}; });
    server.route("GET", "/large", [](const http_request&) { return http_response{200, std::string(8'000'000, 'x'), "text/plain", {}}; });
    server.route("GET", "/fails", [](const http_request&) -> http_response { throw std::runtime_error("canary-secret"); });
    server.route("POST", "/echo", [](const http_request& request) { return http_response{200, request.body, "text/plain", {}}; });
    const auto described = [](const http_request& request) {
      std::string text = request.method + ' ' + request.parameter + ' ' + request.if_match;
      for (const auto& [name, value] : request.query) text += ' ' + name + '=' + value;
      return http_response{200, text + ' ' + request.body, "text/plain", {}};
    };
    for (const char* method : {"GET", "PATCH", "DELETE"}) server.route(method, "/things/{name}", described);
    server.route("POST", "/things/{name}/size", described);
    server.route("POST", "/big", [](const http_request& request) { return http_response{200, std::to_string(request.body.size()), "text/plain", {}}; },
                 200'000);
    if (guard) server.set_guard(std::move(guard));
    REQUIRE_FALSE(server.bind({"127.0.0.1", 0}));
    server.start();
  }
  [[nodiscard]] raw_http client() const { return raw_http(server.address().port); }
  [[nodiscard]] int status(std::string_view request) const { return status_of(client().ask(request)); }
};

std::string chunk(std::string_view text) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + std::string(text) + "\r\n";
}

std::shared_ptr<const stratumproxy::tls_certificate> some_certificate() {
  const auto made = make_certificate();
  return stratumproxy::tls_certificate::from_pem(made.chain, made.key);
}

const std::string chunked_head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("a page is served, again on the same connection, and to pipelined requests in order") {
  const served web;
  auto client = web.client();
  for (int i = 0; i < 3; ++i) CHECK(body_of(client.ask(get("/page"))) == "the page");
  REQUIRE(client.send(get("/page") + get("/nothing") + get("/page")));
  CHECK(status_of(client.answer()) == 200);
  CHECK(status_of(client.answer()) == 404);
  CHECK(status_of(client.answer()) == 200);
}

TEST_CASE("a connection ends after its number of requests") {
  http_limits limits;
  limits.requests = 3;
  const served web(limits);
  auto client = web.client();
  for (int i = 0; i < 2; ++i) CHECK(client.ask(get("/page")).find("Connection: close") == std::string::npos);
  CHECK(client.ask(get("/page")).find("Connection: close") != std::string::npos);
  CHECK(client.is_closed());
}

TEST_CASE("answers are compressed with gzip or not at all") {
  const served web;
  const auto coding = [&](const std::string& accepted) {
    const auto answer = web.client().ask(get("/large", accepted));
    CHECK(status_of(answer) == 200);
    const auto at = answer.find("Content-Encoding: ");
    return at == std::string::npos ? "none" : answer.substr(at + 18, answer.find('\r', at) - at - 18);
  };
  CHECK(coding("") == "none");
  CHECK(coding("Accept-Encoding: gzip, deflate, br\r\n") == "gzip");
  CHECK(coding("Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n") == "gzip");
  CHECK(coding("Accept-Encoding: br;q=1.0, gzip;q=0.8, *;q=0.1\r\n") == "gzip");
  CHECK(coding("Accept-Encoding: br\r\n") == "none");
  CHECK(coding("Accept-Encoding: gzip;q=0\r\n") == "none");
  CHECK(coding("Accept-Encoding: gzip; q=0.0, br\r\n") == "none");
}

TEST_CASE("HEAD answers without a body") {
  const served web;
  auto client = web.client();
  REQUIRE(client.send("HEAD /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  const auto head = client.answer();
  CHECK(status_of(head) == 200);
  CHECK(head.find("the page") == std::string::npos);
}

TEST_CASE("a path may have a name in it, which some methods take") {
  const served web;
  CHECK(body_of(web.client().ask(get("/things/aF0_-?x=%3a%5B+1&y&x=2"))) == "GET aF0_-  x=:[ 1 x=2 y= ");
  CHECK(body_of(web.client().ask(post("/things/a", "{}", "If-Match: \"7\"\r\n", "PATCH"))) == "PATCH a \"7\" {}");
  auto client = web.client();
  for (const std::string length : {"", "Content-Length: 0\r\n"})
    CHECK(body_of(client.ask("DELETE /things/a HTTP/1.1\r\nHost: a\r\n" + length + "\r\n")) == "DELETE a  ");
  REQUIRE(client.send("HEAD /things/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  CHECK(status_of(client.answer()) == 200);
  for (const std::string path : {"/things", "/things/", "/things/a/b", "/things/a/", "/things//", "/things/.", "/things/..", "/things/%2e%2E",
                                 "/things/%00", "/things/%20", "/things/%0a", "/things/%ff", "/things/a%2fb/sizes", "/thingsa"}) {
    CAPTURE(path);
    CHECK(web.status(get(path)) == 404);
    CHECK(web.status(post(path, "{}", "", "PATCH")) == 404);
  }
  const std::pair<std::string, std::string> names[] = {
      {"10.0.0.7:50211", "10.0.0.7:50211"}, {"10.0.0.7%3A50211", "10.0.0.7:50211"}, {"[::1]:3333", "[::1]:3333"}, {"%5b%3A%3a1%5D:3333", "[::1]:3333"},
      {"10.0.0.0%2f8", "10.0.0.0/8"}, {"a%25b", "a%b"}, {"a+b", "a+b"}, {"%61", "a"}, {"...", "..."}};
  for (const auto& [sent, name] : names) {
    CAPTURE(sent);
    CHECK(body_of(web.client().ask(get("/things/" + sent))) == "GET " + name + "  ");
    CHECK(body_of(web.client().ask(post("/things/" + sent + "/size", "3"))) == "POST " + name + "  3");
  }
  CHECK(web.status(get("/things/a/size")) == 405);
  CHECK(web.status(post("/things/a", "3")) == 405);
  CHECK(web.status(get("/things/" + std::string(300, 'a'))) == 200);
  CHECK(web.status(get("/things/" + std::string(301, 'a'))) == 404);
  std::string encoded;
  for (int i = 0; i < 301; ++i) encoded += "%61";
  CHECK(web.status(get("/things/" + encoded.substr(3))) == 200);
  CHECK(web.status(get("/things/" + encoded)) == 404);
  CHECK(web.status(get("/things/" + std::string(2'000, 'a'))) == 404);
}

TEST_CASE("the body of a PATCH is limited as that of a POST, and a DELETE has none") {
  const served web;
  CHECK(web.status(post("/things/a", std::string(65'536, 'x'), "", "PATCH")) == 200);
  CHECK(web.status(post("/things/a", std::string(65'537, 'x'), "", "PATCH")) == 413);
  CHECK(web.status("PATCH /things/a HTTP/1.1\r\nHost: a\r\n\r\n") == 411);
  CHECK(web.status("PATCH /things/a HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 2\r\n\r\n{}") == 415);
  CHECK(web.status(post("/things/a", "{}", "", "DELETE")) == 400);
}

TEST_CASE("errors have one shape") {
  const served web;
  CHECK(body_of(web.client().ask(get("/nothing"))) == "{\"name\":\"\",\"error\":\"there is nothing at this path\"}\n");
  CHECK(body_of(web.client().ask(get("/%zz"))) == "{\"name\":\"\",\"error\":\"the path is malformed\"}\n");
  CHECK(body_of(web.client().ask(get("/fails"))) == "{\"name\":\"\",\"error\":\"internal error\"}\n");
}

TEST_CASE("a method that a path does not have is told which it has") {
  const served web;
  const auto answer = web.client().ask(post("/page", "{}"));
  CHECK(status_of(answer) == 405);
  CHECK(answer.find("Allow: GET, HEAD\r\n") != std::string::npos);
  CHECK(web.status("DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n") == 405);
  for (const std::string method : {"POST", "PUT"}) {
    const auto refused = web.client().ask(post("/things/a", "{}", "", method));
    CHECK(status_of(refused) == 405);
    CHECK(refused.find("Allow: GET, HEAD, PATCH, DELETE\r\n") != std::string::npos);
  }
  CHECK(web.status("BREW /page HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("a failing handler shows nothing of its error") {
  const served web;
  const auto answer = web.client().ask(get("/fails"));
  CHECK(status_of(answer) == 500);
  CHECK(answer.find("canary") == std::string::npos);
}

TEST_CASE("bodies arrive whole, in one piece, in many, and in chunks") {
  const served web;
  CHECK(body_of(web.client().ask(post("/echo", "hello"))) == "hello");
  const auto request = post("/echo", "hello");
  auto slow = web.client();
  for (const char c : request) REQUIRE(slow.send(std::string_view(&c, 1)));
  CHECK(body_of(slow.answer()) == "hello");
  CHECK(body_of(web.client().ask(chunked_head + chunk("hel") + chunk("lo") + "0\r\n\r\n")) == "hello");
  CHECK(body_of(web.client().ask(post("/echo", std::string(65'536, 'x')))).size() == 65'536);
}

TEST_CASE("a client that waits for 100 Continue gets it") {
  const served web;
  auto client = web.client();
  REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
  CHECK(status_of(client.answer()) == 100);
  CHECK(body_of(client.ask("hello")) == "hello");
}

TEST_CASE("a body of a mebibyte is answered 413, though the client sends it to the end") {
  const served web;
  CHECK(web.status(post("/echo", std::string(1'048'576, 'x'))) == 413);
  CHECK(web.status(post("/echo", std::string(65'537, 'x'))) == 413);
}

TEST_CASE("chunks without an end are cut off") {
  const served web;
  auto client = web.client();
  bool open = client.send(chunked_head);
  for (int i = 0; i < 4'096 && open; ++i) open = client.send(chunk(std::string(65'536, 'x')));
  CHECK_FALSE(open);  // 256 MiB were offered
  CHECK(web.status(chunked_head + chunk(std::string(65'536, 'x')) + chunk("x") + "0\r\n\r\n") == 413);
  CHECK(web.status(get("/page")) == 200);
}

TEST_CASE("malformed chunks and lengths are refused") {
  const served web;
  CHECK(web.status(chunked_head + "FFFFFFFFFFFFFFFFF\r\nA") == 400);
  CHECK(web.status(chunked_head + "zz\r\nA\r\n0\r\n\r\n") == 400);
  CHECK(web.status("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\n{}") == 400);
  CHECK(web.status("POST /echo HTTP/1.1\r\nHost: a\r\n\r\n{}") == 411);
  CHECK(web.status(post("/echo", "{}", "Content-Encoding: gzip\r\n")) == 415);
}

TEST_CASE("a body that stays away ends in an error, and in time") {
  http_limits limits;
  limits.body = std::chrono::milliseconds(50);
  const served web(limits);
  auto client = web.client();
  REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
  CHECK(status_of(client.answer()) == 408);
  auto chunked = web.client();
  REQUIRE(chunked.send(chunked_head + "5\r\nha"));
  CHECK(status_of(chunked.answer()) == 408);
}

TEST_CASE("a head that stays away ends in an error, a silent connection without one") {
  http_limits limits;
  limits.head = std::chrono::milliseconds(50);
  const served web(limits);
  auto client = web.client();
  REQUIRE(client.send("GET /page HTTP/1.1\r\nHo"));
  CHECK(status_of(client.answer()) == 408);
  CHECK(web.client().is_closed());
}

TEST_CASE("heads of any size are not read in") {
  const served web;
  std::string many = "GET /page HTTP/1.1\r\n";
  for (int i = 0; i < 100'000; ++i) many += "X-" + std::to_string(i) + ": v\r\n";
  CHECK(web.status(many + "\r\n") == 431);
  CHECK(web.status("GET /page HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + std::string(100'000, 'x') + "\r\n\r\n") == 431);
}

TEST_CASE("a header cannot claim to be the peer's address, nor ask for ranges") {
  const served web;
  const auto answer = web.client().ask(get("/page", "REMOTE_ADDR: 10.0.0.1\r\nRange: bytes=0-0,1-1\r\n"));
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "the page");
}

TEST_CASE("the guard answers before the body is read and before the path is known") {
  const served web({}, [](const http_request& request) -> std::optional<http_response> {
    if (request.authorization == "Bearer good") return std::nullopt;
    return http_error(401, "no");
  });
  CHECK(web.status(get("/nothing")) == 401);
  CHECK(web.status("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n") == 401);
  CHECK(web.status("PATCH /things/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n") == 401);
  CHECK(web.status("DELETE /things/a HTTP/1.1\r\nHost: a\r\n\r\n") == 401);
  CHECK(web.status(get("/page", "Authorization: Bearer good\r\n")) == 200);
}

TEST_CASE("forty clients that dawdle with their heads, bodies or reading keep nobody waiting") {
  const served web;
  std::deque<raw_http> slow;
  for (int i = 0; i < 40; ++i) {
    slow.push_back(web.client());
    slow.back().send("GET /page HTTP/1.1\r\nX: ");
    slow.push_back(web.client());
    slow.back().send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    if (i % 2) continue;
    slow.push_back(web.client());
    slow.back().send(get("/large"));
  }
  for (int i = 0; i < 10; ++i) CHECK(web.status(get("/page")) == 200);
}

TEST_CASE("with a certificate everything goes through TLS, and plain requests are not answered") {
  served web;
  web.server.set_certificate(some_certificate());
  auto client = web.client();
  REQUIRE(client.secure());
  for (int i = 0; i < 3; ++i) CHECK(body_of(client.ask(get("/page"))) == "the page");
  REQUIRE(client.send(get("/page") + get("/nothing") + get("/page")));
  CHECK(status_of(client.answer()) == 200);
  CHECK(status_of(client.answer()) == 404);
  CHECK(status_of(client.answer()) == 200);
  CHECK(body_of(client.ask(get("/large"))).size() == 8'000'000);

  auto slow = web.client();
  REQUIRE(slow.secure());
  for (const char c : post("/echo", "hello")) REQUIRE(slow.send(std::string_view(&c, 1)));
  CHECK(body_of(slow.answer()) == "hello");
  CHECK(slow.is_closed());
  for (const auto& [body, status] : {std::pair(65'536, 200), std::pair(65'537, 413), std::pair(1'048'576, 413)}) {
    auto posting = web.client();
    REQUIRE(posting.secure());
    CHECK(status_of(posting.ask(post("/echo", std::string(static_cast<std::size_t>(body), 'x')))) == status);
  }
  CHECK(web.status(get("/page")) == 0);
}

TEST_CASE("another certificate is for new connections, those that are kept go on") {
  served web;
  auto plain = web.client();
  CHECK(status_of(plain.ask(get("/page"))) == 200);
  web.server.set_certificate(some_certificate());
  auto secret = web.client();
  REQUIRE(secret.secure());
  CHECK(status_of(secret.ask(get("/page"))) == 200);
  web.server.set_certificate(some_certificate());
  CHECK(status_of(plain.ask(get("/page"))) == 200);
  CHECK(status_of(secret.ask(get("/page"))) == 200);
  web.server.set_certificate(nullptr);
  CHECK(web.status(get("/page")) == 200);
}

TEST_CASE("forty clients that dawdle within TLS keep nobody waiting, and are let go") {
  http_limits limits;
  limits.head = std::chrono::milliseconds(300);
  served web(limits);
  web.server.set_certificate(some_certificate());
  std::deque<raw_http> slow;
  for (int i = 0; i < 40; ++i) {
    slow.push_back(web.client());
    if (i % 2) REQUIRE(slow.back().secure());
    slow.back().send(i % 2 ? "GET /page HTTP/1.1\r\nX: " : "\x16\x03\x01\x02");
  }
  for (int i = 0; i < 10; ++i) {
    auto client = web.client();
    REQUIRE(client.secure());
    CHECK(status_of(client.ask(get("/page"))) == 200);
  }
  for (std::size_t i = 0; i < slow.size(); ++i) {
    if (i % 2) CHECK(status_of(slow[i].answer()) == 408);
    CHECK(slow[i].is_closed());
  }
}

TEST_CASE("more connections than allowed displace those that say nothing") {
  http_limits limits;
  limits.connections = 8;
  const served web(limits);
  std::deque<raw_http> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(web.client());
  CHECK(web.status(get("/page")) == 200);
  CHECK(silent.front().is_closed());
}

TEST_CASE("a taken port is refused, whoever listens there") {
  const served web;
  http_server second;
  CHECK(second.bind(web.server.address()) == std::errc::address_in_use);
}

TEST_CASE("a server that stops ends its connections") {
  auto web = std::make_unique<served>();
  auto idle = web->client();
  CHECK(status_of(idle.ask(get("/page"))) == 200);
  auto half = web->client();
  REQUIRE(half.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
  web.reset();
  CHECK(idle.is_closed());
}

TEST_CASE("requests are worked on side by side") {
  std::promise<void> release;
  auto released = release.get_future().share();
  std::atomic<int> inside{0};
  http_server server;
  server.route("GET", "/wait", [&](const http_request&) {
    ++inside;
    released.wait();
    return http_response{200, "done", "text/plain", {}};
  });
  server.route("GET", "/page", [](const http_request&) { return http_response{200, "page", "text/plain", {}}; });
  REQUIRE_FALSE(server.bind({"127.0.0.1", 0}));
  server.start();
  std::deque<raw_http> waiting;
  for (int i = 0; i < 30; ++i) {
    waiting.emplace_back(server.address().port);
    waiting.back().send(get("/wait"));
  }
  CHECK(status_of(raw_http(server.address().port).ask(get("/page"))) == 200);
  release.set_value();
  for (auto& client : waiting) CHECK(body_of(client.answer()) == "done");
  CHECK(inside == 30);
}

TEST_CASE("a route may take larger bodies than others do") {
  const served web;
  CHECK(body_of(web.client().ask(post("/big?x=1", std::string(200'000, 'x')))) == "200000");
  CHECK(web.status(post("/big", std::string(200'001, 'x'))) == 413);
  CHECK(web.status(post("/echo", std::string(65'537, 'x'))) == 413);
  const std::string chunked = "POST /big HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(body_of(web.client().ask(chunked + chunk(std::string(150'000, 'x')) + "0\r\n\r\n")) == "150000");
  CHECK(status_of(web.client().ask(chunked + chunk(std::string(200'001, 'x')) + "0\r\n\r\n")) == 413);
}

TEST_CASE("another server goes on with the socket, and the one before answers whom it has") {
  http_server next;
  next.route("GET", "/page", [](const http_request&) { return http_response{200, "the next page", "text/plain", {}}; });
  served web;
  const auto port = web.server.address().port;
  auto kept = web.client(), silent = web.client();
  CHECK(body_of(kept.ask(get("/page"))) == "the page");
  auto asking = web.client();
  REQUIRE(asking.send("GET /page HTTP/1.1\r\n"));
  REQUIRE(body_of(web.client().ask(get("/page"))) == "the page");  // those before are accepted by then
  REQUIRE_FALSE(next.adopt(web.server.listener()));
  CHECK(next.address().text() == web.server.address().text());
  web.server.retire();
  CHECK(kept.is_closed());
  raw_http waits(port);
  next.start();
  REQUIRE(waits.send(get("/page")));
  CHECK(body_of(waits.answer()) == "the next page");
  REQUIRE(asking.send("Host: a\r\n\r\n"));
  const auto answer = asking.answer();
  CHECK(body_of(answer) == "the page");
  CHECK(answer.find("Connection: close") != std::string::npos);
  REQUIRE(silent.send(get("/page")));
  CHECK(body_of(silent.answer()) == "the page");
  web.server.stop();
  CHECK(body_of(raw_http(port).ask(get("/page"))) == "the next page");
}

TEST_CASE("what does not listen is no server's socket") {
  http_server server;
  CHECK(server.adopt(stratumproxy::unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) == std::errc::invalid_argument);
  CHECK(server.adopt(stratumproxy::unique_fd()));
}
