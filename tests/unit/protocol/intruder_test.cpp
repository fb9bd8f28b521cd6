#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "stratumproxy/protocol/codec.hpp"

using namespace stratumproxy::protocol;
using namespace std::string_literals;

namespace {

const std::string proxy_v2 = "\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c"s;

}  // namespace

TEST_CASE("what is not Stratum is known by its first bytes") {
  CHECK(detect_intruder("\x16\x03\x01\0\x6b\x01"s) == intruder::tls);
  CHECK(detect_intruder("GET / HTTP/1.1\r\n"s) == intruder::http);
  CHECK(detect_intruder("POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\n{\"id\":1}\n"s) == intruder::http);
  CHECK(detect_intruder("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s) == intruder::http);
  CHECK(detect_intruder("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"s) == intruder::proxy_protocol);
  CHECK(detect_intruder(proxy_v2) == intruder::proxy_protocol);
  CHECK(detect_intruder("\x7f\x01\x08\0"s) == intruder::btcagent);
  CHECK(detect_intruder("SSH-2.0-OpenSSH_9.2p1\r\n"s) == intruder::ssh);
  CHECK(detect_intruder(std::string(64, '\x9c')) == intruder::stratum_v2);
  CHECK(detect_intruder("K\x01" + std::string(30, '\xee')) == intruder::stratum_v2);
  CHECK(detect_intruder("\x01\x02\x03"s) == intruder::other_binary);
}

TEST_CASE("what may be Stratum is let through") {
  for (const auto& text : {""s, "{"s, "{\"id\":1,\"method\":\"mining.subscribe\"}\n"s, "\n\n\n{\"id\":1}\n"s, "\r\n\r\n"s,
                           "{\"id\":1,\"method\":\"\xc3\xa9\"}\n"s, "[1]\n"s, "true\n"s, "hello\n\x01"s, "{\0\"\0"s,
                           "\xef\xbb\xbf{}\n"s, " {}\n"s, "1\n"s, "getwork\n"s}) {
    INFO(text);
    CHECK(detect_intruder(text) == intruder::none);
  }
}

TEST_CASE("too few bytes are no intruder, and more of them never change a verdict back to none") {
  for (const auto& text : {"\x16\x03\x01\0\x6b"s, "GET / HTTP/1.1\r\n"s, "PROXY TCP4"s, proxy_v2, "SSH-2.0"s}) {
    CHECK(detect_intruder(std::string_view(text).substr(0, 1)) == intruder::none);
    auto seen = intruder::none;
    for (std::size_t size = 1; size <= text.size(); ++size) {
      const auto now = detect_intruder(std::string_view(text).substr(0, size));
      CHECK((seen == intruder::none || now == seen));
      seen = now;
    }
    CHECK(seen == detect_intruder(text));
    CHECK(seen != intruder::none);
  }
}

TEST_CASE("an intruder that can read a refusal gets one") {
  CHECK(refusal(intruder::tls) == "\x15\x03\x01\0\x02\x02\x28"s);
  const auto http = refusal(intruder::http);
  const auto body = http.substr(http.find("\r\n\r\n") + 4);
  CHECK(http.starts_with("HTTP/1.1 400 "));
  CHECK(http.find("Content-Length: " + std::to_string(body.size()) + "\r\n") != http.npos);
  for (const auto silent : {intruder::none, intruder::proxy_protocol, intruder::stratum_v2, intruder::btcagent, intruder::ssh,
                            intruder::other_binary}) {
    CHECK(refusal(silent).empty());
  }
}

TEST_CASE("every intruder has a name of its own") {
  std::string seen = " ";
  for (int value = 0; value <= static_cast<int>(intruder::other_binary); ++value) {
    const std::string text(name(static_cast<intruder>(value)));
    CHECK(seen.find(" " + text + " ") == std::string::npos);
    seen += text + " ";
  }
}
