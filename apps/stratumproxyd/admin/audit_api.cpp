#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t most_entries = 10'000;

std::int64_t whole(std::string_view name, const std::string& text, std::int64_t high) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || value < 1 || value > high)
    throw refusal{400, std::string(name).append(" must be a whole number from 1 to ").append(std::to_string(high))};
  return value;
}

audit_query read_query(const http_request& request) {
  audit_query wanted;
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(seen, name) != seen.end()) throw refusal{400, "a query parameter appears twice"};
    seen.push_back(name);
    if (name == "user")
      wanted.user = value;
    else if (name == "limit")
      wanted.limit = static_cast<std::size_t>(whole(name, value, most_entries));
    else if (name == "after")
      wanted.before = whole(name, value, INT64_MAX);
    else
      throw refusal{400, "the query parameters are user, limit and after"};
  }
  return wanted;
}

}  // namespace

http_response list_audit(const api_context& context, const http_request& request) {
  auto wanted = read_query(request);
  const auto limit = wanted.limit++;  // one more tells whether there is another page
  auto entries = context.database.access().audit(wanted);
  const bool more = entries.size() > limit;
  if (more) entries.pop_back();
  json_answer out;
  out.begin_array("audit");
  for (const auto& each : entries) {
    out.begin_object();
    out.put("id", static_cast<std::uint64_t>(each.id));
    out.put("at", each.at);
    out.put("actor", each.by.actor);
    out.put("address", each.by.address);
    out.put("action", each.change.action);
    out.put("subject", each.change.subject);
    out.put("detail", each.change.detail);
    out.end_object();
  }
  out.end_array();
  out.put("next", more ? std::to_string(entries.back().id) : std::string());
  return out.done();
}

author author_of(const http_request& request) { return {request.actor, request.address}; }

void note_operation(const api_context& context, const http_request& request, const change_note& what) {
  const auto by = author_of(request);
  try {
    context.database.access().add_audit(by, what);
  } catch (const std::exception&) {
    // It is done, so the client is told so. The log has what the table has not.
    context.log.write({.level = stratumproxy::log_level::error,
                       .event = "audit_not_written",
                       .session = {},
                       .worker = {},
                       .account = {},
                       .pool = {},
                       .detail = by.actor + ' ' + by.address + ' ' + what.action + ' ' + what.subject});
  }
}

}  // namespace stratumproxyd
