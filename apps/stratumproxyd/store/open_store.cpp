#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "database_url.hpp"
#include "migrations.hpp"
#include "open_database.hpp"
#include "postgres_database.hpp"
#include "seeds.hpp"
#include "sql_store.hpp"
#include "sqlite_database.hpp"

namespace stratumproxyd {

std::unique_ptr<database> open_database(const std::string& url) {
  constexpr std::string_view sqlite = "sqlite:";
  if (url.starts_with(sqlite) && url.size() > sqlite.size()) return open_sqlite(url.substr(sqlite.size()));
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) return open_postgres(url);
  throw std::runtime_error(
      fmt::format("{} is not a database: use sqlite:PATH or postgresql://USER@HOST/NAME", without_password(url)));
}

schema_change bring_up_to_date(database& tables, const std::string& migrations) try {
  const auto change = migrate(tables, migrations);
  seed(tables);
  return change;
} catch (const store_unavailable& error) {
  throw std::runtime_error(fmt::format("database {}: {}", tables.display_name(), error.what()));
}

std::unique_ptr<store> open_store(const std::string& url, const std::string& migrations) {
  auto tables = open_database(url);
  (void)bring_up_to_date(*tables, migrations);
  return std::make_unique<sql_store>(std::move(tables));
}

schema_change migrate_store(const std::string& url, const std::string& migrations) {
  return bring_up_to_date(*open_database(url), migrations);
}

}  // namespace stratumproxyd
