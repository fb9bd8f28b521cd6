#pragma once

#include <memory>
#include <string>

#include "database.hpp"
#include "schema.hpp"

namespace stratumproxyd {

/// As open_store has them: the database as it is, then its tables brought up to date. Both throw std::runtime_error with one
/// actionable line that names no password.
[[nodiscard]] std::unique_ptr<database> open_database(const std::string& url);
schema_change bring_up_to_date(database& tables, const std::string& migrations);

}  // namespace stratumproxyd
