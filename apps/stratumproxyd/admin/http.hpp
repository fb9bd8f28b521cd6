#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stratumproxyd {

struct http_request {
  std::string method;
  std::string address;        ///< of the client, or of the proxy before it
  std::string actor;          ///< who asks, for the audit log; set by the guard
  std::string role;           ///< what the actor may, as tokens have it; set by the guard, but not where anybody may register
  std::string path;           ///< as sent, without the query
  std::string host;           ///< as sent, with its port
  std::string origin;
  std::string fetch_site;     ///< Sec-Fetch-Site: set by browsers, out of reach of a page's script
  std::string authorization;
  std::string content_type;
  std::string if_match;
  std::string if_none_match;
  std::string parameter;      ///< decoded: what stands for {name} in the route's path; empty while the guard is asked
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded
  std::string body;           ///< empty while the guard is asked
};

struct http_response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Called on several threads at once.
using http_handler = std::function<http_response(const http_request&)>;
/// Called before the route is looked up and before the body is read. An answer ends the request; without one the handler
/// finds the actor and the role that were set here.
using http_guard = std::function<std::optional<http_response>(http_request&)>;

/// The one shape of every error: {"name":"","error":"<text>"}. With 503 it says when to try again.
[[nodiscard]] http_response http_error(int status, std::string_view text);
/// {"name":"<name>","error":""}
[[nodiscard]] http_response http_named(int status, std::string_view name);

}  // namespace stratumproxyd
