#include "admin/http_routes.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "admin/request_head.hpp"

namespace stratumproxyd {
namespace {

// A segment of a path, decoded. Nothing where it is no 1 to 300 visible characters of ASCII, or where clients would resolve it.
std::optional<std::string> decoded(std::string_view segment) {
  constexpr std::size_t longest = 300;  // a DNS name and a port
  std::string out;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      unsigned value = 0;
      const auto digits = segment.substr(i + 1, 2);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
      c = static_cast<char>(value);
      i += 2;
    }
    if (c <= 0x20 || c >= 0x7f || out.size() == longest) return std::nullopt;
    out += c;
  }
  if (out.empty() || out == "." || out == "..") return std::nullopt;
  return out;
}

/// What stands for {name} in the path, or "" where the route has none. Nothing where the path is not the route's.
std::optional<std::string> parameter_of(std::string_view route, std::string_view path) {
  const auto open = route.find('{');
  if (open == std::string_view::npos) return path == route ? std::optional(std::string()) : std::nullopt;
  const auto before = route.substr(0, open), after = route.substr(route.find('}') + 1);
  if (!path.starts_with(before)) return std::nullopt;
  path.remove_prefix(before.size());
  const auto end = std::min(path.find('/'), path.size());
  return path.substr(end) == after ? decoded(path.substr(0, end)) : std::nullopt;
}

}  // namespace

void http_routes::add(const std::string& method, const std::string& path, http_handler handler, std::size_t body_bytes) {
  routes_.push_back({method, path, std::move(handler), body_bytes});
}

std::vector<std::pair<std::string, std::string>> http_routes::list() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& each : routes_) out.emplace_back(each.method, each.path);
  return out;
}

std::size_t http_routes::body_limit(std::string_view method, std::string_view path) const {
  for (const auto& each : routes_)
    if (each.method == method && each.path == path) return each.body_bytes;
  return max_body_bytes;
}

std::optional<http_response> http_routes::refuse(std::string_view method, std::string_view path) const {
  std::string allowed;
  for (const auto& each : routes_) {
    if (!parameter_of(each.path, path)) continue;
    if (each.takes(method)) return std::nullopt;
    allowed += (allowed.empty() ? "" : ", ") + each.method + (each.method == "GET" ? ", HEAD" : "");
  }
  if (allowed.empty()) return http_error(404, "there is nothing at this path");
  auto refused = http_error(405, "this method is not allowed here");
  refused.headers.emplace_back("Allow", allowed);
  return refused;
}

std::optional<http_response> http_routes::serve(http_request request) const {
  for (const auto& each : routes_) {
    auto parameter = each.takes(request.method) ? parameter_of(each.path, request.path) : std::nullopt;
    if (!parameter) continue;
    request.parameter = *std::move(parameter);
    return each.handler(request);
  }
  return std::nullopt;
}

}  // namespace stratumproxyd
