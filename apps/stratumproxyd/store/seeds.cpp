#include "seeds.hpp"

#include <set>
#include <string>
#include <utility>

#include <stratumproxy/algorithm.hpp>

#include "endpoint.hpp"
#include "known_pools.hpp"
#include "pool_rows.hpp"

namespace stratumproxyd {

void seed(database& tables) {
  using namespace std::chrono_literals;
  tables.write(30s, [](sql_session& session) {
    session.lock_schema();
    std::set<std::pair<std::string, std::string>> seen;
    for (const auto& row : session.query("SELECT kind, name FROM seeded")) seen.emplace(text_of(row[0]), text_of(row[1]));
    const auto record = [&](const char* kind, const std::string& name) {
      (void)session.query("INSERT INTO seeded (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", {std::string(kind), name});
    };

    for (const auto& info : stratumproxy::algorithm::builtin()) {
      if (seen.contains({"algorithm", info.name})) continue;
      (void)insert_algorithm(session, info);  // the operator's own row of that name stays
      record("algorithm", info.name);
    }
    for (const auto& pool : known_pools()) {
      const auto address = parse_pool(pool.pool);
      const auto algorithm = canonical_algorithm(session, std::string(pool.algorithm));
      if (seen.contains({"pool", std::string(pool.pool)}) || !address || algorithm.empty()) continue;
      pool_record row;
      row.source = std::string(pool.source.url).append(", ").append(pool.source.date);
      (void)insert_pool(session, *address, algorithm, row);
      record("pool", std::string(pool.pool));
    }
  });
}

}  // namespace stratumproxyd
