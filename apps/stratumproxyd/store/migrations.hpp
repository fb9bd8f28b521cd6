#pragma once

#include <filesystem>

#include "database.hpp"
#include "schema.hpp"

namespace stratumproxyd {

/// Brings the tables up to the newest NNNN_name.sql of `directory`/<kind of database>, each file in one transaction together
/// with the row that records it, under a lock that other proxies respect. Throws std::runtime_error with one line; a
/// database that is newer than the files, or belongs to another program, is left untouched. Gives the versions before and after.
schema_change migrate(database& tables, const std::filesystem::path& directory);

}  // namespace stratumproxyd
