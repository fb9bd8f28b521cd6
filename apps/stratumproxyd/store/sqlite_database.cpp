#include "sqlite_database.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "file_lock.hpp"
#include "sqlite_feed.hpp"
#include "sqlite_handles.hpp"

namespace stratumproxyd {
namespace {

// Only the code's fixed text: sqlite3_errmsg may quote values.
[[noreturn]] void fail(int code) {
  throw store_unavailable(fmt::format("the database file cannot be used at the moment: {}", sqlite3_errstr(code)));
}

class sqlite_database final : public database, private sql_session {
 public:
  explicit sqlite_database(const std::string& path) : name_(path), path_(std::filesystem::absolute(path)) {
    // Closing any descriptor of a file drops all of this process's locks on it, so that nothing may open the same file
    // between its creation and the close.
    static std::mutex creation;
    const std::lock_guard guard(creation);
    create_if_missing();
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
    connection_.reset(opened);
    if (code != SQLITE_OK) refuse(code);
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_timeout(opened, opening_milliseconds);
    // The first read tells whether it is a database at all; nothing has been written yet.
    if (const int read = sqlite3_exec(opened, "SELECT count(*) FROM sqlite_master", nullptr, nullptr, nullptr)) refuse(read);
  }

  void read(std::chrono::milliseconds patience, const work& what) override {
    const std::lock_guard guard(mutex_);
    sqlite3_busy_timeout(connection_.get(), static_cast<int>(patience.count()));
    what(*this);
  }

  void write(std::chrono::milliseconds patience, const work& what) override {
    const std::lock_guard guard(mutex_);
    sqlite3_busy_timeout(connection_.get(), static_cast<int>(patience.count()));
    // IMMEDIATE, so that the wait for another process is here and not half way through.
    execute("BEGIN IMMEDIATE");
    try {
      what(*this);
      execute("COMMIT");
    } catch (...) {
      // Some errors have rolled back already; then this one fails, and nothing is lost by it.
      if (sqlite3_get_autocommit(connection_.get()) == 0)
        sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

  std::string kind() const override { return "sqlite"; }
  const std::string& display_name() const override { return name_; }

  void adopt() override {
    const std::lock_guard guard(mutex_);
    // The change to WAL does not go through the busy handler; two daemons that start at once meet here.
    int code = SQLITE_BUSY;
    for (int attempt = 0; attempt < 100 && (code & 0xff) == SQLITE_BUSY; ++attempt) {
      code = sqlite3_exec(connection_.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
      if ((code & 0xff) == SQLITE_BUSY) sqlite3_sleep(20);
    }
    if (code != SQLITE_OK) refuse(code);
    execute("PRAGMA synchronous = FULL");
    execute("PRAGMA foreign_keys = ON");
  }

  std::unique_ptr<database> for_holder_of(const std::string& tag) override;
  std::unique_ptr<change_feed> changes() override { return watch_sqlite(path_); }

 private:
  static constexpr int opening_milliseconds = 5000;
  static constexpr std::size_t longest_cached_sql = 2000;

  void create_if_missing() const {
    const int descriptor = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
      ::close(descriptor);
    } else if (errno != EEXIST) {
      const int reason = errno;
      throw std::runtime_error(fmt::format("cannot create the database {}: {}", path_.string(), std::strerror(reason)));
    }
  }

  [[noreturn]] void refuse(int code) const {
    if ((code & 0xff) == SQLITE_NOTADB)
      throw std::runtime_error(fmt::format("{} is not a database of this program; it was left as it is", path_.string()));
    throw std::runtime_error(fmt::format("cannot open the database {}: {}", path_.string(), sqlite3_errstr(code)));
  }

  void execute(const char* sql) {
    if (const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr)) fail(code);
  }

  sqlite3_stmt* prepare(const std::string& sql, statement_handle& one_off) {
    if (const auto cached = statements_.find(sql); cached != statements_.end()) return cached->second.get();
    // ?1 is the first parameter here; $1 would be a name, which is looked for among all the others.
    std::string numbered = sql;
    std::replace(numbered.begin(), numbered.end(), '$', '?');
    sqlite3_stmt* prepared = nullptr;
    if (const int code =
            sqlite3_prepare_v2(connection_.get(), numbered.c_str(), static_cast<int>(numbered.size()), &prepared, nullptr))
      fail(code);
    statement_handle owner(prepared);
    (sql.size() < longest_cached_sql ? statements_[sql] : one_off) = std::move(owner);
    return prepared;
  }

  void bind(sqlite3_stmt* statement, std::size_t number, const sql_value& value) {
    const int index = static_cast<int>(number);
    int code = SQLITE_OK;
    if (const auto* text = std::get_if<std::string>(&value))
      code = sqlite3_bind_text(statement, index, text->data(), static_cast<int>(text->size()), SQLITE_STATIC);
    else if (const auto* integer = std::get_if<std::int64_t>(&value))
      code = sqlite3_bind_int64(statement, index, *integer);
    else if (const auto* real = std::get_if<double>(&value))
      code = sqlite3_bind_double(statement, index, *real);
    else
      code = sqlite3_bind_null(statement, index);
    if (code != SQLITE_OK) fail(code);
  }

  static sql_value column(sqlite3_stmt* statement, int index) {
    switch (sqlite3_column_type(statement, index)) {
      case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, index)};
      case SQLITE_FLOAT: return sqlite3_column_double(statement, index);
      case SQLITE_NULL: return std::monostate{};
    }
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
    return std::string(text ? text : "", static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
  }

