#pragma once

#include <memory>
#include <string>

#include "store.hpp"

namespace stratumproxyd {

/// Listens, on a connection of its own, to what the triggers of the tables tell: the names of accounts. After a lost connection
/// the next one is tried a second later, and what was missed meanwhile is told as `any`.
[[nodiscard]] std::unique_ptr<change_feed> listen_to_postgres(const std::string& url);

}  // namespace stratumproxyd
