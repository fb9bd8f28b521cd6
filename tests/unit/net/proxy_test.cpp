#include "stratumproxy/proxy.hpp"

#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "loopback.hpp"
#include "net/endpoint.hpp"
#include "net/unique_fd.hpp"

using namespace stratumproxy;
using namespace stratumproxy::net;
using test::account_name, test::await_job, test::log_in, test::login, test::member, test::peer, test::submit;

// The real shell on loopback: threads, sockets and the kernel's queues, with the real session layer behind them.
namespace {

struct house {
  test::pool mine;
  test::one_account accounts{mine.port()};
  test::collecting_log log;
  options config = [] {
    options made;
    made.address = "127.0.0.1:0";
    made.threads = 1;
    return made;
  }();
};

std::uint64_t count(const metrics::snapshot& of, std::string_view event, std::string_view value = {}) {
  for (const auto& row : of.events) {
    if (row.name == event && row.value == value) return row.count;
  }
  return 0;
}

}  // namespace

TEST_CASE("a share passes through the real proxy, and so does its verdict", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  REQUIRE(miner.say(submit(who, 7)));
  const std::string up = link.line_with("mining.submit");
  CHECK(up.find(R"("j1")") != std::string::npos);
  link.say(R"({"id":)" + member(up, "id") +
           R"(,"result":true,"error":null})"
           "\n");
  CHECK(member(miner.line_with(R"("id":7)"), "result") == "true");
  const auto taken = served.snapshot();
  CHECK(taken.connections == 1);
  REQUIRE(taken.workers.size() == 1);
  CHECK(taken.workers.front().shares.accepted == 1);
}

TEST_CASE("a miner that ends its side after a submit still gets the verdict, and then the end", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  REQUIRE(miner.say(submit(who, 7)));
  miner.finish_sending();
  const std::string up = link.line_with("mining.submit");
  link.say(R"({"id":)" + member(up, "id") +
           R"(,"result":true,"error":null})"
           "\n");
  CHECK(member(miner.line_with(R"("id":7)"), "result") == "true");
  CHECK(miner.ends());
}

TEST_CASE("a worker comes back to whichever shard the kernel picks and is the same worker", "[loopback]") {
  house at;
  at.config.threads = 2;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  auto miner = std::make_unique<peer>(peer::to(served.address()));
  login who = log_in(*miner);
  peer link = at.mine.welcome();
  await_job(*miner, who);
  // Each return lands on the other shard with even odds: that none of 64 does is no accident that happens.
  for (int i = 0; i < 64 && count(served.snapshot(), "sessions_handed_over") == 0; ++i) {
    miner->finish_sending();
    REQUIRE(miner->ends());
    miner = std::make_unique<peer>(peer::to(served.address()));
    login again = log_in(*miner, who.session);
    CHECK(again.extranonce1 == who.extranonce1);
    await_job(*miner, again);
    who = again;
  }
  const auto taken = served.snapshot();
  CHECK(count(taken, "sessions_handed_over") == 1);
  CHECK(taken.workers.size() == 1);
  CHECK(taken.connections == 1);
  REQUIRE(miner->say(submit(who, 7)));
  const std::string up = link.line_with("mining.submit");
  link.say(R"({"id":)" + member(up, "id") +
           R"(,"result":true,"error":null})"
           "\n");
  CHECK(member(miner->line_with(R"("id":7)"), "result") == "true");
}

