#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stratumproxyd {

/// A number as it was written: what it means is the reader's business.
struct json_number {
  std::string text;
};
struct json_null {};

/// A member of a request: the API's objects are flat, but for arrays of strings.
using json_value = std::variant<json_null, bool, json_number, std::string, std::vector<std::string>>;
using json_object = std::map<std::string, json_value, std::less<>>;

/// Reads one flat JSON object. On failure the text says why: not JSON, invalid UTF-8, NUL, a duplicate or nested member.
[[nodiscard]] std::variant<json_object, std::string> parse_json_object(std::string_view text);

/// The number as a finite double, or nothing.
[[nodiscard]] std::optional<double> to_double(const json_number& number);

}  // namespace stratumproxyd
