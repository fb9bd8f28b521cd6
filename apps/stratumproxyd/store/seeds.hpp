#pragma once

#include "database.hpp"

namespace stratumproxyd {

/// Inserts the library's algorithms and the known pools that this database has never seen. What was inserted once is
/// recorded, so that rows that the operator deleted or changed stay as he left them. Throws store_unavailable.
void seed(database& tables);

}  // namespace stratumproxyd
