#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "forwarder.hpp"
#include "store/postgres_database.hpp"
#include "test_database.hpp"

using namespace stratumproxyd;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr const char* pool = "btc.viabtc.io:3333";

/// A database whose connections go through a forwarder.
struct distant_database {
  distant_database() : database("postgresql") {
    pqxx::connection link(store_test::postgresql_url());
    const char* host = link.hostname();
    forwarder.emplace(host && *host ? host : "127.0.0.1", link.port());
    const auto given = store_test::postgresql_url();
    const auto user = given.find("://") + 3;
    const auto at = given.rfind('@');
    const auto login = at == std::string::npos ? std::string(link.username()) : given.substr(user, at - user);
    url = "postgresql://" + login + "@127.0.0.1:" + std::to_string(forwarder->port()) + "/" + link.dbname() +
          "?options=-csearch_path%3D" + database.schema();
  }
  [[nodiscard]] std::unique_ptr<store> open() const { return open_store(url, SPX_MIGRATIONS_SOURCE_DIR); }

  store_test::test_database database;
  std::optional<store_test::forwarder> forwarder;
  std::string url;
};

template <class Call>
clock_type::duration time_to_fail(Call call) {
  const auto before = clock_type::now();
  CHECK_THROWS_AS(call(), store_unavailable);
  return clock_type::now() - before;
}

}  // namespace

TEST_CASE("a PostgreSQL that is not there is one line without the password") {
  const auto refused = [](const std::string& url) {
    try {
      (void)open_store(url, SPX_MIGRATIONS_SOURCE_DIR);
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const char* url :
       {"postgresql://user:canary@127.0.0.1:1/db", "postgresql://user@127.0.0.1:1/db?password=canary",
        "postgresql://user:canary%zz@127.0.0.1:1/db", "postgres://user:canary@[::1/db",
        "postgresql://user:canary@127.0.0.1:notaport/db", "postgresql://user:canary@127.0.0.1:1/db?nonsense=1"}) {
    const auto text = refused(url);
    INFO(text);
    CHECK(text.find("database postgres") == 0);
    CHECK(text.find("canary") == std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
  }
}

TEST_CASE("a server that accepts connections and says nothing fails the start within seconds") {
  // Nobody reads what is written to this listener.
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const auto before = clock_type::now();
  CHECK_THROWS_WITH(open_store("postgresql://user:canary@127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/db",
                               SPX_MIGRATIONS_SOURCE_DIR),
                    Catch::Contains("cannot be reached") && !Catch::Contains("canary"));
  CHECK(clock_type::now() - before < 6s);
  ::close(listener);
}

TEST_CASE("a PostgreSQL that falls silent fails each call within 2 s, then at once, and is used again when it answers") {
  if (store_test::postgresql_url().empty()) return;
  distant_database distant;
  const auto store = distant.open();
  const auto name = store_test::add_account(*store, pool, "farm", "canary").name;

  distant.forwarder->silence(true);
  CHECK(time_to_fail([&] { (void)store->find_account(name); }) < 2500ms);
  CHECK(time_to_fail([&] { (void)store_test::add_account(*store, pool, "farm", "other"); }) < 2500ms);
  std::vector<std::future<clock_type::duration>> callers;
  for (int i = 0; i < 16; ++i)
    callers.push_back(std::async(std::launch::async, [&] {
      const auto before = clock_type::now();
      try {
        store->ping();
        return clock_type::duration::max();
      } catch (const store_unavailable&) {
        return clock_type::now() - before;
      }
    }));
  for (auto& caller : callers) CHECK(caller.get() < 2500ms);

  distant.forwarder->silence(false);
  const auto deadline = clock_type::now() + 10s;
  std::shared_ptr<const stratumproxy::account> account;
  while (!account && clock_type::now() < deadline) {
    try {
      account = store->find_account(name);
    } catch (const store_unavailable&) {
    }
  }
  REQUIRE(account);
  CHECK(account->routes[0].password == "canary");
}

TEST_CASE("connections that died while nobody used them cost no call") {
  if (store_test::postgresql_url().empty()) return;
  distant_database distant;
  const auto store = distant.open();
  const auto name = store_test::add_account(*store, pool, "farm", "x").name;
  for (int round = 0; round < 3; ++round) {
    distant.forwarder->cut();
    CHECK(store->find_account(name));
    distant.forwarder->cut();
    CHECK(store_test::add_account(*store, pool, "farm", "x").name == name);
  }
}

TEST_CASE("a feed that lost its connection tells that anything may have happened, and hears again") {
  if (store_test::postgresql_url().empty()) return;
  distant_database distant;
  const auto store = distant.open();
  const auto name = store_test::add_account(*store, pool, "farm", "x").name;
  const auto feed = store->changes();
  CHECK(store_test::tells(*feed));
  for (int round = 0; round < 3; ++round) {
    distant.forwarder->cut();
    CHECK(store_test::tells(*feed));
    distant.database.run("UPDATE users SET mode = " + std::string(round % 2 ? "NULL" : "'dedicated'"));
    CHECK(store_test::tells(*feed, name));
  }
}

TEST_CASE("a feed of a silent PostgreSQL keeps to its limit and ends, and hears what was held up") {
  if (store_test::postgresql_url().empty()) return;
  distant_database distant;
  const auto store = distant.open();
  const auto name = store_test::add_account(*store, pool, "farm", "x").name;
  auto feed = store->changes();
  CHECK(store_test::tells(*feed));
  distant.forwarder->silence(true);
  distant.database.run("UPDATE users SET mode = 'dedicated'");
  auto before = clock_type::now();
  CHECK_FALSE(store_test::tells(*feed, name, 100ms));
  CHECK(clock_type::now() - before < 1s);
  distant.forwarder->silence(false);
  CHECK(store_test::tells(*feed, name));

  distant.forwarder->silence(true);
  before = clock_type::now();
  feed.reset();
  CHECK(clock_type::now() - before < 1s);
  feed = store->changes();
  CHECK_FALSE(store_test::tells(*feed, {}, 100ms));
  feed.reset();
  CHECK(clock_type::now() - before < 6s);
}

TEST_CASE("a tag whose connection was lost is taken again") {
  if (store_test::postgresql_url().empty()) return;
  distant_database distant;
  const auto store = distant.open();
  for (int round = 0; round < 3; ++round) {
    REQUIRE(store_test::held_within(*store, "a", 10s));
    distant.forwarder->cut();
  }
  // Whatever the order in which the server sees the ends of the old connection and the begin of the new one, it is never told
  // to be another proxy's.
  for (int round = 0; round < 3; ++round) {
    distant.forwarder->cut();
    try {
      store->hold_tag("a");
    } catch (const tag_taken& error) {
      FAIL(error.what());
    } catch (const store_unavailable&) {
    }
  }
}

TEST_CASE("a tag that another took while the connection was lost is refused, with who has it, until it is free") {
  if (store_test::postgresql_url().empty()) return;
  distant_database distant;
  const auto store = distant.open();
  store->hold_tag("a");
  distant.forwarder->cut();
  auto other = distant.database.open();
  REQUIRE(store_test::held_within(*other, "a", 10s));
  CHECK_THROWS_AS(store->hold_tag("a"), tag_taken);
  CHECK_THROWS_WITH(store->totals("a"), Catch::Matches(".*has the tag a \\(process [0-9]+ of the database server, client .+, since 2.*"));
  CHECK_NOTHROW(store->ping());
  other.reset();
  CHECK(store_test::held_within(*store, "a", 10s));
}

TEST_CASE("a commit whose answer is lost is cleared up before totals are told or added") {
  if (store_test::postgresql_url().empty()) return;
  distant_database distant;
  const auto store = distant.open();
  // Each commit that touched totals takes a second, in which the line can go dead.
  distant.database.run(
      "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';"
      "CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON totals DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION slow()");
  total_record delta;
  delta.account = "one";
  delta.pool = pool;
  delta.algorithm = "sha256d";
  delta.shares.sent = 7;

  auto adding = std::async(std::launch::async, [&] { store->add_totals("a", std::vector{delta}, {}); });
  {
    pqxx::connection watcher(store_test::postgresql_url());
    pqxx::nontransaction look(watcher);
    const auto deadline = clock_type::now() + 5s;
    const auto commits = [&] {
      return !look.exec("SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active' AND wait_event = 'PgSleep'")
                  .empty();
    };
    while (!commits() && clock_type::now() < deadline) {
    }
  }
  distant.forwarder->cut();
  CHECK_THROWS_AS(adding.get(), store_unavailable);

  // The server goes on with the commit; until it has ended there is no answer, and then it is the right one.
  const auto deadline = clock_type::now() + 10s;
  std::vector<total_record> rows;
  bool told = false;
  int not_decided = 0;
  while (!told && clock_type::now() < deadline) {
    try {
      rows = store->totals("a");
      told = true;
    } catch (const store_unavailable&) {
      ++not_decided;
    }
  }
  REQUIRE(told);
  CHECK(not_decided > 0);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].shares.sent == 7);
  const auto grown = store->history({.account = {}, .pool = {}, .algorithm = {}, .from = {}, .to = moment{} + fine_period, .step = fine_period});
  REQUIRE(grown.size() == 1);
  CHECK(grown[0].sent == 7);
}

