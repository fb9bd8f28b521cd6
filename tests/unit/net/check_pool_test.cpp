#include "net/check_pool.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "loopback.hpp"
#include "simulation.hpp"
#include "stratumproxy/asio.hpp"
#include "stratumproxy/proxy.hpp"

using namespace stratumproxy;
using namespace stratumproxy::net;

namespace {

std::uint32_t nonce_of(std::span<const std::uint8_t> header) {
  return header[76] | header[77] << 8U | header[78] << 16U | static_cast<std::uint32_t>(header[79]) << 24U;
}

// A hash that is the nonce, and takes as long as the test wants.
struct slow_hash {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::uint32_t> begun;
  std::set<std::uint32_t> held;
  std::set<std::thread::id> threads;

  void hold(std::set<std::uint32_t> nonces) {
    const std::lock_guard lock(mutex);
    held = std::move(nonces);
    changed.notify_all();
  }
  void await_begun(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return begun.size() >= count; });
  }
  bool compute(std::span<const std::uint8_t> header, std::span<std::uint8_t, 32> hash) {
    const auto nonce = nonce_of(header);
    std::unique_lock lock(mutex);
    begun.push_back(nonce);
    threads.insert(std::this_thread::get_id());
    changed.notify_all();
    changed.wait(lock, [&] { return !held.contains(nonce); });
    std::fill(hash.begin(), hash.end(), std::uint8_t{0});
    std::copy_n(header.begin() + 76, 4, hash.begin());
    return true;
  }
};

// What came out, in the order in which it came.
struct outcomes {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::uint64_t> hashes;
  std::vector<std::error_code> errors;

  check_pool::callback take() {
    return [this](const result<algorithm::proof>& outcome) {
      const std::lock_guard lock(mutex);
      if (outcome)
        hashes.push_back(outcome->hash.words[0]);
      else
        errors.push_back(outcome.error());
      changed.notify_all();
    };
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return hashes.size() + errors.size();
  }
  std::vector<std::uint64_t> await(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return hashes.size() + errors.size() >= count; });
    return hashes;
  }
};

struct fixture {
  std::shared_ptr<slow_hash> hash = std::make_shared<slow_hash>();
  std::shared_ptr<const algorithm::work> work = std::make_shared<algorithm::work>();
  std::shared_ptr<const algorithm::info> how = [this] {
    auto made = std::make_shared<algorithm::info>();
    made->name = "test";
    made->hash = [shared = hash](auto header, auto to) { return shared->compute(header, to); };
    return made;
  }();
  outcomes got;
  std::unique_ptr<check_pool> pool;

  ~fixture() { hash->hold({}); }  // before the pool waits for the check in hand

  void start(unsigned threads, std::size_t max_queued) { pool = std::make_unique<check_pool>(threads, max_queued); }

