#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "loopback.hpp"
#include "stratumproxy/proxy.hpp"

using namespace stratumproxy;
using namespace stratumproxy::test;

namespace {

// A proxy, its pool, and a miner that is logged in and has a job.
struct house {
  house() {
    options config;
    config.address = "127.0.0.1:0";
    config.threads = 2;
    served = std::make_unique<proxy>(config, accounts, log);
    REQUIRE_FALSE(served->start());
    miner = std::make_unique<peer>(peer::to(served->address()));
    who = log_in(*miner);
    link = std::make_unique<peer>(mine.welcome());
    await_job(*miner, who);
  }
  // What the miner hears of a share that the pool answers with `result`.
  std::string verdict(int id, const std::string& result) {
    REQUIRE(miner->say(submit(who, id)));
    const std::string up = link->line_with("mining.submit");
    link->say(R"({"id":)" + member(up, "id") + R"(,"result":)" + result + R"(,"error":null})" + "\n");
    return member(miner->line_with(R"("id":)" + std::to_string(id)), "result");
  }

  pool mine;
  one_account accounts{mine.port()};
  collecting_log log;
  std::unique_ptr<proxy> served;
  std::unique_ptr<peer> miner, link;
  login who;
};

}  // namespace

TEST_CASE("two proxies in one process know nothing of each other, though their accounts have one name", "[loopback]") {
  house one, other;
  CHECK(one.served->address() != other.served->address());
  CHECK(one.verdict(7, "true") == "true");
  CHECK(other.verdict(7, "false") != "true");
  CHECK(other.verdict(8, "true") == "true");

  const auto first = one.served->snapshot();
  const auto second = other.served->snapshot();
  REQUIRE(first.totals.size() == 1);
  REQUIRE(second.totals.size() == 1);
  CHECK(first.totals.front().pool == "127.0.0.1:" + std::to_string(one.mine.port()));
  CHECK(second.totals.front().pool == "127.0.0.1:" + std::to_string(other.mine.port()));
  CHECK(first.totals.front().shares.sent == 1);
  CHECK(first.totals.front().shares.accepted == 1);
  CHECK(second.totals.front().shares.sent == 2);
  CHECK(second.totals.front().shares.accepted == 1);
  CHECK(first.workers.size() == 1);
  CHECK(second.workers.size() == 1);
}

TEST_CASE("the end of one proxy is not felt by another in the process", "[loopback]") {
  house one, other;
  one.served.reset();
  CHECK(one.miner->ends());
  CHECK(other.verdict(7, "true") == "true");
  // A session of the one is nothing to the other: the miner is a new one there.
  peer stranger = peer::to(other.served->address());
  const login got = log_in(stranger, one.who.session);
  CHECK(got.session != one.who.session);
}
