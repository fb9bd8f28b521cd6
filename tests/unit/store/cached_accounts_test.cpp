#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "memory_access_tables.hpp"
#include "memory_session_table.hpp"
#include "store/cached_accounts.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using stratumproxy::account_lookup;
using status = account_lookup::status;

namespace {

/// A store of accounts that can be away, or hold its answers back.
class scripted_store final : public store {
 public:
  std::shared_ptr<const stratumproxy::account> find_account(std::string_view name) override {
    std::unique_lock lock(mutex_);
    ++asked;
    changed_.notify_all();
    const auto found = accounts_.find(std::string(name));
    const auto answer = found == accounts_.end() ? nullptr : found->second;  // as of when it was asked
    changed_.wait(lock, [&] { return !held_; });
    if (away) throw store_unavailable("away");
    return answer;
  }
  std::map<std::string, std::uint64_t> revisions(std::span<const std::string> names) override {
    const std::lock_guard guard(mutex_);
    compared += static_cast<int>(names.size());
    if (away) throw store_unavailable("away");
    std::map<std::string, std::uint64_t> found;
    for (const auto& name : names)
      if (const auto there = accounts_.find(name); there != accounts_.end()) found[name] = there->second->revision;
    return found;
  }
  registration register_user(const author&, std::span<const route_record>, std::optional<stratumproxy::link_mode>) override { return {}; }
  std::optional<user_record> user(std::string_view) override { return {}; }
  registration change_user(const author&, std::string_view, const user_change&) override { return {}; }
  registration remove_user(const author&, std::string_view, std::optional<std::uint64_t>) override { return {}; }
  std::vector<user_record> users(const user_filter&) override { return {}; }
  void note_seen(std::span<const std::string>, moment) override {}
  std::vector<std::string> remove_unseen(const author&, moment, const std::set<std::string, std::less<>>&, std::size_t) override { return {}; }
  std::unique_ptr<change_feed> changes() override { return {}; }
  std::vector<stratumproxy::algorithm::info> algorithms() override { return {}; }
  write_outcome add_algorithm(const author&, const stratumproxy::algorithm::info&) override { return {}; }
  std::vector<pool_record> pools() override { return {}; }
  write_outcome add_pool(const author&, const pool_record&) override { return {}; }
  std::vector<ban_record> bans() override { return {}; }
  std::uint64_t bans_revision() override { return {}; }
  write_outcome add_ban(const author&, const ban_record&) override { return {}; }
  bool remove_ban(const author&, std::string_view) override { return {}; }
  registration change_pool(const author&, std::string_view, const pool_edit&) override { return {}; }
  registration remove_pool(const author&, std::string_view, const std::function<void(const pool_record&)>&) override { return {}; }
  registration change_algorithm(const author&, std::string_view, const algorithm_edit&) override { return {}; }
  registration remove_algorithm(const author&, std::string_view, const std::function<void(const stratumproxy::algorithm::info&)>&) override { return {}; }
  import_result import_tables(const author&, const table_import&) override { return {}; }
  void hold_tag(std::string_view) override {}
  void release_tag(std::string_view) override {}
  void add_totals(std::string_view, std::span<const total_record>, moment) override {}
  std::vector<history_point> history(const history_filter&) override { return {}; }
  void tend_history(moment, std::chrono::hours) override {}
  std::vector<total_record> totals(std::string_view) override { return {}; }
  access_tables& access() override { return access_; }
  session_table& sessions() override { return sessions_; }
  void ping() override {}

  void put(const std::string& name, std::uint64_t revision) { put_as(name, name, revision); }
  /// Found under `asked`, too, though its name is spelled otherwise.
  void put_as(const std::string& asked, const std::string& name, std::uint64_t revision) {
    const std::lock_guard guard(mutex_);
    auto made = std::make_shared<stratumproxy::account>();
    made->name = name;
    made->revision = revision;
    accounts_[asked] = made;
  }
  void erase(const std::string& name) {
    const std::lock_guard guard(mutex_);
    accounts_.erase(name);
  }
  void hold(bool on) {
    const std::lock_guard guard(mutex_);
    held_ = on;
    changed_.notify_all();
  }
  void wait_until_asked(int times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked >= times; });
  }

  std::atomic<int> asked{0}, compared{0};
  std::atomic<bool> away{false};

 private:
  stratumproxy::test::memory_access_tables access_;
  stratumproxy::test::memory_session_table sessions_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<const stratumproxy::account>> accounts_;
  bool held_ = false;
};

struct bench {
  explicit bench(account_cache_options options = {})
      : cache(tables, with_ear(options), [this] { return stratumproxy::time_point(now.load()); }) {}

