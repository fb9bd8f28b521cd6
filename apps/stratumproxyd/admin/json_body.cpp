#include "admin/json_body.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <stratumproxy/tls_client.hpp>

#include "endpoint.hpp"
#include "link_rules.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

bool is_printable(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;  // C1 controls
  }
  return true;
}

}  // namespace

json_body::json_body(const http_request& request) {
  auto type = lower_case(request.content_type.substr(0, request.content_type.find(';')));
  type.erase(type.find_last_not_of(" \t") + 1);
  // curl -d says x-www-form-urlencoded whatever it sends.
  if (!type.empty() && type != "application/json" && type != "application/x-www-form-urlencoded")
    throw refusal{415, "the body must be application/json"};
  auto parsed = parse_json_object(request.body);
  if (const auto* why = std::get_if<std::string>(&parsed)) throw refusal{400, *why};
  members_ = std::move(std::get<json_object>(parsed));
}

std::string json_body::text(std::string_view name, std::size_t low, std::size_t high) {
  auto value = optional_text(name, high);
  if (!value) throw fault(name, "is missing");
  if (value->size() < low) throw fault(name, "must not be empty");
  return *std::move(value);
}

std::optional<std::string> json_body::optional_text(std::string_view name, std::size_t high) {
  auto value = take(name);
  if (!value) return std::nullopt;
  auto* text = std::get_if<std::string>(&*value);
  if (!text) throw fault(name, "must be a string");
  if (text->size() > high) throw fault(name, "is longer than " + std::to_string(high) + " bytes");
  if (!is_printable(*text)) throw fault(name, "contains control characters");
  return std::move(*text);
}

std::optional<double> json_body::optional_divider(std::string_view name) {
  const auto value = take(name);
  if (!value) return std::nullopt;
  const auto* number = std::get_if<json_number>(&*value);
  const auto parsed = number ? to_double(*number) : std::nullopt;
  // The hashes of the largest share are still a number then.
  constexpr double least = 1e-18, most = 1e18;
  if (!parsed || *parsed < least || *parsed > most) throw fault(name, "must be a number from 1e-18 to 1e18");
  return parsed;
}

std::optional<std::optional<double>> json_body::optional_divider_or_null(std::string_view name) {
  const auto found = members_.find(name);
  if (found == members_.end()) return std::nullopt;
  if (!std::holds_alternative<json_null>(found->second)) return optional_divider(name);
  members_.erase(found);
  return std::optional<double>();
}

std::optional<unsigned> json_body::optional_whole(std::string_view name, unsigned low, unsigned high) {
  const auto value = take(name);
  if (!value) return std::nullopt;
  const auto* number = std::get_if<json_number>(&*value);
  const auto parsed = number ? to_double(*number) : std::nullopt;
  if (!parsed || *parsed < low || *parsed > high || *parsed != std::floor(*parsed))
    throw fault(name, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<unsigned>(*parsed);
}

std::optional<bool> json_body::optional_flag(std::string_view name) {
  const auto value = take(name);
  if (!value) return std::nullopt;
  const auto* flag = std::get_if<bool>(&*value);
  if (!flag) throw fault(name, "must be true or false");
  return *flag;
}

std::optional<stratumproxy::link_mode> json_body::optional_mode() {
  const auto text = optional_text("mode", longest_name);
  const auto known = text ? link_mode_from_name(*text) : std::nullopt;
  if (text && !known) throw fault("mode", "must be dedicated or shared");
  return known;
}

std::optional<std::optional<stratumproxy::link_mode>> json_body::optional_mode_or_null() {
  const auto found = members_.find("mode");
  if (found == members_.end()) return std::nullopt;
  if (!std::holds_alternative<json_null>(found->second)) return optional_mode();
  members_.erase(found);
  return std::optional<stratumproxy::link_mode>();
}

std::optional<stratumproxy::verify_level> json_body::optional_verify() {
  const auto text = optional_text("verify", longest_name);
  const auto known = text ? verify_level_from_name(*text) : std::nullopt;
  if (text && !known) throw fault("verify", "must be off, basic or full");
  return known;
}

std::optional<stratumproxy::tls_mode> json_body::optional_tls() {
  const auto text = optional_text("tls", longest_name);
  const auto known = text ? tls_mode_from_name(*text) : std::nullopt;
  if (text && !known) throw fault("tls", "must be off, verify, pin or insecure");
  return known;
}

std::optional<std::string> json_body::optional_fingerprint() {
  constexpr std::size_t with_colons = 95;
  const auto text = optional_text("tls_fingerprint", with_colons);
  if (!text || text->empty()) return text;
  auto digits = stratumproxy::canonical_fingerprint(*text);
  if (!digits) throw fault("tls_fingerprint", "must be a SHA-256 fingerprint: 64 hex digits");
  return digits;
}

std::vector<std::string> json_body::optional_texts(std::string_view name, std::size_t most) {
  auto value = take(name);
  if (!value) return {};
  auto* texts = std::get_if<std::vector<std::string>>(&*value);
  if (!texts || texts->size() > most) throw fault(name, "must be an array of at most " + std::to_string(most) + " strings");
  return std::move(*texts);
}

std::optional<std::vector<json_body>> json_body::optional_objects(std::string_view name, std::size_t most) {
  auto value = take(name);
  if (!value) return std::nullopt;
  auto* objects = std::get_if<std::vector<json_object>>(&*value);
  if (!objects || objects->size() > most) throw fault(name, "must be an array of 1 to " + std::to_string(most) + " objects");
  std::vector<json_body> out;
  for (auto& each : *objects)
    out.emplace_back(std::move(each), where_ + std::string(name) + '[' + std::to_string(out.size()) + "].");
  return out;
}

std::vector<json_body> json_body::objects_or_none(std::string_view name, std::size_t most) {
  // An empty array is one of strings.
  if (const auto found = members_.find(name); found != members_.end())
    if (const auto* texts = std::get_if<std::vector<std::string>>(&found->second); texts && texts->empty()) members_.erase(found);
  return optional_objects(name, most).value_or(std::vector<json_body>());
}

void json_body::finish() const {
  if (members_.empty()) return;
  auto name = members_.begin()->first;
  if (!is_printable(name)) throw refusal{400, "unknown member with control characters"};
  if (name.size() > longest_name) {
    auto end = longest_name;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;  // not within a character
    name.resize(end);
  }
  throw refusal{400, "unknown member " + where_ + name};
}

std::optional<json_value> json_body::take(std::string_view name) {
  const auto found = members_.find(name);
  if (found == members_.end()) return std::nullopt;
  auto value = std::move(found->second);
  members_.erase(found);
  return value;
}

refusal json_body::fault(std::string_view name, std::string_view what) const {
  return {400, where_ + std::string(name) + ' ' + std::string(what)};
}

std::string pool_name(const std::string& text) {
  const auto parsed = parse_pool(text);
  if (!parsed)
    throw refusal{400, "pool must be HOST:PORT with a DNS name, an IPv4 address or an IPv6 address in brackets, and a port from "
                       "1 to 65535"};
  return parsed->text();
}

}  // namespace stratumproxyd
