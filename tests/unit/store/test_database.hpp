#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sqlite3.h>
#include <unistd.h>
#include <pqxx/pqxx>

#include "store/database_url.hpp"
#include "store/store.hpp"
#include "tester.hpp"

namespace store_test {

using stratumproxy::test::tester;

/// A directory that goes away with its contents.
class temporary_directory {
 public:
  temporary_directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "spx-store-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string postgresql_url() {
  const char* url = std::getenv("SPX_TEST_POSTGRESQL");
  return url ? url : "";
}

inline std::vector<std::string> kinds() {
  std::vector<std::string> found{"sqlite"};
  if (!postgresql_url().empty()) found.emplace_back("postgresql");
  return found;
}

/// An empty database of one kind: a file of its own, or a schema of its own in the server that the tests were given.
class test_database {
 public:
  explicit test_database(const std::string& kind) {
    if (kind == "sqlite") {
      url_ = "sqlite:" + (directory_.path() / "test.db").string();
      return;
    }
    static std::atomic<int> count{0};
    schema_ = "spx_test_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
    execute("CREATE SCHEMA " + schema_);
    url_ = stratumproxyd::with_default_parameter(postgresql_url(), "options", "-csearch_path%3D" + schema_);
  }
  ~test_database() {
    if (!schema_.empty()) execute("DROP SCHEMA " + schema_ + " CASCADE");
  }
  test_database(const test_database&) = delete;
  test_database& operator=(const test_database&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& schema() const { return schema_; }
  [[nodiscard]] std::string file() const { return url_.substr(7); }
  [[nodiscard]] std::unique_ptr<stratumproxyd::store> open() const {
    return stratumproxyd::open_store(url_, SPX_MIGRATIONS_SOURCE_DIR);
  }
  /// Changes the tables behind the store's back, as an operator would.
  void run(const std::string& sql) const {
    if (!schema_.empty()) return execute("SET search_path = " + schema_ + "; " + sql);
    sqlite3* file_handle = nullptr;
    sqlite3_open(file().c_str(), &file_handle);
    sqlite3_busy_timeout(file_handle, 5000);
    const int code = sqlite3_exec(file_handle, sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(file_handle);
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errstr(code));
  }

 private:
  static void execute(const std::string& sql) {
    pqxx::connection link(postgresql_url());
    pqxx::quiet_errorhandler quiet(link);
    pqxx::nontransaction(link).exec(sql);
  }

  temporary_directory directory_;
  std::string url_, schema_;
};

/// Registers an account with one pool.
inline stratumproxyd::registration add_account(stratumproxyd::store& tables, std::string_view pool, std::string_view user,
                                               std::string_view password,
                                               std::optional<stratumproxy::link_mode> mode = std::nullopt) {
  const stratumproxyd::route_record route{std::string(pool), std::string(user), std::string(password)};
  return tables.register_user(tester, std::span(&route, 1), mode);
}

/// Whether the feed tells, within the limit, that this account may have changed, or without a name that any may have. In PostgreSQL it
/// also hears of the accounts of other tests.
inline bool tells(stratumproxyd::change_feed& feed, const std::string& name = {},
                  std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (auto left = limit; left.count() > 0;) {
    const auto heard = feed.wait(left);
    if (name.empty() ? heard.any : std::count(heard.names.begin(), heard.names.end(), name) > 0) return true;
    left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  }
  return false;
}

/// Asks until the store holds the tag: a server lets go of a lock some time after its connection ended.
inline bool held_within(stratumproxyd::store& tables, std::string_view tag, std::chrono::steady_clock::duration limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < deadline) {
    try {
      tables.hold_tag(tag);
      return true;
    } catch (const stratumproxyd::store_unavailable&) {
    }
  }
  return false;
}

}  // namespace store_test
