#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "stratumproxy/algorithm.hpp"

namespace stratumproxy::algorithm {

/// A hash function of the library, and the built-in algorithm that it belongs to.
struct shipped_hash {
  std::string_view name;
  bool (*function)(std::span<const std::uint8_t> header, std::span<std::uint8_t, 32> hash) noexcept;
  hash_cost cost;
};

[[nodiscard]] std::span<const shipped_hash> shipped_hashes() noexcept;

}  // namespace stratumproxy::algorithm
