#include "sql_session_table.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "text.hpp"
#include "user_rows.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::session_record;

constexpr std::chrono::milliseconds writing_patience{5'000};
constexpr std::chrono::milliseconds claiming_patience{1'000};  // a miner waits no longer
constexpr std::size_t rows_a_statement = 500;

// What a database could not keep as it is comes from no proxy of ours.
bool can_be_kept(const session_record& record) {
  const auto good = [](const std::string& text) { return is_storable(text, longest_name); };
  return good(record.id) && good(record.account) && good(record.rig) && good(record.mark);
}

std::vector<sql_value> values_of(const session_record& record) {
  return {record.id, record.account, record.rig, record.difficulty, record.mark, static_cast<std::int64_t>(record.miner_bytes)};
}

void save(sql_session& session, std::span<const session_record* const> records) {
  std::string rows;
  std::vector<sql_value> parameters;
  for (const auto* record : records) {
    rows += rows.empty() ? "(" : ", (";
    for (auto& value : values_of(*record)) {
      parameters.push_back(std::move(value));
      rows += fmt::format("${}, ", parameters.size());
    }
    rows += fmt::format("FALSE, {} + {})", session.unix_time(), session_table::life.count());
  }
  (void)session.query("INSERT INTO sessions (id, account, rig, difficulty, mark, miner_bytes, claimed, expires_at) VALUES " + rows +
                          " ON CONFLICT (id) DO UPDATE SET account = excluded.account, rig = excluded.rig, "
                          "difficulty = excluded.difficulty, mark = excluded.mark, miner_bytes = excluded.miner_bytes, "
                          "expires_at = excluded.expires_at WHERE NOT sessions.claimed",
                      parameters);
}

}  // namespace

// In the order of their ids, so that no two writers wait for each other.
void sql_session_table::write(std::span<const session_record> changed, std::span<const std::string> removed) {
  std::vector<const session_record*> good;
  for (const auto& record : changed)
    if (can_be_kept(record)) good.push_back(&record);
  std::ranges::sort(good, {}, [](const session_record* record) -> const std::string& { return record->id; });
  std::vector<std::string> gone(removed.begin(), removed.end());
  std::ranges::sort(gone);
  tables_.write(writing_patience, [&](sql_session& session) {
    for (auto rest = std::span(good); !rest.empty(); rest = rest.subspan(std::min(rest.size(), rows_a_statement)))
      save(session, rest.first(std::min(rest.size(), rows_a_statement)));
    for (auto rest = std::span(gone); !rest.empty(); rest = rest.subspan(std::min(rest.size(), rows_a_statement))) {
      const auto some = rest.first(std::min(rest.size(), rows_a_statement));
      std::vector<sql_value> ids(some.begin(), some.end());
      const auto list = parameter_list(ids);
      (void)session.query(fmt::format("DELETE FROM sessions WHERE id IN ({})", list), ids);
    }
  });
}

std::vector<session_record> sql_session_table::claim(std::span<const std::string> ids) {
  std::vector<session_record> found;
  if (ids.empty()) return found;
  std::vector<sql_value> parameters(ids.begin(), ids.end());
  const auto list = parameter_list(parameters);
  tables_.write(claiming_patience, [&](sql_session& session) {
    found.clear();
    for (const auto& row : session.query(
             fmt::format("UPDATE sessions SET claimed = TRUE WHERE id IN ({}) AND NOT claimed AND expires_at > {} "
                         "RETURNING id, account, rig, difficulty, mark, miner_bytes",
                         list, session.unix_time()),
             parameters))
      found.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), number_of(row[3]), text_of(row[4]),
                       static_cast<unsigned>(integer_of(row[5]))});
  });
  return found;
}

std::size_t sql_session_table::prune() {
  std::size_t count = 0;
  tables_.write(writing_patience, [&](sql_session& session) {
    count = session.query(fmt::format("DELETE FROM sessions WHERE expires_at <= {} RETURNING id", session.unix_time())).size();
  });
  return count;
}

}  // namespace stratumproxyd
