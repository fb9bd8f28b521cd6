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
  bool is_live = false;   ///< a reload takes it over; else it needs a restart
  bool is_repeated = false;  ///< that of a section that may stand several times, or of one of its keys: only in the file
  /// Stores the value. Returns what was expected instead, or an empty text. Of a section that may stand several times ("stratum.listen")
  /// it begins the next one, to which its keys ("stratum.listen.addr") belong.
  std::function<std::string(config&, const config_value&)> set;
  /// The value, as set() takes it; for an empty file name or text that is none, too. It may be a secret. Of a repeated section it only tells
  /// whether the entries are the same.
  std::function<config_value(const config&)> get;
  std::function<void(config& to, const config& from)> copy;
};

[[nodiscard]] std::span<const config_key> config_keys();

/// The candidate with the fewest edits, if it is near enough to be what was meant; else empty.
[[nodiscard]] std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

/// What a reload makes of a configuration that runs.
struct config_change {
  config result;                           ///< new values of live keys, and those that run of all others
  std::vector<std::string> taken;          ///< the keys with another value
  std::vector<std::string> needs_restart;  ///< those that keep their value although another one is wanted
};
[[nodiscard]] config_change change_of(const config& running, const config& wanted);

/// What is wrong with values that are fine one by one; or an empty text.
[[nodiscard]] std::string contradiction(const config& settings);

}  // namespace stratumproxyd
