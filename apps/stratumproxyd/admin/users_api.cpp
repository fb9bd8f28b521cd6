#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/account_json.hpp"
#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "link_rules.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

namespace metrics = stratumproxy::metrics;

user_change::route read_route(json_body& members) {
  user_change::route out;
  out.pool = pool_name(members.text("pool", 1, longest_pool));
  out.user = members.text("user", 1, longest_credential);
  out.password = members.optional_text("password", longest_credential);
  return out;
}

// The whole list, in its order.
std::optional<std::vector<user_change::route>> read_routes(json_body& members) {
  auto objects = members.optional_objects("pools", stratumproxy::account::max_routes);
  if (!objects) return std::nullopt;
  std::vector<user_change::route> out;
  std::set<std::pair<std::string, std::string>> seen;
  for (auto& each : *objects) {
    auto& route = out.emplace_back(read_route(each));
    route.weight = each.optional_whole("weight", 0, highest_weight).value_or(0);
    each.finish();
    if (!seen.emplace(route.pool, route.user).second) throw refusal{400, "pools has a pool and user twice"};
  }
  return out;
}

// Out of the ETag of an answer: "7", with its quotes. `*` is any.
std::optional<std::uint64_t> wanted_revision(std::string_view if_match) {
  if (if_match.empty() || if_match == "*") return std::nullopt;
  const refusal malformed{400, "If-Match must be the ETag of an answer, with its quotes"};
  if (if_match.size() < 3 || !if_match.starts_with('"') || !if_match.ends_with('"')) throw malformed;
  const auto digits = if_match.substr(1, if_match.size() - 2);
  std::int64_t value = 0;  // as the databases have it
  const auto [stopped, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || stopped != digits.data() + digits.size() || value < 0) throw malformed;
  return static_cast<std::uint64_t>(value);
}

// What runs of an account, by its routes. The library has no rows for the only route of an account.
std::vector<metrics::route_row> running_routes(const user_record& account, const metrics::snapshot& now, std::uint64_t workers) {
  std::vector<metrics::route_row> out(account.routes.size());
  for (const auto& row : now.routes)
    if (row.account == account.name && row.route < out.size() && row.pool == account.routes[row.route].pool) out[row.route] = row;
  if (out.size() > 1 || workers == 0) return out;
  out[0].workers = workers;
  for (const auto& row : now.totals)
    if (row.account == account.name && row.pool == account.routes[0].pool) out[0].work += row.shares.accepted_one;
  return out;
}

http_response answer(const user_record& account, const metrics::snapshot& now, moment time) {
  std::uint64_t workers = 0;
  double hashrate = 0;
  for (const auto& row : now.workers) {
    if (row.account != account.name) continue;
    hashrate += row.hashrate;
    if (row.up && row.is_current) ++workers;
  }
  const auto routes = running_routes(account, now, workers);
  double work = 0;
  for (const auto& row : routes) work += row.work;

  json_answer out;
  out.put("name", account.name);
  out.put("revision", account.revision);
  out.put("created_at", account.created_at);
  if (account.mode) out.put("mode", name(*account.mode));
  else out.put_null("mode");
  out.begin_array("pools");
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const auto& row = routes[i];
    out.begin_object();
    out.put("pool", account.routes[i].pool);
    out.put("user", account.routes[i].user);
    out.put("weight", std::uint64_t{account.routes[i].weight});
    out.put("share", work > 0 ? row.work / work : 0);
    out.put("work", row.work);
    out.put_flag("usable", row.is_usable);
    out.put("cause", row.is_usable ? std::string_view() : metrics::name(row.cause));
    out.put("workers", row.workers);
    out.end_object();
  }
  out.end_array();
  out.put("workers", workers);
  out.put("hashrate", hashrate);
  put_seen_and_totals(out, account, workers, time);
  auto response = out.done();
  response.headers.emplace_back("ETag", '"' + std::to_string(account.revision) + '"');
  return response;
}

}  // namespace

http_response register_user(const api_context& context, const http_request& request) {
  json_body members(request);
  auto given = read_routes(members);
  if (given && members.has("pool")) throw refusal{400, "give either pools, or pool, user and password"};
  if (!given) given.emplace().push_back(read_route(members));
  const auto mode = members.optional_mode();
  members.finish();

  std::vector<route_record> routes;
  for (auto& route : *given) {
    if (!route.password) throw refusal{400, "password is missing"};
    routes.push_back({std::move(route.pool), std::move(route.user), *std::move(route.password), route.weight});
  }
  const auto result = context.database.register_user(author_of(request), routes, mode);
  if (result.outcome != write_outcome::created && result.outcome != write_outcome::exists)
    return refused(result.outcome, result.error);
  if (context.on_changed) context.on_changed(result.name);
  return http_named(201, result.name);
}

http_response show_user(const api_context& context, const http_request& request) {
  const auto found = context.database.user(request.parameter);
  if (!found) return refused(write_outcome::unknown_user, {});
  const auto now = context.snapshot(metrics::scope::everything);
  return now ? answer(*found, *now, context.now()) : http_error(503, "the counters cannot be read at the moment");
}

http_response change_user(const api_context& context, const http_request& request) {
  json_body members(request);
  user_change change;
  change.routes = read_routes(members);
  change.mode = members.optional_mode_or_null();
  members.finish();
  change.if_revision = wanted_revision(request.if_match);

  const auto result = context.database.change_user(author_of(request), request.parameter, change);
  if (result.outcome != write_outcome::changed && result.outcome != write_outcome::exists)
    return refused(result.outcome, result.error);
  if (result.outcome == write_outcome::changed && context.on_changed) context.on_changed(request.parameter);
  const auto found = context.database.user(request.parameter);
  if (!found) return refused(write_outcome::unknown_user, {});
  // It is done, so the answer says so, even where nothing is known of what runs.
  return answer(*found, context.snapshot(metrics::scope::everything).value_or(metrics::snapshot{}), context.now());
}

http_response remove_user(const api_context& context, const http_request& request) {
  const auto result = context.database.remove_user(author_of(request), request.parameter, wanted_revision(request.if_match));
  if (result.outcome != write_outcome::changed) return refused(result.outcome, result.error);
  if (context.on_changed) context.on_changed(request.parameter);
  return http_named(200, request.parameter);
}

}  // namespace stratumproxyd
