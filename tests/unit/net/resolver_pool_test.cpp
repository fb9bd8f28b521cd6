#include "net/resolver_pool.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using namespace stratumproxy;
using namespace stratumproxy::net;
using addresses = resolver_pool::addresses;

namespace {

addresses some(const std::string& host) { return {*endpoint::literal(host, 0)}; }

// Answers what it is told to, and only when it is allowed to; the time is its own.
struct fake_names {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, addresses> answers;
  bool held = false;
  int asked = 0;
  std::atomic<time_point> now{time_point(std::chrono::hours(1))};

  addresses look_up(const std::string& host) {
    std::unique_lock lock(mutex);
    ++asked;
    changed.notify_all();
    changed.wait(lock, [this] { return !held; });
    return answers[host];
  }
  void answer(const std::string& host, addresses with) {
    const std::lock_guard lock(mutex);
    answers[host] = std::move(with);
  }
  void hold(bool on) {
    const std::lock_guard lock(mutex);
    held = on;
    changed.notify_all();
  }
  void await_asked(int times) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked >= times; });
  }
  int times_asked() {
    const std::lock_guard lock(mutex);
    return asked;
  }
};

struct fixture {
  std::shared_ptr<fake_names> names = std::make_shared<fake_names>();
  resolver_pool pool{2, [shared = names](const std::string& host) { return shared->look_up(host); },
                     [shared = names] { return shared->now.load(); }};

  ~fixture() { names->hold(false); }

  // What resolve() comes to, whichever way it answers.
  addresses resolve(const std::string& host) {
    std::promise<addresses> answer;
    if (auto known = pool.resolve(host, [&](const addresses& found) { answer.set_value(found); })) return *known;
    return answer.get_future().get();
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "a name is looked up once, and known at once for a minute") {
  names->answer("pool", some("192.0.2.1"));
  CHECK(resolve("pool") == some("192.0.2.1"));
  names->answer("pool", some("192.0.2.2"));
  names->now = names->now.load() + std::chrono::seconds(59);
  const auto known = pool.resolve("pool", [](const addresses&) { FAIL("called although the answer was known"); });
  REQUIRE(known);
  CHECK(*known == some("192.0.2.1"));
  CHECK(names->times_asked() == 1);
  names->now = names->now.load() + std::chrono::seconds(1);
  CHECK(resolve("pool") == some("192.0.2.2"));
  CHECK(names->times_asked() == 2);
}

TEST_CASE_METHOD(fixture, "a thousand links that ask for one slow name cause one look-up and all get its answer") {
  names->answer("pool", some("192.0.2.1"));
  names->hold(true);
  std::vector<std::promise<addresses>> answers(1'000);
  for (auto& answer : answers) CHECK_FALSE(pool.resolve("pool", [&](const addresses& found) { answer.set_value(found); }));
  names->hold(false);
  for (auto& answer : answers) CHECK(answer.get_future().get() == some("192.0.2.1"));
  CHECK(names->times_asked() == 1);
}

TEST_CASE_METHOD(fixture, "a name that fails has its last good addresses, one that never worked has none") {
  CHECK(resolve("unknown").empty());
  CHECK(pool.last_good("unknown").empty());
  names->answer("pool", some("192.0.2.1"));
  CHECK(resolve("pool") == some("192.0.2.1"));
  names->answer("pool", {});
  names->now = names->now.load() + std::chrono::hours(1);
  CHECK(resolve("pool") == some("192.0.2.1"));
  CHECK(names->times_asked() == 3);
  CHECK(resolve("pool") == some("192.0.2.1"));  // stale addresses do not count as fresh
  CHECK(names->times_asked() == 4);
}

TEST_CASE_METHOD(fixture, "the last good addresses are at hand while a look-up hangs, and its late answer is kept") {
  names->answer("pool", some("192.0.2.1"));
  CHECK(resolve("pool") == some("192.0.2.1"));
  names->now = names->now.load() + std::chrono::hours(1);
  names->answer("pool", some("192.0.2.2"));
  names->hold(true);
  std::promise<addresses> late;
  CHECK_FALSE(pool.resolve("pool", [&](const addresses& found) { late.set_value(found); }));
  names->await_asked(2);
  CHECK(pool.last_good("pool") == some("192.0.2.1"));
  names->hold(false);
  CHECK(late.get_future().get() == some("192.0.2.2"));
  CHECK(pool.last_good("pool") == some("192.0.2.2"));
}

TEST_CASE_METHOD(fixture, "one hanging name does not hold up another") {
  auto hang = std::make_shared<std::promise<void>>();
  auto released = hang->get_future().share();
  resolver_pool two(2, [released](const std::string& host) {
    if (host == "slow") released.wait();
    return some("192.0.2.9");
  });
  std::promise<addresses> slow;
  CHECK_FALSE(two.resolve("slow", [&](const addresses& found) { slow.set_value(found); }));
  std::promise<addresses> quick;
  CHECK_FALSE(two.resolve("quick", [&](const addresses& found) { quick.set_value(found); }));
  CHECK(quick.get_future().get() == some("192.0.2.9"));
  hang->set_value();
  CHECK(slow.get_future().get() == some("192.0.2.9"));
}

TEST_CASE_METHOD(fixture, "with too many names waiting the next one is answered at once with what is known") {
  names->hold(true);
  std::atomic<int> called{0};
  const auto count = [&](const addresses&) { ++called; };
  (void)pool.resolve("busy 0", count);
  (void)pool.resolve("busy 1", count);
  names->await_asked(2);  // both threads hang
  for (std::size_t i = 0; i < resolver_pool::max_queued; ++i) CHECK_FALSE(pool.resolve("q" + std::to_string(i), count));
  CHECK(called == 0);
  bool refused = false;
  CHECK_FALSE(pool.resolve("one more", [&](const addresses& found) { refused = found.empty(); }));
  CHECK(refused);
}

TEST_CASE("a pool of resolvers ends although a look-up hangs, and the late answer goes nowhere") {
  auto hang = std::make_shared<std::promise<void>>();
  auto asked = std::make_shared<std::promise<void>>();
  auto gone = std::make_shared<std::promise<void>>();
  {
    resolver_pool pool(1, [hang, asked, gone](const std::string&) {
      asked->set_value();
      hang->get_future().wait();
      gone->set_value();
      return addresses{};
    });
    (void)pool.resolve("slow", [](const addresses&) { std::abort(); });
    asked->get_future().wait();
  }
  hang->set_value();
  gone->get_future().wait();
}
