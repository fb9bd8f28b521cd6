#pragma once

#include <string>
#include <vector>

#include "config.hpp"

namespace stratumproxyd {

/// What a daemon starts with all the same, but is seldom meant: one line each.
[[nodiscard]] std::vector<std::string> suspicions(const config& settings);

}  // namespace stratumproxyd
