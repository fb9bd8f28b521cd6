#include <cstdint>
#include <map>
#include <string>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

namespace metrics = stratumproxy::metrics;
using stratumproxy::account_lookup;
using stratumproxy::move_outcome;

http_response not_there() { return http_error(404, "no worker with that address is here"); }

}  // namespace

http_response disconnect_worker(const api_context& context, const http_request& request) {
  const auto was_there = context.live.disconnect(request.parameter, "an operator disconnected this worker");
  if (!was_there) return http_error(503, "the proxy does not answer; try again");
  if (!*was_there) return not_there();
  note_operation(context, request, {"worker.disconnect", request.parameter});
  return http_named(200, request.parameter);
}

http_response move_worker(const api_context& context, const http_request& request) {
  json_body members(request);
  const auto user = members.text("user", 1, longest_name);
  members.finish();
  const auto to = context.live.find_account(user);
  if (to.state == account_lookup::status::unavailable) return http_error(503, "the account cannot be looked up now; try again");
  if (to.state == account_lookup::status::unknown || !to.found || to.found->routes.empty()) return refused(write_outcome::unknown_user, {});
  switch (context.live.move_worker(request.parameter, to.found)) {
    case move_outcome::moved:
      note_operation(context, request, {"worker.move", request.parameter, "to " + user});
      return http_named(200, request.parameter);
    case move_outcome::unknown_worker: return not_there();
    case move_outcome::not_mining: return http_error(409, "the worker has not subscribed and logged in yet");
    case move_outcome::other_algorithm: return http_error(422, "the account mines another algorithm than the worker");
    case move_outcome::refused: return http_error(422, "the account is banned, or its pools refuse the login");
    case move_outcome::unavailable: return http_error(503, "the proxy does not answer; try again");
  }
  return http_error(500, "internal error");
}

http_response show_status(const api_context& context, const http_request& request) {
  const auto status = context.live.status();
  const auto now = context.snapshot(metrics::scope::everything);
  if (!now) return http_error(503, "the counters cannot be read at the moment");
  std::uint64_t workers = 0;
  std::map<std::string, double> hashrates;
  for (const auto& row : now->workers) {
    if (!row.up) continue;
    if (row.is_current) ++workers;
    hashrates[row.algorithm] += row.hashrate;
  }
  json_answer out;
  out.put("version", status.version);
  out.put("uptime_seconds", status.uptime_seconds);
  out.put("tag", status.tag);
  out.put("stratum", status.stratum);
  out.put("web", status.web);
  out.put("shards", std::uint64_t{status.shards});
  out.put("connections", now->connections);
  out.put("workers", workers);
  out.put("kept_sessions", now->kept_sessions);
  out.begin_array("hashrates");
  for (const auto& [hash, rate] : hashrates) {
    out.begin_object();
    out.put("hash", hash);
    out.put("hashrate", rate);
    out.end_object();
  }
  out.end_array();
  out.put("bans", std::uint64_t{status.bans});
  out.put("database", context.database_up() ? "up" : "down");
  out.put_flag("ready", context.ready() && context.database_up() && context.has_tag());
  out.put("open_descriptors", status.open_descriptors);
  out.put("descriptor_limit", status.descriptor_limit);
  if (status.reloaded_at.empty()) out.put_null("reloaded_at");
  else out.put("reloaded_at", status.reloaded_at);
  out.put("reload_error", status.reload_error);
  out.put("needs_restart", status.needs_restart);
  out.put("actor", request.actor);
  out.put("role", request.role);
  return out.done();
}

http_response reload(const api_context& context, const http_request& request) {
  const auto outcome = context.live.reload();
  if (!outcome.error.empty()) return http_error(422, outcome.error);
  note_operation(context, request, {"configuration.reload", {}});
  json_answer out;
  out.put("taken", outcome.taken);
  out.put("needs_restart", outcome.needs_restart);
  return out.done();
}

}  // namespace stratumproxyd
