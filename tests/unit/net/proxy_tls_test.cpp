#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "certificates.hpp"
#include "collecting_log.hpp"
#include "loopback.hpp"
#include "stratumproxy/proxy.hpp"

using namespace stratumproxy;
using test::await_job, test::log_in, test::login, test::member, test::peer, test::submit;

// The real shell on loopback, with TLS on either side of it.
namespace {

std::shared_ptr<const tls_certificate> identity_of(const test::certificate& has) {
  return tls_certificate::from_pem(has.chain, has.key);
}

struct house {
  explicit house(const pool_tls& tls = {}) : accounts(mine.port(), tls) {}

  void start() {
    served.emplace(config, accounts, log);
    served->set_certificate(identity);
    REQUIRE_FALSE(served->start());
  }
  peer connect() { return peer::to(served->address()); }
  std::uint64_t count(std::string_view event, std::string_view value = {}) {
    for (const auto& row : served->snapshot().events)
      if (row.name == event && row.value == value) return row.count;
    return 0;
  }
  // Polls the counters; each look takes a shard's answer.
  bool counts_to(std::uint64_t wanted, std::string_view event, std::string_view value) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (count(event, value) != wanted)
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  }

  test::pool mine;
  test::one_account accounts;
  test::collecting_log log;
  std::shared_ptr<const tls_certificate> identity = identity_of(test::make_certificate());
  options config = [] {
    options made;
    made.address = "127.0.0.1:0";
    made.threads = 1;
    return made;
  }();
  std::optional<proxy> served;
};

void mine_one(peer& miner, const login& who, peer& link, int id) {
  REQUIRE(miner.say(submit(who, id)));
  const std::string up = link.line_with("mining.submit");
  link.say(R"({"id":)" + member(up, "id") + R"(,"result":true,"error":null})" "\n");
  CHECK(member(miner.line_with(R"("id":)" + std::to_string(id)), "result") == "true");
}

}  // namespace

TEST_CASE("miners with TLS and without mine on the same port", "[loopback]") {
  house at;
  at.start();
  peer plain = at.connect(), secret = at.connect();
  REQUIRE(secret.secure());
  std::deque<peer> links;  // an end of one of them would be a matter of its own
  for (peer* miner : {&plain, &secret}) {
    login who = log_in(*miner);
    links.push_back(at.mine.welcome());
    await_job(*miner, who);
    mine_one(*miner, who, links.back(), 7);
    miner->finish_sending();
    CHECK(miner->ends());
  }
}

TEST_CASE("without a certificate a TLS handshake is refused as before", "[loopback]") {
  house at;
  at.identity = nullptr;
  at.start();
  peer miner = at.connect();
  CHECK_FALSE(miner.secure());
  CHECK(at.counts_to(1, "connections_closed", "wrong_protocol"));
}

TEST_CASE("a handshake that stops halfway ends with the deadline of the first message", "[loopback]") {
  house at;
  at.config.limits.first_message = std::chrono::milliseconds(200);
  at.start();
  peer silent = at.connect();
  REQUIRE(silent.say(std::string("\x16\x03\x01\x02\x00\x01", 6)));
  CHECK(silent.ends());
  CHECK(at.counts_to(1, "connections_closed", "login_deadline"));
}

TEST_CASE("what is no TLS behind its first byte is closed with that reason", "[loopback]") {
  house at;
  at.start();
  peer garbage = at.connect();
  REQUIRE(garbage.say("\x16 and so on, as far as anybody looks"));
  garbage.line();
  CHECK(at.counts_to(1, "connections_closed", "tls_failed"));
}

TEST_CASE("a worker with TLS moves to the shard that its session names, and mines on", "[loopback]") {
  house at;
  at.config.threads = 2;
  at.start();
  auto miner = std::make_unique<peer>(at.connect());
  REQUIRE(miner->secure());
  login who = log_in(*miner);
  peer link = at.mine.welcome();
  await_job(*miner, who);
  // Each return lands on the other shard with even odds: that none of 64 does is no accident that happens.
  for (int i = 0; i < 64 && at.count("sessions_handed_over") == 0; ++i) {
    miner->finish_sending();
    REQUIRE(miner->ends());
    miner = std::make_unique<peer>(at.connect());
    REQUIRE(miner->secure());
    login again = log_in(*miner, who.session);
    CHECK(again.extranonce1 == who.extranonce1);
    await_job(*miner, again);
    who = again;
  }
  CHECK(at.count("sessions_handed_over") == 1);
  mine_one(*miner, who, link, 7);
}

