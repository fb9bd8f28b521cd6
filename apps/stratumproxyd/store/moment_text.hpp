#pragma once

#include <string>

#include "store.hpp"

namespace stratumproxyd {

/// "YYYY-MM-DDTHH:MM:SSZ"
[[nodiscard]] std::string utc_text(moment when);

}  // namespace stratumproxyd
