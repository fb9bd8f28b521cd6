#pragma once

#include <memory>
#include <string>

#include "database.hpp"

namespace stratumproxyd {

/// Opens the file, or creates it with mode 0600. Throws std::runtime_error, and leaves the file as it is, when it cannot be
/// opened or is not an SQLite database. One connection behind a mutex; other processes may have the file open too.
[[nodiscard]] std::unique_ptr<database> open_sqlite(const std::string& path);

}  // namespace stratumproxyd
