#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "loopback.hpp"
#include "stratumproxy/proxy.hpp"

using namespace stratumproxy;
using namespace stratumproxy::net;
using test::log_in, test::login, test::peer;

// Where miners connect, and how it is known who they are.
namespace {

struct house {
  test::pool mine;
  test::one_account accounts{mine.port()};
  test::collecting_log log;
  options config = [] {
    options made;
    made.address = "127.0.0.1:0";
    made.threads = 2;
    return made;
  }();

  void trust_loopback() { config.proxy_protocol_from = {"10.0.0.0/8", "127.0.0.1"}; }
};

std::uint64_t count(const metrics::snapshot& of, std::string_view event, std::string_view value = {}) {
  for (const auto& row : of.events)
    if (row.name == event && row.value == value) return row.count;
  return 0;
}

std::vector<std::string> workers_of(proxy& served) {
  std::vector<std::string> found;
  for (const auto& row : served.snapshot().workers) found.push_back(row.address);
  std::sort(found.begin(), found.end());
  return found;
}

std::string port_of(const std::string& address) { return address.substr(address.rfind(':')); }

constexpr const char* subscribe = R"({"id":1,"method":"mining.subscribe","params":[]})" "\n";

}  // namespace

TEST_CASE("a proxy serves on all of its addresses, of either family", "[loopback]") {
  house at;
  at.config.more_listeners = {{.address = "[::1]:0", .proxy_protocol_from = {}}, {.address = "[::]:0", .proxy_protocol_from = {}}};
  proxy served(at.config, at.accounts, at.log);
  CHECK(served.addresses().empty());
  REQUIRE_FALSE(served.start());
  const auto bound = served.addresses();
  REQUIRE(bound.size() == 3);
  CHECK(bound[0] == served.address());
  CHECK(bound[1].starts_with("[::1]:"));
  CHECK(bound[2].starts_with("[::]:"));
  std::vector<peer> miners;
  for (const auto& address : {bound[0], bound[1], std::string("[::1]").append(port_of(bound[2])),
                              std::string("127.0.0.1").append(port_of(bound[2]))}) {
    miners.push_back(peer::to(address));
    log_in(miners.back());
  }
  const auto workers = workers_of(served);
  REQUIRE(workers.size() == 4);
  CHECK(std::count_if(workers.begin(), workers.end(), [](const auto& name) { return name.starts_with("127.0.0.1:"); }) == 2);
  CHECK(std::count_if(workers.begin(), workers.end(), [](const auto& name) { return name.starts_with("[::1]:"); }) == 2);
}

TEST_CASE("a proxy that cannot have all of its addresses has none", "[loopback]") {
  house at, other;
  proxy first(at.config, at.accounts, at.log);
  REQUIRE_FALSE(first.start());
  other.config.more_listeners = {{.address = first.address(), .proxy_protocol_from = {}}};
  proxy second(other.config, other.accounts, other.log);
  CHECK(second.start() == errc::address_in_use);
  CHECK(second.addresses().empty());
  other.config.more_listeners.clear();
  for (const char* network : {"10.0.0.1/8", "farm", "00112233445566aa", ""}) {
    INFO(network);
    other.config.proxy_protocol_from = {network};
    CHECK(proxy(other.config, other.accounts, other.log).start() == errc::bad_address);
  }
}

TEST_CASE("behind a trusted balancer the header says whose connection it is", "[loopback]") {
  house at;
  at.trust_loopback();
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer one = peer::to(served.address()), two = peer::to(served.address()), itself = peer::to(served.address());
  one.say("PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332\r\n");
  log_in(one);
  two.say(std::string("\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24", 16) + std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16) +
          std::string(16, '\0') + "\xc7\x38\x24\x74");
  log_in(two);
  CHECK(workers_of(served) == std::vector<std::string>{"192.0.2.7:51000", "[2001:db8::7]:51000"});
  itself.say("PROXY UNKNOWN\r\n");
  log_in(itself);
  CHECK(workers_of(served).front().starts_with("127.0.0.1:"));
}

TEST_CASE("a header that comes in pieces is as good, with the first lines right behind it", "[loopback]") {
  house at;
  at.trust_loopback();
  at.config.threads = 1;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  const std::string bytes = "PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332\r\n" + std::string(subscribe);
  for (std::size_t at_byte = 0; at_byte < bytes.size(); at_byte += 9) {
    miner.say(bytes.substr(at_byte, 9));
    (void)served.snapshot();  // the shard was awake since
  }
  CHECK(miner.line().find("mining.notify") != std::string::npos);
  CHECK(count(served.snapshot(), "connections_refused", "proxy_header") == 0);
}

TEST_CASE("a connection of a trusted balancer without a header is closed unanswered, and why is told", "[loopback]") {
  house at;
  at.trust_loopback();
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  miner.say(subscribe);
  CHECK(miner.line().empty());
  peer torn = peer::to(served.address());
  torn.say("PROXY TCP4 192.0");
  torn.finish_sending();
  CHECK(torn.line().empty());
  {
    peer looks = peer::to(served.address());
    looks.finish_sending();
    CHECK(looks.ends());
  }
  const auto taken = served.snapshot();
  CHECK(count(taken, "connections_refused", "proxy_header") == 2);
  CHECK(taken.connections == 0);
  CHECK(at.log.text().find("proxy_header_missing") != std::string::npos);
}

TEST_CASE("a health check that only connects, and resets, is nobody without a header", "[loopback]") {
  house at;
  at.trust_loopback();
  at.config.threads = 1;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer looks = peer::to(served.address());
  looks.reset();
  peer behind = peer::to(served.address());
  behind.say("PROXY UNKNOWN\r\n");
  log_in(behind);  // it was accepted after the other one
  CHECK(count(served.snapshot(), "connections_refused", "proxy_header") == 0);
  CHECK(at.log.text().find("proxy_header_missing") == std::string::npos);
}

