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

struct json_value;
using json_object = std::map<std::string, json_value, std::less<>>;

/// A member of a request: the API's objects hold no objects, but arrays of some that hold none. An empty array is one of strings.
struct json_value : std::variant<json_null, bool, json_number, std::string, std::vector<std::string>, std::vector<json_object>> {
  using variant::variant;
};

/// Reads one JSON object. On failure the text says why: not JSON, invalid UTF-8, NUL, a duplicate member, too much nesting.
[[nodiscard]] std::variant<json_object, std::string> parse_json_object(std::string_view text);

/// The number as a finite double, or nothing.
[[nodiscard]] std::optional<double> to_double(const json_number& number);

}  // namespace stratumproxyd
