#pragma once

#include <string>
#include <string_view>

#include <stratumproxy/log.hpp>

namespace stratumproxyd {

/// The text of one event: `event key=value ...`, values with spaces or quotes in quotes. Control characters and bytes
/// that are not UTF-8 are escaped, so that an event is always one line.
[[nodiscard]] std::string event_as_text(const stratumproxy::log_event& event);
/// The same as members of a JSON object, without the braces.
[[nodiscard]] std::string event_as_json(const stratumproxy::log_event& event);
/// What one allowance of lines is for: the miner's address without its port, else the pool.
[[nodiscard]] std::string_view source_of(const stratumproxy::log_event& event);
[[nodiscard]] std::string_view name(stratumproxy::log_level level);

}  // namespace stratumproxyd
