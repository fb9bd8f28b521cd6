#include "ban_rows.hpp"

#include <fmt/format.h>

#include <stratumproxy/bans.hpp>

#include "text.hpp"

namespace stratumproxyd {

std::vector<ban_record> read_bans(sql_session& session) {
  std::vector<ban_record> found;
  const auto now = session.unix_time();
  const auto select = fmt::format("SELECT subject, reason, {}, ends_at - {} FROM bans WHERE ends_at IS NULL OR ends_at > {} "
                                  "ORDER BY subject",
                                  session.utc_text("created_at"), now, now);
  for (const auto& row : session.query(select)) {
    ban_record one{.subject = text_of(row[0]), .reason = text_of(row[1]), .created_at = text_of(row[2])};
    if (!is_null(row[3])) one.seconds = static_cast<std::uint64_t>(integer_of(row[3]));
    found.push_back(std::move(one));
  }
  return found;
}

std::uint64_t ban_changes(sql_session& session) {
  const auto rows = session.query("SELECT number FROM ban_changes");
  return rows.empty() ? 0 : static_cast<std::uint64_t>(integer_of(rows[0][0]));
}

write_outcome write_ban(sql_session& session, const ban_record& value) {
  require_storable(value.subject, longest_subject, "subject");
  require_storable(value.reason, longest_reason, "reason");
  const auto now = session.unix_time();
  (void)session.query(fmt::format("DELETE FROM bans WHERE ends_at <= {}", now));
  const auto seconds = value.seconds ? sql_value(static_cast<std::int64_t>(*value.seconds)) : sql_value();
  const auto ends = fmt::format("CAST($3 AS BIGINT) + {}", now);
  if (!session.query(fmt::format("UPDATE bans SET reason = $2, ends_at = {} WHERE subject = $1 RETURNING subject", ends),
                     {value.subject, value.reason, seconds})
           .empty())
    return write_outcome::changed;
  const auto count = integer_of(session.query("SELECT COUNT(*) FROM bans")[0][0]);
  if (static_cast<std::size_t>(count) >= stratumproxy::ban_list::most) return write_outcome::full;
  // Another proxy may write the same one at this moment: the last one's reason counts.
  (void)session.query(fmt::format("INSERT INTO bans (subject, reason, ends_at) VALUES ($1, $2, {}) "
                                  "ON CONFLICT (subject) DO UPDATE SET reason = excluded.reason, ends_at = excluded.ends_at",
                                  ends),
                      {value.subject, value.reason, seconds});
  return write_outcome::created;
}

bool erase_ban(sql_session& session, const std::string& subject) {
  const auto erase = fmt::format("DELETE FROM bans WHERE subject = $1 AND (ends_at IS NULL OR ends_at > {}) RETURNING subject",
                                 session.unix_time());
  return !session.query(erase, {subject}).empty();
}

}  // namespace stratumproxyd
