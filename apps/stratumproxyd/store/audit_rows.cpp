#include "audit_rows.hpp"

#include "text.hpp"

namespace stratumproxyd {

void write_audit(sql_session& session, const author& by, const change_note& change) {
  require_storable(change.detail, longest_detail, "detail");
  for (const auto* text : {&by.actor, &by.address, &change.action, &change.subject})
    require_storable(*text, longest_pool, "text");
  (void)session.query("INSERT INTO audit (actor, address, action, subject, detail) VALUES ($1, $2, $3, $4, $5)",
                      {by.actor, by.address, change.action, change.subject, change.detail});
}

}  // namespace stratumproxyd
