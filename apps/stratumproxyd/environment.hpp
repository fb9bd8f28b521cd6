#pragma once

#include <string>
#include <string_view>

#include "config.hpp"

namespace stratumproxyd {

/// The environment variable of a key: STRATUMPROXY_DB_URL for "db.url".
[[nodiscard]] std::string variable_of(std::string_view key);

/// Applies the variables of keys to `settings`; `variables` is as `environ`, and may be null. An empty variable is as none. Texts are taken as they are, other
/// values as in the file, but lists without brackets: "a,b", and "NiceHash/=4,ckproxy=6".
/// Throws config_error for a variable of a section that names no key, and for a value that is none; it does not show the value.
void apply_environment(config& settings, const char* const* variables);

}  // namespace stratumproxyd
