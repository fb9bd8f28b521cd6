#pragma once

#include <cstddef>

#include "access_tables.hpp"
#include "database.hpp"

namespace stratumproxyd {

inline constexpr std::size_t longest_detail = 16'384;

/// Adds an entry, in the transaction of the change that it tells of: both are committed, or neither. Throws std::invalid_argument where
/// the database could not keep it as it is.
void write_audit(sql_session& session, const author& by, const change_note& change);

}  // namespace stratumproxyd
