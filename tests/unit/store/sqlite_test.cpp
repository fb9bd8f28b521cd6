#include <chrono>
#include <fstream>
#include <iterator>

#include <sys/stat.h>
#include <catch2/catch.hpp>

#include "store/account_name.hpp"
#include "test_database.hpp"

using namespace stratumproxyd;

namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a new SQLite file and what stands beside it can be read by its owner only, whatever the umask") {
  const auto before = ::umask(0);
  const store_test::test_database database("sqlite");
  const auto store = database.open();
  (void)store_test::add_account(*store, "btc.viabtc.io:3333", "farm", "x");
  store->hold_tag("a");
  ::umask(before);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(database.file()).parent_path())) {
    INFO(entry.path());
    struct stat status {};
    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    ++files;
  }
  CHECK(files >= 3);  // the write-ahead log and the file of locks as well
}

TEST_CASE("a tag is one tag whatever path leads to the SQLite file") {
  const store_test::test_database database("sqlite");
  const auto store = database.open();
  store->hold_tag("a");
  const auto link = std::filesystem::path(database.file()).parent_path() / "link.db";
  std::filesystem::create_symlink(database.file(), link);
  const auto other = open_store("sqlite:" + link.string(), SPX_MIGRATIONS_SOURCE_DIR);
  CHECK_THROWS_AS(other->hold_tag("a"), tag_taken);
}

TEST_CASE("a file that is not a database is refused with one line and left as it is") {
  const store_test::test_database database("sqlite");
  const std::string text(5000, 'x');
  std::ofstream(database.file()) << text;
  CHECK_THROWS_WITH(database.open(), Catch::Contains(database.file()) && Catch::Contains("not a database of this program"));
  CHECK(contents(database.file()) == text);
}

TEST_CASE("another program's SQLite database is refused and left as it is") {
  const store_test::test_database database("sqlite");
  database.run("CREATE TABLE pools (a); INSERT INTO pools VALUES (1)");
  const auto before = contents(database.file());
  CHECK_THROWS_WITH(database.open(), Catch::Contains("another program"));
  CHECK(contents(database.file()) == before);
}

TEST_CASE("an SQLite database of a newer version is not changed by a byte") {
  const store_test::test_database database("sqlite");
  database.run(
      "CREATE TABLE stratumproxy_schema (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL);"
      "INSERT INTO stratumproxy_schema VALUES (77, 'future', 'now')");
  const auto before = contents(database.file());
  CHECK_THROWS_WITH(database.open(), Catch::Contains("version 77"));
  CHECK(contents(database.file()) == before);
}

TEST_CASE("a path that cannot be opened, and a URL of another kind, are one clear line") {
  const store_test::temporary_directory directory;
  const auto open = [](const std::string& url) { return open_store(url, SPX_MIGRATIONS_SOURCE_DIR); };
  CHECK_THROWS_WITH(open("sqlite:" + (directory.path() / "none" / "x.db").string()),
                    Catch::Contains("No such file or directory"));
  CHECK_THROWS_WITH(open("sqlite:" + directory.path().string()), Catch::Contains("cannot open the database"));
  CHECK_THROWS_WITH(open("sqlite:"), Catch::Contains("use sqlite:PATH"));
  CHECK_THROWS_WITH(open("mysql://u:canary@h/d"), Catch::Contains("use sqlite:PATH") && !Catch::Contains("canary"));
  CHECK_THROWS_WITH(open_store("sqlite:" + (directory.path() / "a.db").string(), directory.path()),
                    Catch::Contains("no migrations"));
}

TEST_CASE("while another process holds the file's lock, writing fails in time and reading goes on") {
  const store_test::test_database database("sqlite");
  const auto store = database.open();
  const auto name = store_test::add_account(*store, "btc.viabtc.io:3333", "farm", "x").name;
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(database.file().c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto before = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(store_test::add_account(*store, "btc.viabtc.io:3333", "farm", "canary"), store_unavailable);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(5));
  CHECK(store->find_account(name));
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  CHECK(store_test::add_account(*store, "btc.viabtc.io:3333", "farm", "canary").outcome == write_outcome::created);
}

TEST_CASE("generated names differ") { CHECK(random_account_name() != random_account_name()); }
