#include "admin/embedded_files.hpp"

#include <algorithm>
#include <string>

namespace stratumproxyd {
namespace {

std::string_view content_type(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  if (name.ends_with(".json")) return "application/json";
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

}  // namespace

http_response file_answer(const embedded_file& file, const http_request& request) {
  http_response answer;
  answer.content_type = content_type(file.name);
  answer.headers = {{"ETag", std::string(file.etag)}, {"Cache-Control", "no-cache"}, {"X-Content-Type-Options", "nosniff"}};
  if (matches(request.if_none_match, file.etag)) answer.status = 304;
  else answer.body = file.content;
  return answer;
}

}  // namespace stratumproxyd
