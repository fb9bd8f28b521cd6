#pragma once

#include <string>

namespace stratumproxyd {

/// 16 hex digits from the system's random source. Throws std::system_error when it cannot be read.
[[nodiscard]] std::string random_account_name();

}  // namespace stratumproxyd
