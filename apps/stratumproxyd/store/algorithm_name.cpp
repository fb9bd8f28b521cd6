#include "algorithm_name.hpp"

#include <algorithm>

#include "text.hpp"

namespace stratumproxyd {

bool is_algorithm_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_name && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '/' || c == '+';
  });
}

}  // namespace stratumproxyd
