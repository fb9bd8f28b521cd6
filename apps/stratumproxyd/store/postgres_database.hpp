#pragma once

#include <memory>
#include <string>

#include "database.hpp"

namespace stratumproxyd {

/// `postgresql://…` as libpq reads it. Connects when first used. No call takes longer than its patience, whether the server is
/// down, unreachable or silent.
[[nodiscard]] std::unique_ptr<database> open_postgres(const std::string& url);

}  // namespace stratumproxyd
