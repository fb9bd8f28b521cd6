#include "seed_file.hpp"

#include <cerrno>
#include <cstring>
#include <functional>
#include <stdexcept>

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "sqlite_handles.hpp"

namespace stratumproxyd {
namespace {

constexpr int patience_milliseconds = 5'000;

/// The file, open for reading.
class reader {
 public:
  explicit reader(const std::filesystem::path& file) : file_(file.string()) {
    if (::access(file.c_str(), R_OK) != 0)
      throw std::runtime_error(fmt::format("cannot read {}: {}", file_, std::strerror(errno)));
    if (!std::filesystem::is_regular_file(file))
      throw std::runtime_error(fmt::format("cannot read {}: it is not a regular file", file_));
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, nullptr);
    connection_.reset(opened);
    if (code != SQLITE_OK) refuse(code);
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_timeout(opened, patience_milliseconds);
    execute("BEGIN");  // one moment for all that is read
    sound();
  }

  using row = const std::function<void(sqlite3_stmt*)>&;
  void each(const char* sql, row what) {
    sqlite3_stmt* prepared = nullptr;
    const int code = sqlite3_prepare_v2(connection_.get(), sql, -1, &prepared, nullptr);
    const statement_handle statement(prepared);
    // Tables or columns that are not there.
    if (code == SQLITE_ERROR)
      throw std::runtime_error(
          fmt::format("{} is not the database of the Go program: it needs the tables hashes, pools and users", file_));
    if (code != SQLITE_OK) refuse(code);
    int step = SQLITE_OK;
    while ((step = sqlite3_step(prepared)) == SQLITE_ROW) what(prepared);
    if (step != SQLITE_DONE) refuse(step);
  }

 private:
  void execute(const char* sql) {
    if (const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr)) refuse(code);
  }

  void sound() {
    each("PRAGMA quick_check(1)", [&](sqlite3_stmt* found) {
      const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(found, 0));
      if (!text || std::string_view(text) != "ok") refuse(SQLITE_CORRUPT);
    });
  }

  [[noreturn]] void refuse(int code) const {
    if ((code & 0xff) == SQLITE_NOTADB) throw std::runtime_error(fmt::format("{} is not an SQLite database", file_));
    if ((code & 0xff) == SQLITE_CORRUPT) throw std::runtime_error(fmt::format("the database {} is damaged", file_));
    throw std::runtime_error(fmt::format("cannot read {}: {}", file_, sqlite3_errstr(code)));
  }

  std::string file_;
  connection_handle connection_;
};

std::string text_at(sqlite3_stmt* row, int column) {
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
  return std::string(text ? text : "", static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
}

}  // namespace

seed_file read_seed_file(const std::filesystem::path& file) {
  reader from(file);
  seed_file out;
  from.each("SELECT id, hash, divider FROM hashes ORDER BY id", [&](sqlite3_stmt* row) {
    out.hashes.push_back({sqlite3_column_int64(row, 0), text_at(row, 1), sqlite3_column_double(row, 2)});
  });
  from.each("SELECT id, host, port, hash_id FROM pools ORDER BY id", [&](sqlite3_stmt* row) {
    out.pools.push_back(
        {sqlite3_column_int64(row, 0), text_at(row, 1), sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3)});
  });
  from.each("SELECT name, pool_id, user, password FROM users ORDER BY name", [&](sqlite3_stmt* row) {
    out.users.push_back({text_at(row, 0), sqlite3_column_int64(row, 1), text_at(row, 2), text_at(row, 3)});
  });
  return out;
}

}  // namespace stratumproxyd
