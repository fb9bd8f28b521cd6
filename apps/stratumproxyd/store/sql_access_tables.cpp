#include "sql_access_tables.hpp"

#include <algorithm>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "audit_rows.hpp"
#include "change_notes.hpp"
#include "text.hpp"

namespace stratumproxyd {
namespace {

// As long as those of the other tables: a person waits.
constexpr std::chrono::milliseconds patience{1800};
constexpr std::size_t pruned_at_once = 5'000;

constexpr std::pair<std::string_view, token_role> roles[] = {
    {"admin", token_role::admin}, {"read-only", token_role::read_only}, {"register-only", token_role::register_only}};

}  // namespace

std::string_view name(token_role role) noexcept {
  return std::ranges::find(roles, role, &std::pair<std::string_view, token_role>::second)->first;
}

std::optional<token_role> token_role_from_name(std::string_view name) noexcept {
  const auto* found = std::ranges::find(roles, name, &std::pair<std::string_view, token_role>::first);
  return found == std::end(roles) ? std::nullopt : std::optional(found->second);
}

std::vector<token_row> sql_access_tables::tokens() {
  std::vector<token_row> found;
  tables_.read(patience, [&](sql_session& session) {
    found.clear();
    for (const auto& row : session.query(fmt::format("SELECT name, hash, role, {}, {} FROM tokens ORDER BY name",
                                                     session.utc_text("created_at"), session.utc_text("last_used_at")))) {
      // A role that a newer program knows opens nothing here.
      if (const auto role = token_role_from_name(text_of(row[2])))
        found.push_back({text_of(row[0]), text_of(row[1]), *role, text_of(row[3]), text_of(row[4])});
    }
  });
  return found;
}

bool sql_access_tables::add_token(const author& by, const token_row& token) {
  require_storable(token.name, longest_name, "name");
  bool added = false;
  tables_.write(patience, [&](sql_session& session) {
    added = !session
                 .query("INSERT INTO tokens (name, hash, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING name",
                        {token.name, token.hash, std::string(name(token.role))})
                 .empty();
    if (added) write_audit(session, by, token_added(token));
  });
  return added;
}

token_removal sql_access_tables::remove_token(const author& by, std::string_view name, bool keep_an_admin) {
  if (!is_storable(name, longest_name)) return token_removal::unknown;
  const std::string gone(name);
  auto outcome = token_removal::unknown;
  tables_.write(patience, [&](sql_session& session) {
    outcome = token_removal::unknown;
    // Locks the rows in both databases, so that of two who remove the last two tokens the second one sees what the first did.
    const auto admins = session.query("UPDATE tokens SET role = role WHERE role = 'admin' RETURNING name");
    const bool is_last = admins.size() == 1 && text_of(admins[0][0]) == gone;
    if (is_last && keep_an_admin)
      outcome = token_removal::last_admin;
    else if (!session.query("DELETE FROM tokens WHERE name = $1 RETURNING name", {gone}).empty())
      outcome = token_removal::removed;
    if (outcome == token_removal::removed) write_audit(session, by, {"token.remove", gone});
  });
  return outcome;
}

void sql_access_tables::touch_tokens(std::span<const std::string> names) {
  tables_.write(patience, [&](sql_session& session) {
    for (const auto& each : names)
      (void)session.query("UPDATE tokens SET last_used_at = CURRENT_TIMESTAMP WHERE name = $1", {each});
  });
}

void sql_access_tables::add_audit(const author& by, const change_note& what) {
  tables_.write(patience, [&](sql_session& session) { write_audit(session, by, what); });
}

std::vector<audit_entry> sql_access_tables::audit(const audit_query& wanted) {
  std::vector<audit_entry> found;
  std::vector<sql_value> parameters;
  std::string where;
  const auto narrow = [&](std::string_view condition, sql_value value) {
    parameters.push_back(std::move(value));
    where += fmt::format("{}{} ${}", where.empty() ? "WHERE " : " AND ", condition, parameters.size());
  };
  if (wanted.before) narrow("id <", *wanted.before);
  if (wanted.user) {
    if (!is_storable(*wanted.user, longest_name)) return found;
    narrow("action LIKE 'user.%' AND subject =", *wanted.user);
  }
  parameters.emplace_back(static_cast<std::int64_t>(wanted.limit));
  tables_.read(patience, [&](sql_session& session) {
    found.clear();
    const auto sql =
        fmt::format("SELECT id, {}, actor, address, action, subject, detail FROM audit {} ORDER BY id DESC LIMIT ${}",
                    session.utc_text("at"), where, parameters.size());
    for (const auto& row : session.query(sql, parameters))
      found.push_back({integer_of(row[0]), text_of(row[1]), {text_of(row[2]), text_of(row[3])},
                       {text_of(row[4]), text_of(row[5]), text_of(row[6])}});
  });
  return found;
}

std::size_t sql_access_tables::prune_audit(std::chrono::days kept) {
  const auto oldest = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                                  fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() - kept)));
  std::size_t removed = 0;
  for (std::size_t last = pruned_at_once; last == pruned_at_once; removed += last) {
    tables_.write(patience, [&](sql_session& session) {
      last =
          session
              .query(fmt::format(
                         "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE {} < $1 ORDER BY id LIMIT {}) RETURNING id",
                         session.utc_text("at"), pruned_at_once),
                     {oldest})
              .size();
    });
  }
  return removed;
}

}  // namespace stratumproxyd
