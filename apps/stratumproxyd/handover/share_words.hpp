#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace stratumproxyd {

/// Share totals as words of a message, of which the first is "shares", and back; nothing for other words.
[[nodiscard]] std::vector<std::string> to_words(const total_record& row);
[[nodiscard]] std::optional<total_record> shares_of(std::span<const std::string> words);

}  // namespace stratumproxyd
