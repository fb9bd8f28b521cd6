#include "ban_keeper.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "memory_store.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using stratumproxy::test::collecting_log;
using stratumproxy::test::memory_store;
using stratumproxy::test::tester;

namespace {

/// What the keeper publishes, to be waited for.
class published {
 public:
  void operator()(std::shared_ptr<const stratumproxy::ban_list> list) {
    const std::lock_guard lock(mutex_);
    last_ = std::move(list);
    ++times_;
    news_.notify_all();
  }
  template <class Is>
  bool within_time(Is is) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, 10s, [&] { return last_ && is(*last_); });
  }
  int times() {
    const std::lock_guard lock(mutex_);
    return times_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::shared_ptr<const stratumproxy::ban_list> last_;
  int times_ = 0;
};

auto bans(const std::string& address) {
  return [address](const stratumproxy::ban_list& list) { return list.of_address(address) != nullptr; };
}
auto spares(const std::string& address) {
  return [address](const stratumproxy::ban_list& list) { return list.of_address(address) == nullptr; };
}

}  // namespace

TEST_CASE("the bans are there from the start, and those that others write are seen") {
  memory_store database;
  collecting_log log;
  published list;
  database.add_ban(tester, {.subject = "10.0.0.0/8", .reason = "x"});
  ban_keeper keeper(database, log, std::ref(list), {.interval = 1ms});
  CHECK(list.times() == 1);
  CHECK(list.within_time(bans("10.1.1.1")));
  database.add_ban(tester, {.subject = "10.9.9.9/99", .reason = "nonsense by plain SQL"});
  database.add_ban(tester, {.subject = "192.168.1.1", .reason = "x"});
  CHECK(list.within_time(bans("192.168.1.1")));
  CHECK(keeper.size() == 2);
  database.remove_ban(tester, "10.0.0.0/8");
  CHECK(list.within_time(spares("10.1.1.1")));
}

TEST_CASE("a change that was made here holds when refresh returns") {
  memory_store database;
  collecting_log log;
  published list;
  ban_keeper keeper(database, log, std::ref(list), {.interval = 1h});
  database.add_ban(tester, {.subject = "10.1.1.1", .reason = "x"});
  keeper.refresh();
  CHECK(keeper.size() == 1);
  CHECK(list.times() == 2);
}

TEST_CASE("the last bans hold while the database is away, until their time is over") {
  memory_store database;
  collecting_log log;
  published list;
  database.add_ban(tester, {.subject = "10.1.1.1", .reason = "x"});
  database.add_ban(tester, {.subject = "10.2.2.2", .reason = "x", .seconds = 1});
  ban_keeper keeper(database, log, std::ref(list), {.interval = 1ms});
  database.down = true;
  keeper.refresh();
  CHECK(list.within_time(spares("10.2.2.2")));
  CHECK(list.within_time(bans("10.1.1.1")));
  database.remove_ban_while_down("10.1.1.1");
  database.down = false;
  CHECK(list.within_time(spares("10.1.1.1")));
}

TEST_CASE("a proxy does not start without knowing whom it must not serve") {
  memory_store database;
  collecting_log log;
  published list;
  database.down = true;
  CHECK_THROWS_AS(ban_keeper(database, log, std::ref(list)), store_unavailable);
}

TEST_CASE("offenders are banned for a while where that is wanted, but for those on this host") {
  memory_store database;
  collecting_log log;
  published list;
  std::atomic<bool> told{false};
  const auto offenders = [&] { return told.exchange(true) ? std::vector<std::string>{} : std::vector<std::string>{"127.0.0.1", "::1", "10.1.1.1", "2001:db8::7"}; };
  {
    ban_keeper idle(database, log, std::ref(list), {.interval = 1ms, .offenders = offenders});
    database.add_ban(tester, {.subject = "10.9.9.9", .reason = "x"});
    CHECK(list.within_time(bans("10.9.9.9")));
    CHECK_FALSE(told);
  }
  ban_keeper keeper(database, log, std::ref(list), {.interval = 1ms, .automatic = 600s, .offenders = offenders});
  CHECK(list.within_time(bans("10.1.1.1")));
  CHECK(list.within_time(bans("2001:db8::7")));
  CHECK(list.within_time(spares("127.0.0.1")));
  for (const auto& row : database.bans()) CHECK(row.seconds.value_or(600) == 600);
  CHECK(database.bans().size() == 3);
}

TEST_CASE("offenders are banned from the time on that it is wanted") {
  memory_store database;
  collecting_log log;
  published list;
  ban_keeper keeper(database, log, std::ref(list), {.interval = 1ms, .offenders = [] { return std::vector<std::string>{"10.1.1.1"}; }});
  database.add_ban(tester, {.subject = "10.9.9.9", .reason = "x"});
  CHECK(list.within_time(bans("10.9.9.9")));
  CHECK(list.within_time(spares("10.1.1.1")));
  keeper.set_automatic(60s);
  CHECK(list.within_time(bans("10.1.1.1")));
}
