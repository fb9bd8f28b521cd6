#include "environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "config_keys.hpp"

namespace stratumproxyd {
namespace {

constexpr std::string_view prefix = "STRATUMPROXY_";

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto comma = text.find(',');
    out.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  const bool is_hex = text.starts_with("0x");
  if (is_hex) text.remove_prefix(2);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, is_hex ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Reads a text as a value of the alternative that the key has.
struct reader {
  std::string_view text;

  std::optional<config_value> operator()(bool) const {
    if (text != "true" && text != "false") return std::nullopt;
    return text == "true";
  }
  std::optional<config_value> operator()(std::int64_t) const { return whole_number(text); }
  std::optional<config_value> operator()(double) const {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
  }
  std::optional<config_value> operator()(const std::string&) const { return std::string(text); }
  std::optional<config_value> operator()(const std::vector<std::string>&) const {
    const auto parts = parts_of(text);
    return std::vector<std::string>(parts.begin(), parts.end());
  }
  std::optional<config_value> operator()(const std::map<std::string, std::int64_t>&) const {
    std::map<std::string, std::int64_t> out;
    for (const auto part : parts_of(text)) {
      const auto equals = part.rfind('=');
      const auto number = equals == std::string_view::npos ? std::nullopt : whole_number(part.substr(equals + 1));
      if (!number) return std::nullopt;
      out.insert_or_assign(std::string(part.substr(0, equals)), *number);
    }
    return out;
  }
};

// Others may have variables that begin alike: Kubernetes makes some of a service that is called "stratumproxy", or "stratumproxy-web-metrics".
bool is_of_a_section(std::string_view name) {
  return std::ranges::any_of(config_keys(), [&](const config_key& key) {
    const auto section = variable_of(key.name.substr(0, key.name.find('.'))) + '_';
    if (!name.starts_with(section)) return false;
    const auto rest = name.substr(section.size() - 1);  // from the line on
    const auto port = rest.find("_PORT_");
    const bool is_of_a_port = port != std::string_view::npos && port + 6 < rest.size() && rest[port + 6] >= '0' && rest[port + 6] <= '9';
    return !rest.ends_with("_SERVICE_HOST") && rest.find("_SERVICE_PORT") == std::string_view::npos && !rest.ends_with("_PORT") && !is_of_a_port;
  });
}

[[noreturn]] void refuse_unknown(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& key : config_keys())
    if (!key.is_repeated) known.push_back(variable_of(key.name));
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  const auto meant = nearest_name(name, candidates);
  throw config_error(fmt::format("unknown environment variable {}{}", printable(name),
                                 meant.empty() ? "" : fmt::format("; did you mean {}?", meant)));
}

}  // namespace

std::string variable_of(std::string_view key) {
  std::string out(prefix);
  for (const char c : key) out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  return out;
}

void apply_environment(config& settings, const char* const* variables) {
  for (; variables && *variables; ++variables) {
    const std::string_view entry(*variables);
    const auto equals = entry.find('=');
    if (!entry.starts_with(prefix) || equals == std::string_view::npos) continue;
    const auto name = entry.substr(0, equals), text = entry.substr(equals + 1);
    const auto key = std::ranges::find_if(config_keys(), [&](const config_key& one) { return !one.is_repeated && variable_of(one.name) == name; });
    if (key == config_keys().end()) {
      if (is_of_a_section(name)) refuse_unknown(name);
      continue;
    }
    if (text.empty()) continue;
    const auto value = std::visit(reader{text}, key->get(settings));
    // No key takes an empty name: it makes each say what it wants.
    const auto expected = key->set(settings, value ? *value : config_value(std::map<std::string, std::int64_t>{{"", 0}}));
    if (!expected.empty()) throw config_error(fmt::format("{} must be {}", name, expected));
  }
}

}  // namespace stratumproxyd
