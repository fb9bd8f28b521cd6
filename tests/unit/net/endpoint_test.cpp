#include "net/endpoint.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace stratumproxy;
using namespace stratumproxy::net;

namespace {

std::vector<endpoint> literals(const std::vector<std::string>& hosts) {
  std::vector<endpoint> made;
  for (const auto& host : hosts) made.push_back(*endpoint::literal(host, 0));
  return made;
}

std::vector<std::string> texts(const std::vector<endpoint>& of) {
  std::vector<std::string> made;
  for (const auto& one : of) made.push_back(one.text());
  return made;
}

}  // namespace

TEST_CASE("HOST:PORT is divided at the last colon, brackets only around IPv6") {
  using parts = std::pair<std::string, std::uint16_t>;
  CHECK(*split_host_port("127.0.0.1:3333") == parts("127.0.0.1", 3333));
  CHECK(*split_host_port("pool.example:1") == parts("pool.example", 1));
  CHECK(*split_host_port("[::1]:65535") == parts("::1", 65535));
  CHECK(*split_host_port("localhost:0") == parts("localhost", 0));
  for (const char* bad : {"", ":", ":3333", "host", "host:", "host:65536", "host:-1", "host:+1", "host:1x", "host: 1",
                          "::1:3333", "[::1]", "[::1]3333", "[host]:1", "[]:1", "a:b:1", "host]:1"}) {
    INFO(bad);
    CHECK(split_host_port(bad).error() == errc::bad_address);
  }
  CHECK(split_host_port(std::string_view("a\0b:1", 5)).error() == errc::bad_address);
}

TEST_CASE("address literals are recognised without asking a resolver, names are not") {
  CHECK(endpoint::literal("10.1.2.3", 80)->text() == "10.1.2.3:80");
  CHECK(endpoint::literal("2001:db8::1", 80)->text() == "[2001:db8::1]:80");
  CHECK(endpoint::literal("2001:db8::1", 80)->host() == "2001:db8::1");
  for (const char* name : {"localhost", "10.1.2", "10.1.2.3.4", "1.2.3.256", "[::1]", ""}) {
    INFO(name);
    CHECK(endpoint::literal(name, 80).error() == errc::bad_address);
  }
}

TEST_CASE("an IPv4 miner on an IPv6 socket is shown as IPv4") {
  const auto mapped = *endpoint::literal("::ffff:192.0.2.7", 4000);
  CHECK(mapped.host() == "192.0.2.7");
  CHECK(mapped.text() == "192.0.2.7:4000");
}

TEST_CASE("the wildcard addresses of both families are known as such") {
  CHECK(endpoint::literal("0.0.0.0", 1)->is_unspecified());
  CHECK(endpoint::literal("::", 1)->is_unspecified());
  CHECK_FALSE(endpoint::literal("127.0.0.1", 1)->is_unspecified());
  CHECK_FALSE(endpoint::literal("::1", 1)->is_unspecified());
}

TEST_CASE("addresses are tried in turn by family, the resolver's first one first, and no more than the limit") {
  const auto found = literals({"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"});
  CHECK(texts(to_try(found, 7, 4)) ==
        std::vector<std::string>{"[2001:db8::1]:7", "192.0.2.1:7", "[2001:db8::2]:7", "192.0.2.2:7"});
  CHECK(texts(to_try(literals({"192.0.2.1", "192.0.2.2", "192.0.2.3"}), 7, 2)) ==
        std::vector<std::string>{"192.0.2.1:7", "192.0.2.2:7"});
  CHECK(texts(to_try(literals({"192.0.2.1", "2001:db8::1"}), 7, 4)) ==
        std::vector<std::string>{"192.0.2.1:7", "[2001:db8::1]:7"});
  CHECK(to_try({}, 7, 4).empty());
}