  account_cache_options with_ear(account_cache_options options) {
    options.on_change = [this](const std::string& name, const auto& now_is) {
      told_at_once = told_at_once || telling.exchange(true);
      const std::lock_guard guard(told_mutex);
      told.emplace_back(name, now_is ? now_is->revision : 0);
      telling = false;
    };
    return options;
  }

  std::future<account_lookup> ask(const std::string& name) {
    auto promise = std::make_shared<std::promise<account_lookup>>();
    cache.find(name, [promise](account_lookup found) { promise->set_value(std::move(found)); });
    return promise->get_future();
  }
  account_lookup find(const std::string& name) { return ask(name).get(); }
  void pass(stratumproxy::duration time) { now = now.load() + time; }

  scripted_store tables;
  std::mutex told_mutex;
  std::vector<std::pair<std::string, std::uint64_t>> told;  // changes: the account's revision, 0 when it is gone
  std::atomic<bool> telling{false}, told_at_once{false};
  std::atomic<stratumproxy::duration> now{stratumproxy::duration(1h)};
  cached_accounts cache;
};

bool is_ready(const std::future<account_lookup>& answer) { return answer.wait_for(0s) == std::future_status::ready; }

}  // namespace

TEST_CASE("an account is asked for once and then answered at once until its entry is old") {
  bench b;
  b.tables.put("one", 1);
  CHECK(b.find("one").found->revision == 1);
  b.tables.put("one", 2);
  b.pass(1900ms);
  auto answer = b.ask("one");
  CHECK(is_ready(answer));
  CHECK(answer.get().found->revision == 1);
  CHECK(b.tables.asked == 1);
  b.pass(200ms);
  CHECK(b.find("one").found->revision == 2);
  CHECK(b.tables.asked == 2);
}

TEST_CASE("a known account works while the database is away, an unknown one is told to try later") {
  bench b;
  b.tables.put("one", 1);
  b.tables.put("two", 1);
  REQUIRE(b.find("one").state == status::found);
  b.tables.away = true;
  b.pass(24h);
  CHECK(b.find("one").state == status::found);
  CHECK(b.find("two").state == status::unavailable);
  b.tables.away = false;
  CHECK(b.find("two").state == status::found);
}

TEST_CASE("a known account waits a quarter of a second for a silent database, and not at all when it is known to be away") {
  bench b;
  b.tables.put("one", 1);
  REQUIRE(b.find("one").state == status::found);
  b.pass(3s);
  b.tables.hold(true);
  auto answer = b.ask("one");
  b.tables.wait_until_asked(2);
  CHECK_FALSE(is_ready(answer));
  b.pass(240ms);
  CHECK(answer.wait_for(60ms) == std::future_status::timeout);
  b.pass(20ms);
  CHECK(answer.get().state == status::found);

  b.tables.away = true;
  b.tables.hold(false);
  while (b.find("nobody").state != status::unavailable) b.pass(3s);
  b.tables.hold(true);
  auto at_once = b.ask("one");
  CHECK(is_ready(at_once));
  CHECK(at_once.get().state == status::found);
  b.tables.hold(false);
}

TEST_CASE("a name that is not known waits 3 s for a silent database") {
  bench b;
  b.tables.hold(true);
  auto answer = b.ask("one");
  b.pass(2900ms);
  CHECK(answer.wait_for(60ms) == std::future_status::timeout);
  b.pass(200ms);
  CHECK(answer.get().state == status::unavailable);
  b.tables.hold(false);
}

TEST_CASE("an account that was removed is unknown from the next look-up on") {
  bench b;
  b.tables.put("one", 1);
  REQUIRE(b.find("one").state == status::found);
  b.tables.erase("one");
  b.pass(2s);
  CHECK(b.find("one").state == status::unknown);
  b.tables.away = true;
  b.pass(2s);
  CHECK(b.find("one").state == status::unavailable);
}

TEST_CASE("an unknown name is remembered for two seconds, and found at once when it was registered here") {
  bench b;
  CHECK(b.find("one").state == status::unknown);
  CHECK(b.find("one").state == status::unknown);
  CHECK(b.tables.asked == 1);
  b.tables.put("one", 1);
  CHECK(b.find("one").state == status::unknown);
  b.cache.forget("one");
  CHECK(b.find("one").state == status::found);

  CHECK(b.find("two").state == status::unknown);
  b.tables.put("two", 1);
  b.pass(2s);
  CHECK(b.find("two").state == status::found);
}

