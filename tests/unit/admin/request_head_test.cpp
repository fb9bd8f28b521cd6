#include <catch2/catch.hpp>

#include <string>

#include "admin/request_head.hpp"

namespace {

using namespace stratumproxyd;
using namespace std::string_literals;

int status(const std::string& head) {
  const auto parsed = parse_request_head(head);
  const auto* error = std::get_if<head_error>(&parsed);
  return error ? error->status : 200;
}

request_head good(const std::string& head) {
  auto parsed = parse_request_head(head);
  REQUIRE(std::holds_alternative<request_head>(parsed));
  return std::get<request_head>(parsed);
}

std::string with(const std::string& headers, const std::string& method = "POST") {
  return method + " /x HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n";
}

}  // namespace

TEST_CASE("a head is complete with its blank line and not before") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t i = 0; i < head.size(); ++i) CHECK(head_length(head.substr(0, i)) == 0);
  CHECK(head_length(head) == head.size());
  CHECK(head_length(head + "GET /") == head.size());
}

TEST_CASE("a plain request is passed on as it came") {
  const auto head = good("GET /metrics?x=%20 HTTP/1.1\r\nHost: a:1\r\nAccept:  */* \r\n\r\n");
  CHECK(head.method == "GET");
  CHECK(head.text == "GET /metrics?x=%20 HTTP/1.1\r\nHost: a:1\r\nAccept: */*\r\n\r\n");
  CHECK(head.keep_alive);
  CHECK_FALSE(head.has_body);
}

TEST_CASE("headers that the library would misuse are left out") {
  const auto head = good(with("Range: bytes=0-0,0-0\r\nREMOTE_ADDR: 127.0.0.1\r\nConnection: close\r\n", "GET"));
  CHECK(head.text == "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_FALSE(head.keep_alive);
}

TEST_CASE("what can be read in two ways is refused") {
  CHECK(status(with("Content-Length: 2\r\nContent-Length: 20\r\n")) == 400);
  CHECK(status(with("Content-Length: 2\r\nContent-Length: 2\r\n")) == 400);
  for (const std::string value : {"-1", "+2", "0x10", "2,2", "99999999999999999999", "", "1 2"})
    CHECK(status(with("Content-Length: " + value + "\r\n")) == 400);
  CHECK(status(with("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n")) == 400);
  CHECK(status(with("Transfer-Encoding: gzip, chunked\r\n")) == 501);
  CHECK(status(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")) == 501);
  CHECK(status("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n") == 400);
  CHECK(status("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
  CHECK(status("GET / HTTP/1.1\r\nHost : a\r\n\r\n") == 400);
  CHECK(status("GET / HTTP/1.1\nHost: a\n\n") == 400);
  CHECK(status("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n") == 400);
  CHECK(status("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"s) == 400);
  for (const std::string method : {"GET", "HEAD", "DELETE"}) {
    CHECK(status(with("Content-Length: 1\r\n", method)) == 400);
    CHECK(status(with("Transfer-Encoding: chunked\r\n", method)) == 400);
    CHECK(status(with("Content-Length: 0\r\n", method)) == 200);
  }
  CHECK(status("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status(with("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", "GET")) == 400);
  CHECK(status(with("If-Match: \"1\"\r\nif-match: \"2\"\r\nContent-Length: 2\r\n", "PATCH")) == 400);
}

TEST_CASE("malformed request lines are refused") {
  CHECK(status("GET\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET /\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("G T / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(status("GET /" + std::string(3000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == 414);
}

TEST_CASE("sizes are limited") {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X: y\r\n";
  CHECK(status(with(many, "GET")) == 431);
  CHECK(status(with("X: " + std::string(20'000, 'x') + "\r\n", "GET")) == 431);
  CHECK(status(with("Content-Length: 65536\r\n")) == 200);
  CHECK(status(with("Content-Length: 65537\r\n")) == 413);
  CHECK(status(with("Content-Length: 5\r\nContent-Encoding: gzip\r\n")) == 415);
  CHECK(status(with("")) == 411);
  CHECK(status(with("", "PATCH")) == 411);
  CHECK(status(with("Content-Length: 65537\r\n", "PATCH")) == 413);
}

TEST_CASE("an HTTP/1.0 client needs no Host and is closed") {
  CHECK_FALSE(good("GET / HTTP/1.0\r\n\r\n").keep_alive);
}