TEST_CASE("a transaction has ended when it was committed, rolled back or lost by a crash, and not before") {
  if (store_test::postgresql_url().empty()) return;
  const auto tables = open_postgres(store_test::postgresql_url());
  const auto has_ended = [&](const std::string& mark) {
    bool read = false, written = false;
    tables->read(5s, [&](sql_session& session) { read = session.has_ended(mark); });
    tables->write(5s, [&](sql_session& session) { written = session.has_ended(mark); });
    CHECK(read == written);
    return read;
  };
  std::string mark;
  tables->write(5s, [&](sql_session& session) { mark = session.transaction_mark(); });
  CHECK(has_ended(mark));

  // The newest number that was given out, still under way.
  pqxx::connection link(store_test::postgresql_url());
  {
    pqxx::work open(link);
    mark = open.exec("SELECT txid_current()")[0][0].c_str();
    CHECK_FALSE(has_ended(mark));
  }
  CHECK(has_ended(mark));

  // A number from before a crash that the server has not given out again yet.
  CHECK(has_ended(std::to_string(std::stoll(mark) + 1'000'000)));
}

TEST_CASE("what the server says about a refused statement names neither values nor SQL") {
  if (store_test::postgresql_url().empty()) return;
  const store_test::test_database database("postgresql");
  const auto store = database.open();
  database.run("ALTER TABLE user_routes ADD CONSTRAINT refuse CHECK (pool_password <> 'canary')");
  try {
    (void)store_test::add_account(*store, pool, "farm", "canary");
    FAIL("accepted");
  } catch (const store_unavailable& error) {
    CHECK(std::string(error.what()) == "the database refused a statement (SQLSTATE 23514)");
  }
}
