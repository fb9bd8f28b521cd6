#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "store.hpp"

namespace stratumproxyd {

/// Looks every `interval` whether anybody changed accounts in the file, by any connection but its own. Never knows which.
[[nodiscard]] std::unique_ptr<change_feed> watch_sqlite(std::filesystem::path file,
                                                        std::chrono::milliseconds interval = std::chrono::seconds(1));

}  // namespace stratumproxyd
