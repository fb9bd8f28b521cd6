#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store.hpp"

namespace stratumproxyd {

/// A parameter or a column: nothing, or one of the three types that the tables hold.
using sql_value = std::variant<std::monostate, std::int64_t, double, std::string>;
using sql_row = std::vector<sql_value>;

/// Reads a column; PostgreSQL hands every type over as text. A null is "", 0 or 0.0.
[[nodiscard]] std::string text_of(const sql_value& value);
[[nodiscard]] std::int64_t integer_of(const sql_value& value);
[[nodiscard]] double number_of(const sql_value& value);
/// Reads a column of truth values: BOOLEAN there, 0 and 1 here.
[[nodiscard]] bool flag_of(const sql_value& value);
[[nodiscard]] inline bool is_null(const sql_value& value) {
  return std::holds_alternative<std::monostate>(value);
}

/// The shortest decimal text that reads back as the same number, whatever the locale.
[[nodiscard]] std::string exact_text(double value);

/// Thrown when the connection was lost after COMMIT went out: the transaction may have happened or not.
struct commit_in_doubt : store_unavailable {
  using store_unavailable::store_unavailable;
};

/// Statements inside of one transaction. Both databases take the same text, with parameters written $1, $2, …
class sql_session {
 public:
  virtual ~sql_session() = default;
  [[nodiscard]] virtual std::vector<sql_row> query(const std::string& sql, std::span<const sql_value> parameters) = 0;
  [[nodiscard]] std::vector<sql_row> query(const std::string& sql, std::initializer_list<sql_value> parameters = {}) {
    return query(sql, std::span<const sql_value>(parameters.begin(), parameters.size()));
  }
  /// Several statements without parameters.
  virtual void script(const std::string& sql) = 0;
  [[nodiscard]] virtual bool has_table(const std::string& name) = 0;
  /// Until the end of the transaction no other proxy changes the tables' structure.
  virtual void lock_schema() = 0;
  /// An expression: the time in `column` as "YYYY-MM-DDTHH:MM:SSZ".
  [[nodiscard]] virtual std::string utc_text(const std::string& column) const = 0;
  /// An expression: the seconds since 1970 on the database's clock, whole.
  [[nodiscard]] virtual std::string unix_time() const = 0;
  /// A text that names this transaction for has_ended, should its commit be in doubt.
  [[nodiscard]] virtual std::string transaction_mark() = 0;
  /// Whether that transaction was committed or rolled back, and not still on its way on the server.
  [[nodiscard]] virtual bool has_ended(const std::string& mark) = 0;
};

/// One of the two databases. Thread-safe. The work may run twice when a connection turns out to be dead before anything
/// was committed, so it must not depend on what an earlier run left behind.
class database {
 public:
  using work = std::function<void(sql_session&)>;

  virtual ~database() = default;
  /// Statements that change nothing. Throws store_unavailable.
  virtual void read(std::chrono::milliseconds patience, const work& what) = 0;
  /// One transaction, rolled back when `what` throws. Throws store_unavailable.
  virtual void write(std::chrono::milliseconds patience, const work& what) = 0;

  /// The name of its folder in migrations/.
  [[nodiscard]] virtual std::string kind() const = 0;
  /// For messages; names no password.
  [[nodiscard]] virtual const std::string& display_name() const = 0;
  /// Settings that write to the database, kept back until it is known to be ours.
  virtual void adopt() = 0;
  /// The same tables, for the one that holds `tag`: a call is served only while that is so, else it throws tag_taken. The tag is
  /// taken with the first call, and let go of when the object ends, which has to be before this one.
  [[nodiscard]] virtual std::unique_ptr<database> for_holder_of(const std::string& tag) = 0;
  /// On a connection of its own.
  [[nodiscard]] virtual std::unique_ptr<change_feed> changes() = 0;
};

}  // namespace stratumproxyd