TEST_CASE("a registration during a look-up of its name is seen") {
  bench b;
  b.tables.hold(true);
  auto answer = b.ask("one");
  b.tables.wait_until_asked(1);  // the store has looked, and found nothing
  b.tables.put("one", 1);
  b.cache.forget("one");
  b.tables.hold(false);
  CHECK(answer.get().state == status::found);
}

TEST_CASE("look-ups of one name at the same time are one") {
  bench b;
  b.tables.put("one", 1);
  b.tables.hold(true);
  std::vector<std::future<account_lookup>> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(b.ask("one"));
  b.tables.hold(false);
  for (auto& answer : answers) CHECK(answer.get().state == status::found);
  CHECK(b.tables.asked == 1);
}

TEST_CASE("guessing names costs at most 50 look-ups a second, and known or new accounts do not suffer") {
  account_cache_options options;
  options.workers = 1;
  bench b(options);
  b.tables.put("one", 1);
  REQUIRE(b.find("one").state == status::found);
  const auto guess = [&](int from, int count) {
    int refused = 0;
    for (int i = 0; i < count; ++i) refused += b.find("guess" + std::to_string(from + i)).state == status::unavailable;
    return refused;
  };
  CHECK(guess(0, 1000) == 900);
  CHECK(b.tables.asked == 101);
  b.pass(1s);
  CHECK(guess(1000, 1000) == 950);
  CHECK(b.tables.asked == 151);
  b.pass(2s);
  CHECK(guess(2000, 1000) == 900);

  CHECK(b.find("one").state == status::found);
  b.tables.put("new", 1);
  b.cache.forget("new");
  CHECK(b.find("new").state == status::found);
}

TEST_CASE("accounts that exist do not count as guesses") {
  bench b;
  for (int i = 0; i < 1000; ++i) b.tables.put("account" + std::to_string(i), 1);
  std::vector<std::future<account_lookup>> answers;
  for (int i = 0; i < 1000; ++i) answers.push_back(b.ask("account" + std::to_string(i)));
  for (auto& answer : answers) CHECK(answer.get().state == status::found);
}

TEST_CASE("when the queue is full a known account is answered from memory and others try later") {
  account_cache_options options;
  options.workers = 1;
  options.queue = 2;
  bench b(options);
  b.tables.put("known", 1);
  REQUIRE(b.find("known").state == status::found);
  b.pass(3s);
  b.tables.hold(true);
  auto under_way = b.ask("a");
  b.tables.wait_until_asked(2);
  auto first = b.ask("b");
  auto second = b.ask("c");
  auto third = b.ask("d");
  CHECK(is_ready(third));
  CHECK(third.get().state == status::unavailable);
  auto known = b.ask("known");
  CHECK(is_ready(known));
  CHECK(known.get().state == status::found);
  b.tables.hold(false);
  CHECK(under_way.get().state == status::unknown);
  CHECK(first.get().state == status::unknown);
  CHECK(second.get().state == status::unknown);
}

TEST_CASE("memory is bounded: the account unused for longest is forgotten first") {
  account_cache_options options;
  options.entries = 2;
  bench b(options);
  for (const char* name : {"a", "b", "c"}) b.tables.put(name, 1);
  b.find("a");
  b.find("b");
  b.find("a");
  b.find("c");
  b.tables.away = true;
  CHECK(b.find("a").state == status::found);
  CHECK(b.find("c").state == status::found);
  CHECK(b.find("b").state == status::unavailable);
}

TEST_CASE("names that no database could hold are unknown without a look-up") {
  bench b;
  for (const std::string& name : {std::string(), std::string("\0", 1), std::string("\xff"), std::string(65, 'a')})
    CHECK(b.find(name).state == status::unknown);
  CHECK(b.tables.asked == 0);
}

TEST_CASE("whoever waits when the cache ends is told to try later, exactly once") {
  std::vector<int> calls(10);
  std::vector<status> states(10);
  scripted_store tables;
  {
    cached_accounts cache(tables);
    tables.hold(true);
    for (std::size_t i = 0; i < calls.size(); ++i)
      cache.find("name" + std::to_string(i), [&, i](account_lookup found) {
        ++calls[i];
        states[i] = found.state;
        if (i == 0) tables.hold(false);
      });
    tables.wait_until_asked(2);
  }
  CHECK(calls == std::vector<int>(10, 1));
  CHECK(states == std::vector<status>(10, status::unavailable));
}

