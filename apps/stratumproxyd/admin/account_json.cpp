#include "admin/account_json.hpp"

#include "link_rules.hpp"
#include "store/moment_text.hpp"

namespace stratumproxyd {

void put_account(json_answer& out, const user_record& account) {
  out.put("name", account.name);
  out.put("revision", account.revision);
  out.put("created_at", account.created_at);
  if (account.mode) out.put("mode", name(*account.mode));
  else out.put_null("mode");
  out.begin_array("pools");
  for (const auto& route : account.routes) {
    out.begin_object();
    out.put("pool", route.pool);
    out.put("user", route.user);
    out.put("weight", std::uint64_t{route.weight});
    out.end_object();
  }
  out.end_array();
}

void put_seen_and_totals(json_answer& out, const user_record& account, std::uint64_t workers, moment now) {
  const auto seen = workers > 0 ? std::optional(now) : account.last_seen;
  if (seen) out.put("last_seen", utc_text(*seen));
  else out.put_null("last_seen");
  const auto& totals = account.totals;
  put_counts(out, totals.sent, totals.accepted, totals.rejected_total(), totals.unknown, totals.accepted_one);
}

void put_counts(json_answer& out, std::uint64_t sent, std::uint64_t accepted, std::uint64_t rejected, std::uint64_t unknown,
                double accepted_one) {
  out.put("sent", sent);
  out.put("accepted", accepted);
  out.put("rejected", rejected);
  out.put("unknown", unknown);
  out.put("difficulty_one_accepted", accepted_one);
}

}  // namespace stratumproxyd