  [[nodiscard]] session::proof_request share(std::uint32_t nonce) const {
    session::proof_request made{how, work, {}};
    made.share.nonce = nonce;
    return made;
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "a check pool computes the proof of work of each share, on threads of its own") {
  start(2, 16);
  for (const std::uint32_t nonce : {5U, 6U, 7U}) CHECK(pool->check(share(nonce), got.take()));
  CHECK(got.await(3) == std::vector<std::uint64_t>{5, 6, 7});
  CHECK_FALSE(hash->threads.contains(std::this_thread::get_id()));
}

TEST_CASE_METHOD(fixture, "a check pool tells why a share could not be judged") {
  start(1, 16);
  auto bad = share(1);
  bad.share.version_bits = 1;  // outside of a mask of 0
  CHECK(pool->check(bad, got.take()));
  (void)got.await(1);
  CHECK(got.errors == std::vector{make_error_code(errc::out_of_range)});
}

TEST_CASE_METHOD(fixture, "outcomes come in the order of the checks although a later one is done first") {
  hash->hold({1});
  start(2, 16);
  for (const std::uint32_t nonce : {1U, 2U, 3U, 4U}) CHECK(pool->check(share(nonce), got.take()));
  hash->await_begun(4);  // the second thread is done with 2 and 3
  CHECK(got.count() == 0);
  hash->hold({});
  CHECK(got.await(4) == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE_METHOD(fixture, "a check pool with its queue full refuses, calls nothing, and takes checks again once there is room") {
  hash->hold({1});
  start(1, 2);
  CHECK(pool->check(share(1), got.take()));  // in hand
  CHECK(pool->check(share(2), got.take()));
  CHECK(pool->check(share(3), got.take()));
  CHECK_FALSE(pool->check(share(4), got.take()));
  hash->hold({});
  CHECK(got.await(3) == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(pool->check(share(5), got.take()));
  CHECK(got.await(4).back() == 5);
}

TEST_CASE_METHOD(fixture, "checks that are done but wait for an earlier one fill the queue, too") {
  hash->hold({1});
  start(2, 2);
  for (const std::uint32_t nonce : {1U, 2U, 3U, 4U}) CHECK(pool->check(share(nonce), got.take()));
  hash->await_begun(4);
  CHECK_FALSE(pool->check(share(5), got.take()));
}

TEST_CASE_METHOD(fixture, "a check pool uses as many threads as it is allowed when there is work for them") {
  hash->hold({1, 2, 3, 4});
  start(3, 16);
  for (const std::uint32_t nonce : {1U, 2U, 3U, 4U}) CHECK(pool->check(share(nonce), got.take()));
  hash->await_begun(3);
  {
    const std::lock_guard lock(hash->mutex);
    CHECK(hash->threads.size() == 3);
    CHECK(hash->begun.size() == 3);
  }
  hash->hold({});
  CHECK(got.await(4) == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE_METHOD(fixture, "checks that come one after another need one thread only") {
  start(3, 16);
  for (std::uint32_t nonce = 1; nonce <= 4; ++nonce) {
    CHECK(pool->check(share(nonce), got.take()));
    (void)got.await(nonce);
  }
  CHECK(hash->threads.size() == 1);
}

TEST_CASE_METHOD(fixture, "a check pool that stops ends with the check in hand, drops the others and calls nobody") {
  hash->hold({1});
  start(1, 16);
  CHECK(pool->check(share(1), got.take()));
  hash->await_begun(1);
  auto dropped = std::make_shared<std::promise<void>>();
  auto is_dropped = dropped->get_future();  // by a broken promise, once nobody has it any more
  CHECK(pool->check(share(2), [count = got.take(), owned = std::move(dropped)](const auto& outcome) { count(outcome); }));
  auto stopped = std::async(std::launch::async, [last = std::move(pool)]() mutable { last.reset(); });
  is_dropped.wait();
  hash->hold({});
  stopped.get();
  CHECK(hash->begun == std::vector<std::uint32_t>{1});
  CHECK(got.count() == 0);
}

namespace {

// An account whose shares are checked, slowly.
struct checked_account final : account_source {
  explicit checked_account(std::uint16_t port) {
    account_route route;
    route.pool.host = "127.0.0.1";
    route.pool.port = port;
    route.pool.algorithm = "by-nonce-slow";
    route.pool.verify = verify_level::full;
    route.user = "pooluser";
    auto made = std::make_shared<account>();
    made->name = test::account_name;
    made->routes.push_back(std::move(route));
    known = std::move(made);
  }
  void find(std::string_view, std::function<void(account_lookup)> done) override { done({account_lookup::status::found, known}); }

  std::shared_ptr<const account> known;
};

options checking() {
  options config;
  config.address = "127.0.0.1:0";
  config.threads = 1;
  config.checks.threads = 2;
  config.algorithms = simulation::algorithms_by_nonce();
  return config;
}

std::string submit(const test::login& who, int id, double difficulty) {
  char nonce[9];
  std::snprintf(nonce, sizeof(nonce), "%08x", simulation::nonce_of_difficulty(difficulty));
  std::string line = test::submit(who, id);
  return line.replace(line.find("00000001"), 8, nonce);
}

// The pool wants 16, and its blocks 1.
void check_that_shares_are_checked(const std::string& address, test::pool& mine) {
  test::peer miner = test::peer::to(address);
  test::login who = test::log_in(miner);
  test::peer link = mine.welcome();
  test::await_job(miner, who);
  REQUIRE(miner.say(submit(who, 7, 0.5) + submit(who, 8, 32)));
  const std::string refused = miner.line_with(R"("id":7)");
  CHECK(refused.find("[23,") != std::string::npos);
  const std::string up = link.line_with("mining.submit");
  CHECK(up.find(submit(who, 8, 32).substr(submit(who, 8, 32).find("66a00000"), 19)) != std::string::npos);
  link.say(R"({"id":)" + test::member(up, "id") + R"(,"result":true,"error":null})" + "\n");
  CHECK(test::member(miner.line_with(R"("id":8)"), "result") == "true");
}

}  // namespace

TEST_CASE("slow proofs of work are checked behind the real proxy", "[loopback]") {
  test::pool mine;
  checked_account accounts(mine.port());
  test::collecting_log log;
  proxy served(checking(), accounts, log);
  REQUIRE_FALSE(served.start());
  check_that_shares_are_checked(served.address(), mine);
  CHECK(served.snapshot().pools.at(0).unchecked == 0);
}

TEST_CASE("slow proofs of work are checked beside somebody else's loop", "[loopback]") {
  test::pool mine;
  checked_account accounts(mine.port());
  test::collecting_log log;
  asio::io_context io;
  asio_proxy served(io, checking(), accounts, log);
  REQUIRE_FALSE(served.start());
  auto loop = std::async(std::launch::async, [&] { io.run(); });
  struct stop_at_end {
    asio_proxy& served;
    asio::io_context& io;
    ~stop_at_end() {
      asio::post(io, [&] { served.stop(); });
    }
  } end{served, io};
  check_that_shares_are_checked(served.address(), mine);
}