TEST_CASE("a refresh looks up only those accounts in the cache that are named and have another revision") {
  bench b;
  for (const char* name : {"one", "two", "three", "new"}) b.tables.put(name, 1);
  for (const char* name : {"one", "two", "three"}) b.find(name);
  const int before = b.tables.asked;
  for (const char* name : {"one", "three", "new"}) b.tables.put(name, 2);
  b.cache.refresh({.any = false, .names = {"one", "two", "one", "new", "nobody"}});
  CHECK(b.tables.compared == 2);
  CHECK(b.tables.asked == before + 1);
  REQUIRE(b.told.size() == 1);
  CHECK(b.told[0] == std::pair<std::string, std::uint64_t>("one", 2));
  CHECK(b.find("one").found->revision == 2);
  CHECK(b.find("three").found->revision == 1);

  b.cache.refresh({.any = true, .names = {}});
  CHECK(b.tables.compared == 5);
  CHECK(b.tables.asked == before + 2);
  CHECK(b.told.back() == std::pair<std::string, std::uint64_t>("three", 2));
  b.cache.refresh({});
  CHECK(b.tables.compared == 5);
}

TEST_CASE("an account that is gone is told once, and so is one that was made anew, whose revision is lower") {
  bench b;
  b.tables.put("one", 5);
  b.tables.put("two", 5);
  b.find("one");
  b.find("two");
  b.tables.erase("one");
  b.tables.put("two", 2);
  for (int round = 0; round < 2; ++round) b.cache.refresh({.any = false, .names = {"one", "two"}});
  CHECK(b.told == std::vector<std::pair<std::string, std::uint64_t>>{{"one", 0}, {"two", 0}});
  CHECK(b.find("one").state == status::unknown);
  CHECK(b.find("two").found->revision == 2);
}

TEST_CASE("a name that was unknown is asked for again after a refresh that concerns it") {
  for (const bool any : {false, true}) {
    bench b;
    CHECK(b.find("one").state == status::unknown);
    b.tables.put("one", 1);
    CHECK(b.find("one").state == status::unknown);
    b.cache.refresh({.any = any, .names = {any ? "" : "one"}});
    CHECK(b.find("one").state == status::found);
    CHECK(b.told.empty());
  }
}

TEST_CASE("a look-up under way during a refresh does not bring back what was there before") {
  bench b;
  b.tables.put("one", 1);
  b.tables.hold(true);
  auto answer = b.ask("one");
  b.tables.wait_until_asked(1);  // the store has looked
  b.tables.put("one", 2);
  b.cache.refresh({.any = false, .names = {"one"}});
  b.tables.hold(false);
  CHECK(answer.get().found->revision == 2);
}

TEST_CASE("a refresh while the database is away fails, and the accounts stay as they were") {
  bench b;
  b.tables.put("one", 1);
  b.find("one");
  b.tables.put("one", 2);
  b.tables.away = true;
  CHECK_THROWS_AS(b.cache.refresh({.any = true, .names = {}}), store_unavailable);
  CHECK(b.find("one").found->revision == 1);
  b.tables.away = false;
  b.cache.refresh({.any = true, .names = {}});
  CHECK(b.told.size() == 1);
}

TEST_CASE("changes that log-ins and refreshes find at the same time are told in their order, one at a time") {
  bench b;
  b.tables.put("one", 1);
  b.find("one");
  std::atomic<bool> ends{false};
  std::vector<std::future<void>> others;
  for (int i = 0; i < 2; ++i)
    others.push_back(std::async(std::launch::async, [&] {
      while (!ends) {
        b.cache.forget("one");
        b.find("one");
      }
    }));
  for (std::uint64_t revision = 2; revision <= 500; ++revision) {
    b.tables.put("one", revision);
    b.cache.refresh({.any = revision % 2 == 0, .names = {"one"}});
  }
  ends = true;
  for (auto& other : others) other.get();
  const std::lock_guard guard(b.told_mutex);
  CHECK_FALSE(b.told_at_once);
  CHECK(std::is_sorted(b.told.begin(), b.told.end()));
  CHECK(b.told.back().second == 500);
}

TEST_CASE("an account that is found under another spelling is kept under its own name") {
  bench b;
  b.tables.put("one", 1);
  b.tables.put_as("ONE", "one", 1);
  CHECK(b.find("ONE").found->name == "one");
  CHECK(b.tables.asked == 1);
  CHECK(is_ready(b.ask("one")));  // known by now
  CHECK(b.tables.asked == 1);
  b.tables.put("one", 2);
  b.cache.refresh({.any = false, .names = {"one"}});
  CHECK(b.told == std::vector<std::pair<std::string, std::uint64_t>>{{"one", 2}});
  CHECK(b.find("ONE").found->revision == 1);  // as of before: no reason to forget the newer one
  CHECK(b.find("one").found->revision == 2);
}
