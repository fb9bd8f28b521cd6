#include "tag_lock.hpp"

#include <utility>

#include <fmt/format.h>

#include "account_name.hpp"
#include "store.hpp"

namespace stratumproxyd {
namespace {

constexpr int attempts = 3;
constexpr const char* key = "hashtextextended(concat('stratumproxy totals ', current_schema(), ' ', $1::text), 0)";

}  // namespace

tag_lock::tag_lock(std::string tag) : tag_(std::move(tag)), owner_("stratumproxyd " + random_account_name()) {}

void tag_lock::take(pqxx::connection& link) const {
  pqxx::nontransaction session(link);
  // Through pg_settings, because tcp_user_timeout came with version 12. Before the lock, so that no connection has it without.
  session.exec_params(
      "SELECT set_config(name, value, false) FROM (VALUES ('application_name', $1::text), ('tcp_keepalives_idle', '4'), "
      "('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '2'), ('tcp_user_timeout', '8000')) AS wanted (name, value) "
      "JOIN pg_settings USING (name)",
      owner_);
  // A connection of ours that died may let go of it between the question and the look at who has it: then it is to be had now.
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto taken = session.exec_params(fmt::format("SELECT pg_try_advisory_lock({})", key), tag_);
    if (taken[0][0].as<bool>()) return;
    refuse_if_held(session);
  }
  throw store_unavailable(fmt::format("whoever had the tag {} cannot be seen", tag_));
}

void tag_lock::refuse_if_held(pqxx::transaction_base& look) const {
  const auto holders = look.exec_params(
      fmt::format("SELECT pid, application_name, host(client_addr), to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS') "
                  "FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
                  "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                  "AND (classid::bigint << 32 | objid::bigint) = {}", key),
      tag_);
  if (holders.empty()) return;
  // It died, and the server has not buried it yet.
  if (holders[0][1].c_str() == owner_)
    throw store_unavailable(fmt::format("an earlier connection of this proxy still has the tag {}", tag_));
  const auto text = [&](int column) { return holders[0][column].is_null() ? "?" : holders[0][column].c_str(); };
  throw tag_taken(fmt::format("another stratumproxyd of this database has the tag {} (process {} of the database server, client {}, since {})",
                              tag_, text(0), holders[0][2].is_null() ? "local" : text(2), text(3)));
}

}  // namespace stratumproxyd
