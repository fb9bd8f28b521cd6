#pragma once

#include <cstdint>
#include <string>

namespace stratumproxyd {

/// Versions of the tables: the number of the newest migration in them; 0 where there were none.
struct schema_change {
  std::int64_t from = 0;
  std::int64_t to = 0;
};

/// Brings the tables of `url` up to date as open_store does, and no more than that.
schema_change migrate_store(const std::string& url, const std::string& migrations);

}  // namespace stratumproxyd
