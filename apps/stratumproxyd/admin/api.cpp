#include "admin/api.hpp"

#include <malloc.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "admin/dashboard.hpp"
#include "admin/embedded_files.hpp"
#include "admin/handlers.hpp"
#include "admin/json_body.hpp"
#include "admin/request_head.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t largest_import = 4 * 1'048'576;  // an export of as many rows as are taken

http_response health(const api_context& context) {
  return {.status = 200, .body = std::string("{\"status\":\"ok\",\"db\":\"") + (context.database_up() ? "up" : "down") + "\"}\n",
          .headers = {}};
}

http_response readiness(const api_context& context) {
  if (!context.ready()) return http_error(503, "starting or stopping");
  if (!context.database_up()) return http_error(503, "the database does not answer");
  if (!context.has_tag()) return http_error(503, "another proxy writes share totals under this one's tag");
  return {.status = 200, .body = "{\"status\":\"ready\"}\n", .headers = {}};
}

http_response description(const api_context&, const http_request& request) { return file_answer(api_description().front(), request); }

http_response metrics_page(const api_context& context) {
  auto page = context.metrics();
  if (!page) return http_error(503, "the counters cannot be read at the moment");
  return {.status = 200, .body = *std::move(page), .content_type = "text/plain; version=0.0.4", .headers = {}};
}

/// Turns what a handler throws into an answer. Texts of the database may quote values, so they are not shown.
http_handler guarded(stratumproxy::log_sink& log, std::function<http_response(const http_request&)> handler) {
  return [&log, handler = std::move(handler)](const http_request& request) {
    try {
      auto answer = handler(request);
      // What a large page took would stay with the process.
      if (answer.body.size() > 1'048'576) ::malloc_trim(0);
      return answer;
    } catch (const refusal& error) {
      return http_error(error.status, error.text);
    } catch (const store_unavailable&) {
      return http_error(503, "the database does not answer; try again");
    } catch (const std::exception&) {
      log.write({.level = stratumproxy::log_level::error, .event = "http_failed", .session = {}, .worker = {}, .account = {},
                 .pool = {}, .detail = request.path});
      return http_error(500, "internal error");
    }
  };
}

}  // namespace

http_response refused(write_outcome outcome, std::string_view error) {
  const auto say = [&](int status, std::string_view otherwise) { return http_error(status, error.empty() ? otherwise : error); };
  switch (outcome) {
    case write_outcome::created:
    case write_outcome::changed:
    case write_outcome::exists: break;
    case write_outcome::full: return say(409, "the table is full");
    case write_outcome::conflict: return say(409, "the row is there with other values");
    case write_outcome::outdated: return say(412, "the account has another revision by now");
    case write_outcome::unknown_user: return say(404, "unknown user");
    case write_outcome::unknown_pool: return say(404, "unknown pool");
    case write_outcome::unknown_algorithm: return say(404, "unknown algorithm");
    case write_outcome::in_use: return say(409, "other rows need this one");
    case write_outcome::unsupported: return say(422, "the pool's algorithm speaks a dialect that is not built");
  }
  return http_error(500, "internal error");
}

void add_routes(http_server& server, const api_context& context) {
  const auto add = [&](const char* method, const char* path, auto handler, std::size_t body_bytes = max_body_bytes) {
    server.route(method, path, guarded(context.log, [context, handler](const http_request& request) {
      if constexpr (requires { handler(context, request); }) return handler(context, request);
      else return handler(context);
    }), body_bytes);
  };
  add("POST", "/api/v1/users", register_user);
  add("PUT", "/api/v1/users", register_user);
  add("GET", "/api/v1/users", list_users);
  add("GET", "/api/v1/users/{name}", show_user);
  add("PATCH", "/api/v1/users/{name}", change_user);
  add("DELETE", "/api/v1/users/{name}", remove_user);
  add("GET", "/api/v1/workers", list_workers);
  add("GET", "/api/v1/workers/{worker}", show_worker);
  add("DELETE", "/api/v1/workers/{worker}", disconnect_worker);
  add("POST", "/api/v1/workers/{worker}/move", move_worker);
  add("GET", "/api/v1/links", list_links);
  add("GET", "/api/v1/sessions", list_sessions);
  add("GET", "/api/v1/bans", list_bans);
  add("POST", "/api/v1/bans", add_ban);
  add("DELETE", "/api/v1/bans/{subject}", remove_ban);
  add("GET", "/api/v1/status", show_status);
  add("POST", "/api/v1/reload", reload);
  add("GET", "/api/v1/events", list_events);
  add("GET", "/api/v1/algorithms", list_algorithms);
  add("POST", "/api/v1/algorithms", add_algorithm);
  add("GET", "/api/v1/pools", list_pools);
  add("POST", "/api/v1/pools", add_pool);
  add("GET", "/api/v1/tokens", list_tokens);
  add("POST", "/api/v1/tokens", add_token);
  add("DELETE", "/api/v1/tokens/{name}", remove_token);
  add("GET", "/api/v1/audit", list_audit);
  add("GET", "/api/v1/algorithms/{text}", show_algorithm);
  add("PATCH", "/api/v1/algorithms/{text}", change_algorithm);
  add("DELETE", "/api/v1/algorithms/{text}", remove_algorithm);
  add("GET", "/api/v1/pools/{text}", show_pool);
  add("PATCH", "/api/v1/pools/{text}", change_pool);
  add("DELETE", "/api/v1/pools/{text}", remove_pool);
  add("GET", "/api/v1/export", export_tables);
  add("POST", "/api/v1/import", import_tables, largest_import);
  add("GET", "/api/v1/history", show_history);
  add("GET", "/api/v1/openapi.json", description);
  add("GET", "/healthz", health);
  add("GET", "/readyz", readiness);
  add("GET", "/metrics", metrics_page);
  add_dashboard(server, context);
}

}  // namespace stratumproxyd
