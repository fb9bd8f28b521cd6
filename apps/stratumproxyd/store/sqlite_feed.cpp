#include "sqlite_feed.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>

#include "sqlite_handles.hpp"

namespace stratumproxyd {
namespace {

class sqlite_feed final : public change_feed {
 public:
  using clock = std::chrono::steady_clock;

  sqlite_feed(std::filesystem::path file, std::chrono::milliseconds interval) : file_(std::move(file)), interval_(interval) {}

  account_changes wait(std::chrono::milliseconds limit) override {
    const auto deadline = clock::now() + limit;
    for (;;) {
      std::this_thread::sleep_until(std::min(deadline, next_look_));
      const auto now = clock::now();
      if (now >= next_look_) {
        next_look_ = now + interval_;
        if (has_changed()) return {.any = true, .names = {}};
      }
      if (now >= deadline) return {};
    }
  }

 private:
  // Share totals are written all the time: the file's own version only tells when the number of changes is worth a look.
  bool has_changed() {
    if (!connection_ && !open()) return false;
    const auto version = first_column(version_);
    if (!version || version == seen_version_) return false;
    const auto number = first_column(number_);
    if (!number) return false;
    seen_version_ = version;
    return std::exchange(seen_number_, number) != number;
  }

  bool open() {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(file_.c_str(), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
    connection_handle made(opened);
    if (code != SQLITE_OK) return false;
    sqlite3_busy_timeout(opened, static_cast<int>(interval_.count()));
    version_ = prepare(opened, "PRAGMA data_version");
    number_ = prepare(opened, "SELECT number FROM account_changes");
    if (!version_ || !number_) return false;
    connection_ = std::move(made);
    return true;
  }

  static statement_handle prepare(sqlite3* connection, const char* sql) {
    sqlite3_stmt* prepared = nullptr;
    sqlite3_prepare_v2(connection, sql, -1, &prepared, nullptr);
    return statement_handle(prepared);
  }

  // Nothing when the file cannot be read at the moment.
  static std::optional<std::int64_t> first_column(const statement_handle& statement) {
    std::optional<std::int64_t> value;
    if (sqlite3_step(statement.get()) == SQLITE_ROW) value = sqlite3_column_int64(statement.get(), 0);
    sqlite3_reset(statement.get());
    return value;
  }

  const std::filesystem::path file_;
  const std::chrono::milliseconds interval_;
  clock::time_point next_look_{};
  connection_handle connection_;
  statement_handle version_, number_;  // after connection_: finalized before it closes
  std::optional<std::int64_t> seen_version_, seen_number_;
};

}  // namespace

std::unique_ptr<change_feed> watch_sqlite(std::filesystem::path file, std::chrono::milliseconds interval) {
  return std::make_unique<sqlite_feed>(std::move(file), interval);
}

}  // namespace stratumproxyd