  std::vector<sql_row> query(const std::string& sql, std::span<const sql_value> parameters) override {
    statement_handle one_off;
    sqlite3_stmt* statement = prepare(sql, one_off);
    struct rewind {
      sqlite3_stmt* statement;
      ~rewind() {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
      }
    } const at_end{statement};
    for (std::size_t i = 0; i < parameters.size(); ++i) bind(statement, i + 1, parameters[i]);
    std::vector<sql_row> rows;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      sql_row row;
      for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(column(statement, i));
      rows.push_back(std::move(row));
    }
    if (code != SQLITE_DONE) fail(code);
    return rows;
  }

  void script(const std::string& sql) override { execute(sql.c_str()); }

  bool has_table(const std::string& table) override {
    const sql_value parameter = table;
    return !query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", std::span(&parameter, 1)).empty();
  }

  void lock_schema() override {}  // BEGIN IMMEDIATE is that lock
  std::string utc_text(const std::string& column) const override {
    return fmt::format("strftime('%Y-%m-%dT%H:%M:%SZ', {})", column);
  }
  std::string unix_time() const override { return "CAST(strftime('%s', 'now') AS INTEGER)"; }
  std::string transaction_mark() override { return {}; }
  bool has_ended(const std::string&) override { return true; }

  std::string name_;
  std::filesystem::path path_;
  std::mutex mutex_;
  connection_handle connection_;
  std::map<std::string, statement_handle, std::less<>> statements_;  // after connection_: finalized before it closes
};

// The lock cannot get lost while this process lives, so that it is taken once.
class held_database final : public database {
 public:
  held_database(sqlite_database& tables, const std::filesystem::path& file, std::string tag)
      : tables_(tables), file_(file), tag_(std::move(tag)) {}

  void read(std::chrono::milliseconds patience, const work& what) override {
    take();
    tables_.read(patience, what);
  }
  void write(std::chrono::milliseconds patience, const work& what) override {
    take();
    tables_.write(patience, what);
  }
  std::string kind() const override { return tables_.kind(); }
  const std::string& display_name() const override { return tables_.display_name(); }
  void adopt() override {}
  std::unique_ptr<database> for_holder_of(const std::string& tag) override { return tables_.for_holder_of(tag); }
  std::unique_ptr<change_feed> changes() override { return tables_.changes(); }

 private:
  void take() {
    const std::lock_guard guard(mutex_);
    if (!lock_) lock_.emplace(file_, tag_);
  }

  sqlite_database& tables_;
  const std::filesystem::path file_;
  const std::string tag_;
  std::mutex mutex_;
  std::optional<file_lock> lock_;
};

std::unique_ptr<database> sqlite_database::for_holder_of(const std::string& tag) {
  return std::make_unique<held_database>(*this, path_, tag);
}

}  // namespace

std::unique_ptr<database> open_sqlite(const std::string& path) {
  return std::make_unique<sqlite_database>(path);
}

}  // namespace stratumproxyd
