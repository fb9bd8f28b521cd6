#include "pool_rows.hpp"

#include <algorithm>
#include <cstdint>

#include "text.hpp"

namespace stratumproxyd {

std::string canonical_algorithm(sql_session& session, const std::string& name_or_alias) {
  const auto found = session.query(
      "SELECT name FROM algorithms WHERE name = $1 UNION ALL "
      "SELECT algorithm FROM algorithm_aliases WHERE alias = $1",
      {name_or_alias});
  return found.empty() ? std::string{} : text_of(found[0][0]);
}

bool insert_algorithm(sql_session& session, const stratumproxy::algorithm::info& value) {
  if (!canonical_algorithm(session, value.name).empty()) return false;
  const auto inserted = session.query(
      "INSERT INTO algorithms (name, divider, dialect, coinb1_index, source) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT DO NOTHING RETURNING name",
      {value.name, value.divider, std::string(stratumproxy::name(value.speaks)), std::int64_t{value.coinb1_index},
       value.source});
  if (inserted.empty()) return false;
  for (const auto& alias : value.aliases) {
    const auto lower = lower_case(alias);
    if (!is_storable(lower, longest_name) || !canonical_algorithm(session, lower).empty()) continue;
    (void)session.query("INSERT INTO algorithm_aliases (alias, algorithm) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                        {lower, value.name});
  }
  return true;
}

std::string pool_name(const sql_value& host, const sql_value& port) {
  stratumproxy::pool_info pool;
  pool.host = text_of(host);
  pool.port = static_cast<std::uint16_t>(integer_of(port));
  return pool.name();
}

std::string host_list(const std::vector<std::string>& hosts) {
  std::string list;
  for (const auto& host : hosts) list.append(list.empty() ? "" : " ").append(lower_case(host));
  return list;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(' ', begin), text.size());
    if (end > begin) words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

bool insert_pool(sql_session& session, const endpoint& address, const std::string& algorithm, const pool_record& value) {
  sql_value divider;
  if (value.divider) divider = *value.divider;
  return !session
              .query(
                  "INSERT INTO pools (host, port, algorithm, divider, login_template, reconnect_hosts, source, "
                  "mode, verify, vardiff, fixed_difficulty, rig_logins, tls, tls_fingerprint) "
                  "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING RETURNING id",
                  {address.host, std::int64_t{address.port}, algorithm, divider, value.login_template,
                   host_list(value.reconnect_hosts), value.source, std::string(name(value.mode)),
                   std::string(name(value.verify)), std::int64_t{value.vardiff}, std::int64_t{value.fixed_difficulty},
                   std::int64_t{value.rig_logins}, std::string(name(value.tls.mode)), value.tls.fingerprint})
              .empty();
}

}  // namespace stratumproxyd