TEST_CASE("a header that does not come is not waited for longer than for a first message", "[loopback]") {
  house at;
  at.trust_loopback();
  at.config.limits.first_message = std::chrono::milliseconds(50);
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer silent = peer::to(served.address()), slow = peer::to(served.address());
  slow.say("PROXY ");
  CHECK(silent.ends());
  CHECK(slow.line().empty());
  CHECK(count(served.snapshot(), "connections_refused", "proxy_header") == 2);
}

TEST_CASE("a header of somebody who is not trusted is refused", "[loopback]") {
  house at;
  at.config.proxy_protocol_from = {"10.0.0.0/8"};
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  miner.say("PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332\r\n" + std::string(subscribe));
  CHECK(miner.line_with("result").empty());
  CHECK(served.snapshot().workers.empty());
  peer plain = peer::to(served.address());
  log_in(plain);
}

TEST_CASE("bans and offences are the miner's, not the balancer's", "[loopback]") {
  house at;
  at.trust_loopback();
  at.config.limits.failed_authorizes = 1;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  {
    peer miner = peer::to(served.address());
    miner.say("PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332\r\n" R"({"id":1,"method":"mining.authorize","params":["guess","x"]})" "\n");
    CHECK(miner.line().find("24") != std::string::npos);
    CHECK(miner.ends());
  }
  CHECK(served.take_offenders(1) == std::vector<std::string>{"192.0.2.7"});
  const std::vector<ban> bans = {{"192.0.2.0/24", "not from there"}};
  served.set_bans(*ban_list::make(bans));
  (void)served.snapshot();  // answered after the shards had it
  peer banned = peer::to(served.address()), other = peer::to(served.address());
  banned.say("PROXY TCP4 192.0.2.8 198.51.100.1 51000 9332\r\n" + std::string(subscribe));
  CHECK(banned.line().empty());
  CHECK(count(served.snapshot(), "connections_refused", "banned") == 1);
  other.say("PROXY TCP4 192.0.3.8 198.51.100.1 51000 9332\r\n");
  log_in(other);
}

TEST_CASE("a worker that comes back to another shard is still known by the address in its header", "[loopback]") {
  house at;
  at.trust_loopback();
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  const std::string header = "PROXY TCP4 192.0.2.7 198.51.100.1 51000 9332\r\n";
  login who;
  for (int i = 0; i < 64 && count(served.snapshot(), "sessions_handed_over") == 0; ++i) {
    peer miner = peer::to(served.address());
    miner.say(header);
    who = log_in(miner, who.session);
    CHECK(workers_of(served) == std::vector<std::string>{"192.0.2.7:51000"});
    miner.finish_sending();
    CHECK(miner.ends());
  }
  CHECK(count(served.snapshot(), "sessions_handed_over") == 1);
}

TEST_CASE("sockets that listen already are served, however many there are for the shards", "[loopback]") {
  const unsigned shards = GENERATE(1u, 2u, 3u);
  CAPTURE(shards);
  house at;
  at.config.threads = shards;
  at.config.address = "127.0.0.1:1";  // which it does not bind
  at.config.more_listeners = {{.address = "127.0.0.1:0", .proxy_protocol_from = {}}};
  auto made = listen_on(*endpoint::literal("127.0.0.1", 0), 2);
  REQUIRE(made);
  const auto address = endpoint::local_of(made->front().get())->text();
  peer early = peer::to(address);
  listening_sockets inherited;
  inherited.push_back(std::move(*made));
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start(std::move(inherited)));
  CHECK(served.address() == address);
  REQUIRE(served.addresses().size() == 2);
  log_in(early);
  // The kernel spreads them over both sockets: that all of 32 fall on one does not happen.
  std::vector<peer> miners;
  for (int i = 0; i < 32; ++i) {
    miners.push_back(peer::to(i % 2 == 0 ? address : served.addresses()[1]));
    log_in(miners.back());
  }
  CHECK(served.snapshot().connections == 33);
}

TEST_CASE("a proxy goes on with another one's sockets, and whoever waits to be accepted is served", "[loopback]") {
  house at, next;
  proxy old(at.config, at.accounts, at.log);
  CHECK(old.listeners().empty());
  REQUIRE_FALSE(old.start());
  peer staying = peer::to(old.address());
  log_in(staying);
  auto sockets = old.listeners();
  REQUIRE(sockets.size() == 1);
  CHECK(sockets[0].size() == 2);
  old.stop_accepting();
  (void)old.snapshot();  // answered after the shards had it
  peer waits = peer::to(old.address());
  next.config.threads = 3;
  proxy served(next.config, next.accounts, next.log);
  REQUIRE_FALSE(served.start(std::move(sockets)));
  CHECK(served.address() == old.address());
  log_in(waits);
  CHECK(served.snapshot().connections == 1);
  CHECK(old.snapshot().connections == 1);
  old.stop();
  for (int i = 0; i < 16; ++i) {
    peer miner = peer::to(served.address());
    log_in(miner);
  }
}

TEST_CASE("what does not listen cannot be inherited, and neither can more than there are listeners", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    listening_sockets plain(1);
    plain[0].emplace_back(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    CHECK(served.start(std::move(plain)) == std::errc::invalid_argument);
  }
  CHECK(served.start(listening_sockets(2)) == std::errc::invalid_argument);
  REQUIRE_FALSE(served.start(listening_sockets(1)));
}