TEST_CASE("another certificate is for new connections, and drops nobody", "[loopback]") {
  house at;
  at.start();
  peer old_one = at.connect();
  REQUIRE(old_one.secure());
  login who = log_in(old_one);
  peer link = at.mine.welcome();
  await_job(old_one, who);
  int share = 7;
  for (const auto& now_is : {identity_of(test::make_certificate()), std::shared_ptr<const tls_certificate>()}) {
    at.served->set_certificate(now_is);
    REQUIRE(at.count("connections_accepted") > 0);  // the shard has read its mail
    peer new_one = at.connect();
    CHECK(new_one.secure() == static_cast<bool>(now_is));
    mine_one(old_one, who, link, share++);
  }
}

TEST_CASE("a pool with TLS is mined on when its certificate is the pinned one", "[loopback]") {
  const auto has = test::make_certificate();
  const auto identity = identity_of(has);
  house at({.mode = tls_mode::pin, .fingerprint = has.fingerprint});
  at.start();
  peer miner = at.connect();
  login who = log_in(miner);
  peer link = at.mine.welcome(identity.get());
  await_job(miner, who);
  mine_one(miner, who, link, 7);
  mine_one(miner, who, link, 8);
}

TEST_CASE("a pool whose certificate is not to be trusted gets no password, and its link says why", "[loopback]") {
  const auto identity = identity_of(test::make_certificate());
  house at({.mode = tls_mode::verify});
  at.start();
  peer miner = at.connect();
  login who = log_in(miner);
  peer link = at.mine.accept();
  CHECK_FALSE(link.secure(*identity));
  CHECK(link.line().empty());
  CHECK(at.counts_to(1, "links_closed", "tls_failed"));
  const auto taken = at.served->snapshot(metrics::scope::all_links);
  REQUIRE(taken.links.size() == 1);
  CHECK(taken.links[0].fault == "tls_failed: the certificate is not trusted: self-signed certificate");
  CHECK(miner.line_with("show_message").find("tls_failed") != std::string::npos);
}

TEST_CASE("a pool that speaks no TLS is told by what it is", "[loopback]") {
  house at({.mode = tls_mode::insecure});
  at.start();
  peer miner = at.connect();
  login who = log_in(miner);
  peer link = at.mine.accept();
  link.say("{\"id\":null,\"method\":\"mining.notify\",\"params\":[]}\n");
  CHECK(at.counts_to(1, "links_closed", "tls_failed"));
  CHECK(at.served->snapshot(metrics::scope::all_links).links.at(0).fault == "tls_failed: the peer does not speak TLS");
}

TEST_CASE("a pool is reached through a SOCKS server, with TLS inside", "[loopback]") {
  const auto has = test::make_certificate();
  const auto identity = identity_of(has);
  house at({.mode = tls_mode::pin, .fingerprint = has.fingerprint});
  test::pool socks;
  at.config.upstream.socks5 = {.host = "127.0.0.1", .port = socks.port(), .user = "me", .password = "secret"};
  at.start();
  peer miner = at.connect();
  login who = log_in(miner);
  peer link = socks.accept();
  CHECK(link.bytes(4) == std::string("\x05\x02\x00\x02", 4));
  link.say(std::string("\x05\x02", 2));
  CHECK(link.bytes(11) == std::string("\x01\x02me\x06secret", 11));
  link.say(std::string("\x01\x00", 2));
  CHECK(link.bytes(10).substr(0, 8) == std::string("\x05\x01\x00\x01\x7f\x00\x00\x01", 8));
  link.say(std::string("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10));
  test::pool::welcome(link, identity.get());
  await_job(miner, who);
  mine_one(miner, who, link, 7);
}
