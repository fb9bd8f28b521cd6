#include <cstdint>
#include <string>

#include <stratumproxy/bans.hpp>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "store/ban_rows.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::ban_list;

constexpr unsigned longest_ban = 10 * 365 * 86'400;  // seconds

std::string canonical_subject(const std::string& text) {
  const auto subject = ban_list::canonical(text);
  if (subject) return *subject;
  if (subject.error() == stratumproxy::errc::out_of_range)
    throw refusal{400, "the network has bits behind its prefix, or too long a prefix: write 10.0.0.0/8, not 10.1.2.3/8"};
  throw refusal{400, "subject must be an IP address, a network such as 10.0.0.0/8 or 2001:db8::/32, or the name of an account"};
}

void tell(const api_context& context) {
  if (context.live.bans_written) context.live.bans_written();
}

}  // namespace

http_response list_bans(const api_context& context) {
  json_answer out;
  out.begin_array("bans");
  for (const auto& each : context.database.bans()) {
    out.begin_object();
    out.put("subject", each.subject);
    out.put("reason", each.reason);
    out.put("created_at", each.created_at);
    if (each.seconds) out.put("seconds", *each.seconds);
    else out.put_null("seconds");
    out.end_object();
  }
  out.end_array();
  return out.done();
}

http_response add_ban(const api_context& context, const http_request& request) {
  json_body members(request);
  ban_record value;
  const auto subject = members.text("subject", 1, longest_subject);
  value.reason = members.text("reason", 1, longest_reason);
  const auto seconds = members.optional_whole("seconds", 1, longest_ban);
  const bool is_forced = members.optional_flag("force").value_or(false);
  members.finish();
  value.subject = canonical_subject(subject);
  if (seconds) value.seconds = *seconds;
  if (!is_forced && ban_list::covers_loopback(value.subject))
    return http_error(422, "this bans miners on the proxy's own host; give \"force\": true if it is meant");
  const auto outcome = context.database.add_ban(author_of(request), value);
  if (outcome == write_outcome::full) return refused(outcome, "there are 10000 bans already; lift some, or ban a network");
  tell(context);
  return http_named(outcome == write_outcome::created ? 201 : 200, value.subject);
}

http_response remove_ban(const api_context& context, const http_request& request) {
  const auto subject = ban_list::canonical(request.parameter);
  if (!subject || !context.database.remove_ban(author_of(request), *subject)) return http_error(404, "unknown ban");
  tell(context);
  return http_named(200, *subject);
}

}  // namespace stratumproxyd
