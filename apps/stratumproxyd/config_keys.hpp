#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config.hpp"

namespace stratumproxyd {

/// A value of the config file, freed of the parser's types.
using config_value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>,
                                  std::map<std::string, std::int64_t>>;

/// One key of the config file.
struct config_key {
  std::string_view name;  ///< "session.grace_seconds"
  /// Stores the value. Returns what was expected instead, or an empty text. Of a section that may stand several times ("stratum.listen")
  /// it begins the next one, to which its keys ("stratum.listen.addr") belong.
  std::function<std::string(config&, const config_value&)> set;
};

[[nodiscard]] std::span<const config_key> config_keys();

/// The candidate with the fewest edits, if it is near enough to be what was meant; else empty.
[[nodiscard]] std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

/// What is wrong with values that are fine one by one; or an empty text.
[[nodiscard]] std::string contradiction(const config& settings);

}  // namespace stratumproxyd
