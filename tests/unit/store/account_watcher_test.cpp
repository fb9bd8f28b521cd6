#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <utility>

#include <catch2/catch.hpp>

#include "store/account_watcher.hpp"
#include "test_database.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;

namespace {

/// What a cache told of its accounts.
class told_changes {
 public:
  void operator()(const std::string& name, const std::shared_ptr<const stratumproxy::account>& now_is) {
    const std::lock_guard lock(mutex_);
    last_[name] = now_is;
    told_.notify_all();
  }
  /// Whether it is told within 10 s that the account is so.
  template <class Is>
  bool within_time(const std::string& name, Is is) {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, 10s, [&] { return last_.contains(name) && is(last_[name]); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable told_;
  std::map<std::string, std::shared_ptr<const stratumproxy::account>> last_;
};

/// Tells nothing by itself; its waits are over as soon as something is put in.
class scripted_feed final : public change_feed {
 public:
  struct script {
    std::mutex mutex;
    std::condition_variable put;
    account_changes next;
    int waits = 0;
  };
  explicit scripted_feed(script& of) : script_(of) {}
  account_changes wait(std::chrono::milliseconds limit) override {
    std::unique_lock lock(script_.mutex);
    ++script_.waits;
    script_.put.wait_for(lock, limit, [&] { return script_.next.any || !script_.next.names.empty(); });
    return std::exchange(script_.next, {});
  }

 private:
  script& script_;
};

}  // namespace

TEST_CASE("a change by plain SQL of an account that somebody mines with is passed on within seconds, and so is its removal") {
  const store_test::test_database database(GENERATE(from_range(store_test::kinds())));
  const auto store = database.open();
  const auto name = store_test::add_account(*store, "btc.viabtc.io:3333", "farm", "x").name;
  told_changes told;
  cached_accounts accounts(*store, {.on_change = std::ref(told)});
  account_watcher watcher(store->changes(), accounts);
  std::promise<void> found;
  accounts.find(name, [&](const auto&) { found.set_value(); });
  found.get_future().wait();

  database.run("INSERT INTO user_routes (account, position, pool, pool_user, pool_password) "
               "SELECT '" + name + "', 1, id, 'farm', 'x' FROM pools WHERE host = 'bch.viabtc.io'");
  CHECK(told.within_time(name, [](const auto& account) { return account && account->routes.size() == 2; }));
  database.run("UPDATE pools SET verify = 'full'");
  CHECK(told.within_time(name, [](const auto& account) {
    return account && account->routes[1].pool.verify == stratumproxy::verify_level::full;
  }));
  database.run("DELETE FROM users");
  CHECK(told.within_time(name, [](const auto& account) { return account == nullptr; }));
}

TEST_CASE("a change that could not be read is looked for again, and the end does not wait for a feed that tells nothing") {
  const store_test::test_database database("sqlite");
  const auto store = database.open();
  const auto name = store_test::add_account(*store, "btc.viabtc.io:3333", "farm", "x").name;
  told_changes told;
  cached_accounts accounts(*store, {.on_change = std::ref(told)});
  std::promise<void> found;
  accounts.find(name, [&](const auto&) { found.set_value(); });
  found.get_future().wait();

  scripted_feed::script script;
  auto watcher = std::make_unique<account_watcher>(std::make_unique<scripted_feed>(script), accounts);
  database.run("UPDATE users SET mode = 'dedicated'; ALTER TABLE users RENAME TO away");
  int waits = 0;
  {
    std::unique_lock lock(script.mutex);
    script.next.names = {name};
    waits = script.waits;
    script.put.notify_all();
  }
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  for (bool waits_again = false; !waits_again && std::chrono::steady_clock::now() < deadline;) {
    const std::lock_guard lock(script.mutex);
    waits_again = script.waits > waits;
  }
  database.run("ALTER TABLE away RENAME TO users");
  CHECK(told.within_time(name, [](const auto& account) { return account && account->mode; }));

  const auto before = std::chrono::steady_clock::now();
  watcher.reset();
  CHECK(std::chrono::steady_clock::now() - before < 1s);
}
