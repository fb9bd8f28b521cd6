#include "migrations.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace stratumproxyd {
namespace {

namespace fs = std::filesystem;

// A second daemon waits here while the first one creates the tables.
constexpr std::chrono::seconds migration_patience{30};

struct migration {
  std::int64_t version = 0;
  fs::path file;
};

std::vector<migration> list_migrations(const fs::path& directory) {
  std::vector<migration> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".sql") continue;
    const auto digits = std::find_if_not(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digits - name.begin() != 4 || *digits != '_')
      throw std::runtime_error(fmt::format("{}: a migration is named NNNN_name.sql", entry.path().string()));
    found.push_back({std::stoll(name.substr(0, 4)), entry.path()});
  }
  if (error || found.empty())
    throw std::runtime_error(fmt::format("no migrations in {}; check the installation", directory.string()));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.version < b.version; });
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i].version != static_cast<std::int64_t>(i + 1))
      throw std::runtime_error(fmt::format("the migrations in {} do not count 1, 2, 3, …", directory.string()));
  return found;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || text.empty()) throw std::runtime_error(fmt::format("cannot read {}", path.string()));
  return text;
}

std::int64_t version_of(sql_session& session) {
  if (!session.has_table("stratumproxy_schema")) return 0;
  return integer_of(session.query("SELECT COALESCE(MAX(version), 0) FROM stratumproxy_schema")[0][0]);
}

void refuse_newer(std::int64_t version, std::int64_t known, const std::string& name) {
  if (version > known)
    throw std::runtime_error(fmt::format(
        "the database {} has schema version {}, this program knows {}: start a newer stratumproxyd, or use another database",
        name, version, known));
}

// One statement, so that a daemon that creates its tables at this moment is seen whole or not at all.
void refuse_foreign(sql_session& session, const std::string& name) {
  const auto found =
      session.query("SELECT COUNT(*), COALESCE(SUM(name = 'stratumproxy_schema'), 0) FROM sqlite_master WHERE type = 'table'");
  if (integer_of(found[0][0]) > 0 && integer_of(found[0][1]) == 0)
    throw std::runtime_error(fmt::format("{} is the database of another program; it was left as it is", name));
}

}  // namespace

schema_change migrate(database& tables, const fs::path& directory) {
  const auto files = list_migrations(directory / tables.kind());
  const auto newest = files.back().version;
  std::int64_t version = 0;
  tables.read(migration_patience, [&](sql_session& session) {
    if (tables.kind() == "sqlite") refuse_foreign(session, tables.display_name());
    version = version_of(session);
  });
  refuse_newer(version, newest, tables.display_name());
  tables.adopt();

  const auto before = version;
  while (version < newest) {
    tables.write(migration_patience, [&](sql_session& session) {
      session.lock_schema();
      version = version_of(session);  // another daemon may have been here while this one waited for the lock
      refuse_newer(version, newest, tables.display_name());
      if (version == newest) return;
      if (version == 0)
        session.script(
            "CREATE TABLE IF NOT EXISTS stratumproxy_schema (version BIGINT PRIMARY KEY, name TEXT NOT NULL, "
            "applied_at TEXT NOT NULL)");
      const auto& next = files[static_cast<std::size_t>(version)];
      session.script(read_file(next.file));
      (void)session.query(
          "INSERT INTO stratumproxy_schema (version, name, applied_at) "
          "VALUES ($1, $2, CAST(CURRENT_TIMESTAMP AS TEXT))",
          {next.version, next.file.filename().string()});
    });
  }
  return {before, newest};
}

}  // namespace stratumproxyd
