#include "admin/dashboard.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <stratumproxy/version.hpp>

#include "admin/dashboard_files.hpp"
#include "admin/json_answer.hpp"

namespace stratumproxyd {
namespace {

// Scripts and styles come from here alone, and nothing is written in the page itself: a name that slipped through as markup
// could do nothing.
constexpr std::string_view content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view content_type(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/javascript; charset=utf-8";
}

/// Whether If-None-Match names this tag: a list of tags, weak or not, or a star.
bool matches(std::string_view header, std::string_view etag) {
  for (std::size_t at = 0; at < header.size();) {
    const auto end = std::min(header.find(',', at), header.size());
    auto each = header.substr(at, end - at);
    at = end + 1;
    while (!each.empty() && (each.front() == ' ' || each.front() == '\t')) each.remove_prefix(1);
    while (!each.empty() && (each.back() == ' ' || each.back() == '\t')) each.remove_suffix(1);
    if (each.starts_with("W/")) each.remove_prefix(2);
    if (each == etag || each == "*") return true;
  }
  return false;
}

http_response serve(const dashboard_file& file, const http_request& request) {
  http_response answer;
  answer.content_type = content_type(file.name);
  answer.headers = {{"ETag", std::string(file.etag)},
                    {"Cache-Control", "no-cache"},  // kept, but asked about each time: a new version is there at once
                    {"Content-Security-Policy", std::string(content_policy)},
                    {"X-Content-Type-Options", "nosniff"},
                    {"Referrer-Policy", "no-referrer"},
                    {"Cross-Origin-Opener-Policy", "same-origin"},
                    {"Cross-Origin-Resource-Policy", "same-origin"}};
  if (matches(request.if_none_match, file.etag)) answer.status = 304;
  else answer.body = file.content;
  return answer;
}

}  // namespace

void add_dashboard(http_server& server, const api_context& context) {
  for (const auto& file : dashboard_files()) {
    const auto path = std::string("/").append(file.name == "index.html" ? std::string_view() : file.name);
    server.route("GET", path, [&file](const http_request& request) { return serve(file, request); });
  }
  server.route("GET", "/dashboard.json", [address = context.stratum_address](const http_request&) {
    json_answer out;
    out.put("stratum", address());
    out.put("version", stratumproxy::version());
    return out.done();
  });
}

}  // namespace stratumproxyd