TEST_CASE("a refused miner can read why, although it sent more than anybody read", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  for (int i = 0; i < 20; ++i) {
    peer miner = peer::to(served.address());
    // A browser, with more behind its first line than the proxy reads before it refuses.
    miner.say("POST / HTTP/1.1\r\n" + std::string(200'000, 'x'));
    miner.finish_sending();
    CHECK(miner.line().find("HTTP") != std::string::npos);
    CHECK(miner.ends());
  }
}

TEST_CASE("a second proxy on a taken address fails, and succeeds once the first has stopped", "[loopback]") {
  house at;
  at.config.threads = 2;
  proxy first(at.config, at.accounts, at.log);
  REQUIRE_FALSE(first.start());
  options same = at.config;
  same.address = first.address();
  proxy second(same, at.accounts, at.log);
  CHECK(second.start() == errc::address_in_use);
  first.stop();
  CHECK_FALSE(second.start());
  CHECK(second.address() == same.address);
}

TEST_CASE("an address that is none is refused before anything is opened", "[loopback]") {
  house at;
  for (const char* address : {"", "9332", ":9332", "127.0.0.1", "127.0.0.1:70000", "::1:9332", "[127.0.0.1]:9332"}) {
    INFO(address);
    at.config.address = address;
    CHECK(proxy(at.config, at.accounts, at.log).start() == errc::bad_address);
  }
}

TEST_CASE("a miner over the limit of connections is closed at once, and its place is free after another left", "[loopback]") {
  house at;
  at.config.limits.connections = 1;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  {
    peer first = peer::to(served.address());
    first.say("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
    CHECK_FALSE(first.line().empty());
    CHECK(peer::to(served.address()).ends());
    CHECK(count(served.snapshot(), "connections_refused", "limit") == 1);
    first.finish_sending();
    CHECK(first.ends());
  }
  (void)served.snapshot();  // answered after the shard was through with the first one, whose end was seen above
  peer next = peer::to(served.address());
  next.say("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
  CHECK_FALSE(next.line().empty());
}

TEST_CASE("draining closes the workers, takes no new ones and says that nothing was left", "[loopback]") {
  house at;
  at.config.threads = 2;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  const std::string address = served.address();
  peer miner = peer::to(address);
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  auto drained = std::async(std::launch::async, [&] { return served.drain(std::chrono::seconds(10)); });
  CHECK(miner.ends());
  miner.finish_sending();
  CHECK(drained.get());
  const auto parts = *split_host_port(address);
  const auto target = *endpoint::literal(parts.first, parts.second);
  const unique_fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(::connect(late.get(), target.data(), target.size()) != 0);
}

TEST_CASE("a proxy that does not run has nothing to show, and stopping twice is stopping", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  CHECK(served.snapshot().events.empty());
  REQUIRE_FALSE(served.start());
  CHECK_FALSE(served.snapshot().events.empty());
  served.stop();
  served.stop();
  CHECK(served.snapshot().events.empty());
  CHECK(served.drain(std::chrono::seconds(10)));
}

TEST_CASE("an account source may answer after the proxy is gone", "[loopback]") {
  struct late_source final : account_source {
    std::promise<std::function<void(account_lookup)>> asked;
    void find(std::string_view, std::function<void(account_lookup)> done) override { asked.set_value(std::move(done)); }
  } accounts;
  test::collecting_log log;
  options config;
  config.address = "127.0.0.1:0";
  config.threads = 1;
  std::function<void(account_lookup)> done;
  {
    proxy served(config, accounts, log);
    REQUIRE_FALSE(served.start());
    peer miner = peer::to(served.address());
    miner.say(R"({"id":1,"method":"mining.subscribe","params":[]})"
              "\n"
              R"({"id":2,"method":"mining.authorize","params":["00112233445566aa","x"]})"
              "\n");
    done = accounts.asked.get_future().get();
  }
  done({account_lookup::status::unknown, nullptr});
}

TEST_CASE("an account source may answer from a thread of its own", "[loopback]") {
  struct threaded_source final : account_source {
    std::thread thread;
    void find(std::string_view, std::function<void(account_lookup)> done) override {
      thread = std::thread([done = std::move(done)] { done({account_lookup::status::unknown, nullptr}); });
    }
    ~threaded_source() override { thread.join(); }
  } accounts;
  test::collecting_log log;
  options config;
  config.address = "127.0.0.1:0";
  config.threads = 1;
  proxy served(config, accounts, log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  miner.say(R"({"id":1,"method":"mining.subscribe","params":[]})"
            "\n"
            R"({"id":2,"method":"mining.authorize","params":["00112233445566aa","x"]})"
            "\n");
  CHECK(miner.line_with(R"("id":2)").find("24") != std::string::npos);
}

TEST_CASE("a worker is disconnected and moved through the proxy, on whichever shard it is", "[loopback]") {
  house at;
  at.config.threads = 4;
  proxy served(at.config, at.accounts, at.log);
  CHECK_FALSE(served.disconnect("127.0.0.1:1", ""));
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  const auto name = served.snapshot().workers.at(0).address;

  auto other = std::make_shared<account>();
  at.accounts.find(account_name, [&](const account_lookup& found) { *other = *found.found; });
  CHECK(served.move_worker("127.0.0.1:1", other) == move_outcome::unknown_worker);
  other->name = "another";
  CHECK(served.move_worker(name, other) == move_outcome::moved);
  peer other_link = at.mine.welcome();
  await_job(miner, who);
  REQUIRE(miner.say(submit(who, 7)));
  const std::string up = other_link.line_with("mining.submit");
  other_link.say(R"({"id":)" + member(up, "id") + R"(,"result":true,"error":null})" + "\n");
  CHECK(member(miner.line_with(R"("id":7)"), "result") == "true");
  CHECK(served.snapshot().workers.at(0).account == "another");

  CHECK(served.disconnect("127.0.0.1:1", "no one") == false);
  CHECK(served.disconnect(name, "asked for") == true);
  CHECK(miner.line_with("client.show_message").find("closing: asked for") != std::string::npos);
  CHECK(miner.ends());
  CHECK(count(served.snapshot(), "connections_closed", "operator") == 1);
  served.stop();
  CHECK_FALSE(served.disconnect(name, ""));
  CHECK(served.move_worker(name, other) == move_outcome::unavailable);
}

TEST_CASE("a banned address is closed before it is read, and those that are there are let go", "[loopback]") {
  house at;
  at.config.threads = 2;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  const std::vector<ban> bans = {{"127.0.0.0/8", "not from here"}};
  served.set_bans(*ban_list::make(bans));
  CHECK(miner.line_with("client.show_message").find("closing: banned: not from here") != std::string::npos);
  CHECK(miner.ends());
  CHECK(peer::to(served.address()).line().empty());
  auto taken = served.snapshot();
  CHECK(count(taken, "connections_closed", "banned") == 1);
  CHECK(count(taken, "connections_refused", "banned") == 1);
  // It stays over a restart.
  served.stop();
  REQUIRE_FALSE(served.start());
  CHECK(peer::to(served.address()).line().empty());
  served.set_bans(nullptr);
  (void)served.snapshot();  // answered after the shards had it
  peer again = peer::to(served.address());
  log_in(again);
}

TEST_CASE("an address whose miners are closed for what they did is named once", "[loopback]") {
  house at;
  at.config.limits.failed_authorizes = 1;
  proxy served(at.config, at.accounts, at.log);
  CHECK(served.take_offenders(1).empty());
  CHECK(served.shards() == 0);
  REQUIRE_FALSE(served.start());
  CHECK(served.shards() == 1);
  for (int i = 0; i < 3; ++i) {
    peer miner = peer::to(served.address());
    miner.say(R"({"id":1,"method":"mining.authorize","params":["guess","x"]})" "\n");
    CHECK(miner.line().find("24") != std::string::npos);
    CHECK(miner.ends());
  }
  peer leaves = peer::to(served.address());
  leaves.finish_sending();
  CHECK(leaves.ends());
  CHECK(served.take_offenders(4).empty());
  CHECK(served.take_offenders(3) == std::vector<std::string>{"127.0.0.1"});
  CHECK(served.take_offenders(1).empty());
}

TEST_CASE("options change while it runs, and those of the start with the next one", "[loopback]") {
  house at;
  at.config.threads = 2;
  at.config.limits.connections = 1;
  proxy served(at.config, at.accounts, at.log);
  at.config.threads = 3;
  served.set_options(at.config);  // before the start
  REQUIRE_FALSE(served.start());
  CHECK(served.shards() == 3);
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  CHECK(peer::to(served.address()).ends());

  at.config.threads = 1;
  at.config.limits.connections = 3;
  at.config.split.miner_bytes = 5;
  served.set_options(at.config);
  (void)served.snapshot();  // answered after the shards had it
  peer other = peer::to(served.address());
  other.say(R"({"id":1,"method":"mining.subscribe","params":[]})" "\n");
  CHECK(other.line().find(",5],") != std::string::npos);
  CHECK(served.shards() == 3);
  at.config.limits.connections = 1;  // who is there stays
  served.set_options(at.config);
  REQUIRE(miner.say(submit(who, 7)));
  const std::string up = link.line_with("mining.submit");
  link.say(R"({"id":)" + member(up, "id") + R"(,"result":true,"error":null})" + "\n");
  CHECK(member(miner.line_with(R"("id":7)"), "result") == "true");
  CHECK(peer::to(served.address()).ends());

  served.stop();
  REQUIRE_FALSE(served.start());
  CHECK(served.shards() == 1);
}

TEST_CASE("a miner with more unread than is allowed from now on has time to read it", "[loopback]") {
  house at;
  at.config.limits.output_bytes = 1 << 20;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  // Requests whose answers nobody reads, until the kernel takes no more of them and the proxy reads on no more: it then sends no jobs.
  constexpr int asked = 400'000;
  auto asking = std::async(std::launch::async, [&] {
    std::string some;
    for (int i = 0; i < 1'000; ++i) some += R"({"id":9,"method":"mining.extranonce.subscribe","params":[]})" "\n";
    for (int i = 0; i < asked; i += 1'000) {
      if (!miner.say(some)) return false;
    }
    return true;
  });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (int job = 2; count(served.snapshot(), "jobs_coalesced") == 0 && std::chrono::steady_clock::now() < deadline; ++job)
    link.say(test::pool::job("j" + std::to_string(job)));
  REQUIRE(count(served.snapshot(), "jobs_coalesced") > 0);

  at.config.limits.output_bytes = 16 * 1024;
  served.set_options(at.config);
  int answers = 0;
  while (answers < asked && !miner.line_with(R"("id":9)").empty()) ++answers;
  CHECK(answers == asked);
  CHECK(asking.get());
  CHECK(served.snapshot().connections == 1);
}
