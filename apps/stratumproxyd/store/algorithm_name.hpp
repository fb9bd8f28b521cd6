#pragma once

#include <string_view>

namespace stratumproxyd {

/// 1 to 64 lower-case letters, digits and characters of - _ . / +
[[nodiscard]] bool is_algorithm_name(std::string_view name);

}  // namespace stratumproxyd
