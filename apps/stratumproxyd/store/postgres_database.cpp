#include "postgres_database.hpp"

#include <utility>

#include <fmt/format.h>

#include "database_url.hpp"
#include "postgres_connections.hpp"
#include "postgres_feed.hpp"
#include "tag_lock.hpp"

#if defined(__SANITIZE_ADDRESS__)
// libpqxx 6.4 asks for the encoding before it takes a result into its care; when the connection was just lost that throws, and the
// one small result is never freed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:PQmakeEmptyPGresult\n"; }
#endif

namespace stratumproxyd {
namespace {

using clock = postgres_connections::clock;

// Any number, as long as every proxy uses the same.
constexpr const char* schema_lock = "SELECT pg_advisory_xact_lock(7283510846)";
constexpr const char* lost = "the connection to the database was lost";

class postgres_session final : public sql_session {
 public:
  explicit postgres_session(pqxx::transaction_base& transaction) : transaction_(transaction) {}

  std::vector<sql_row> query(const std::string& sql, std::span<const sql_value> parameters) override {
    std::vector<std::string> texts;
    for (const auto& value : parameters) texts.push_back(text_of(value));
    std::vector<const char*> pointers;
    for (std::size_t i = 0; i < texts.size(); ++i) pointers.push_back(is_null(parameters[i]) ? nullptr : texts[i].c_str());
    const auto answer = transaction_.exec_params(sql, pqxx::prepare::make_dynamic_params(pointers));
    std::vector<sql_row> rows;
    rows.reserve(answer.size());
    for (const auto& line : answer) {
      sql_row row;
      for (const auto& field : line)
        row.push_back(field.is_null() ? sql_value{} : sql_value{std::string(field.c_str(), field.size())});
      rows.push_back(std::move(row));
    }
    return rows;
  }

  void script(const std::string& sql) override { transaction_.exec(sql); }

  // Not to_regclass: behind a lock it may answer from what it had cached before the wait.
  bool has_table(const std::string& table) override {
    return !sql_session::query(
                "SELECT 1 FROM pg_catalog.pg_tables WHERE tablename = $1 AND schemaname = ANY (current_schemas(false))",
                {table})
                .empty();
  }

  void lock_schema() override {
    transaction_.exec("SET LOCAL statement_timeout = '25s'");
    transaction_.exec(schema_lock);
  }

  std::string utc_text(const std::string& column) const override {
    return fmt::format(R"(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))", column);
  }

  std::string unix_time() const override { return "CAST(EXTRACT(EPOCH FROM now()) AS BIGINT)"; }

  std::string transaction_mark() override { return text_of(sql_session::query("SELECT txid_current()")[0][0]); }

  // A crash or a fail-over takes back the numbers of transactions that never reached the log, and txid_status is an error for
  // numbers not yet given out. A new number of our own tells them apart; a snapshot's xmax does not, for the transaction in doubt
  // may itself be the newest.
  bool has_ended(const std::string& mark) override {
    const auto state = sql_session::query(
        "SELECT CASE WHEN CAST($1 AS bigint) >= txid_current() THEN 'lost' ELSE txid_status(CAST($1 AS bigint)) END", {mark});
    return text_of(state[0][0]) != "in progress";
  }

 private:
  pqxx::transaction_base& transaction_;
};

class postgres_database final : public database {
 public:
  explicit postgres_database(const std::string& url) : url_(url), name_(without_password(url)), connections_(url) {}
  postgres_database(const std::string& url, tag_lock lock)
      : url_(url), name_(without_password(url)),
        connections_(url, [held = std::move(lock)](auto& made) { held.take(made.link); }) {}

  void read(std::chrono::milliseconds patience, const work& what) override {
    run(patience, [&](pqxx::connection& link) {
      pqxx::nontransaction transaction(link);
      postgres_session session(transaction);
      what(session);
    });
  }

  void write(std::chrono::milliseconds patience, const work& what) override {
    run(patience, [&](pqxx::connection& link) {
      pqxx::work transaction(link);
      postgres_session session(transaction);
      what(session);
      try {
        transaction.commit();
      } catch (const pqxx::sql_error&) {
        throw;  // the server refused it
      } catch (const std::exception&) {
        throw commit_in_doubt("the connection to the database was lost during a commit");
      }
    });
  }

  std::string kind() const override { return "postgresql"; }
  const std::string& display_name() const override { return name_; }
  void adopt() override {}
  std::unique_ptr<database> for_holder_of(const std::string& tag) override {
    return std::make_unique<postgres_database>(url_, tag_lock(tag));
  }
  std::unique_ptr<change_feed> changes() override { return listen_to_postgres(url_); }

 private:
  void run(std::chrono::milliseconds patience, const std::function<void(pqxx::connection&)>& attempt) {
    const auto deadline = clock::now() + patience;
    // A connection that died while idle is found out at its first use, before anything happened; a fresh one is then tried.
    for (bool first = true;; first = false) {
      const auto lease = connections_.acquire(deadline);
      try {
        attempt(lease->link());
        lease->keep();
        return;
      } catch (const commit_in_doubt&) {
        connections_.drop_idle();
        throw;
      } catch (const pqxx::failure& error) {
        if (lease->link().is_open()) {
          lease->keep();
          // Only the code: texts of the server quote values, and the library adds the statement.
          const auto* refused = dynamic_cast<const pqxx::sql_error*>(&error);
          throw store_unavailable(
              fmt::format("the database refused a statement (SQLSTATE {})", refused ? refused->sqlstate() : "unknown"));
        }
        connections_.drop_idle();
        if (!first || clock::now() >= deadline) throw store_unavailable(lost);
      } catch (...) {
        if (lease->link().is_open()) lease->keep();  // the work's own exception: the transaction was rolled back
        throw;
      }
    }
  }

  const std::string url_, name_;
  postgres_connections connections_;
};

}  // namespace

std::unique_ptr<database> open_postgres(const std::string& url) { return std::make_unique<postgres_database>(url); }

}  // namespace stratumproxyd
