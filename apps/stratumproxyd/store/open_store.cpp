#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "database_url.hpp"
#include "migrations.hpp"
#include "postgres_database.hpp"
#include "seeds.hpp"
#include "sql_store.hpp"
#include "sqlite_database.hpp"

namespace stratumproxyd {
namespace {

std::unique_ptr<database> open_database(const std::string& url) {
  constexpr std::string_view sqlite = "sqlite:";
  if (url.starts_with(sqlite) && url.size() > sqlite.size()) return open_sqlite(url.substr(sqlite.size()));
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) return open_postgres(url);
  throw std::runtime_error(
      fmt::format("{} is not a database: use sqlite:PATH or postgresql://USER@HOST/NAME", without_password(url)));
}

}  // namespace

std::unique_ptr<store> open_store(const std::string& url, const std::string& migrations) {
  auto tables = open_database(url);
  try {
    migrate(*tables, migrations);
    seed(*tables);
  } catch (const store_unavailable& error) {
    throw std::runtime_error(fmt::format("database {}: {}", tables->display_name(), error.what()));
  }
  return std::make_unique<sql_store>(std::move(tables));
}

}  // namespace stratumproxyd
