#pragma once

#include <string>
#include <string_view>

namespace stratumproxyd {

/// The URL with `***` in place of every password: user:password@ and password=, sslpassword= in the query.
[[nodiscard]] std::string without_password(std::string_view url);

/// A text for people, from a library that may quote parts of the URL: the text on one line, or nothing of it when a
/// password of the URL occurs in it, as it is written or decoded.
[[nodiscard]] std::string without_password(std::string_view text, std::string_view url);

/// The URL with key=value appended to its query, unless the key is there already.
[[nodiscard]] std::string with_default_parameter(std::string url, std::string_view key, std::string_view value);

}  // namespace stratumproxyd
