#pragma once

#include <string>
#include <vector>

#include <stratumproxy/algorithm.hpp>

#include "database.hpp"
#include "endpoint.hpp"
#include "link_rules.hpp"
#include "store.hpp"

namespace stratumproxyd {

/// The name of the algorithm with this name or alias (both lower case), or "".
[[nodiscard]] std::string canonical_algorithm(sql_session& session, const std::string& name_or_alias);

/// False, and nothing done, when the name is another algorithm's name or alias. Aliases that are taken are left out.
[[nodiscard]] bool insert_algorithm(sql_session& session, const stratumproxy::algorithm::info& value);

/// "host:port" of two columns.
[[nodiscard]] std::string pool_name(const sql_value& host, const sql_value& port);

/// What a pool says of its links, of `pools p`.
inline constexpr const char* link_columns = "p.mode, p.verify, p.vardiff, p.fixed_difficulty, p.rig_logins, p.tls, p.tls_fingerprint";

/// `first` is the first of link_columns; To is a pool_record or a pool_info.
template <class To>
void read_link_columns(To& to, sql_row::const_iterator first) {
  to.mode = link_mode_from_name(text_of(first[0])).value_or(to.mode);
  to.verify = verify_level_from_name(text_of(first[1])).value_or(to.verify);
  to.vardiff = flag_of(first[2]);
  to.fixed_difficulty = flag_of(first[3]);
  to.rig_logins = flag_of(first[4]);
  // What this program does not know must not become a connection without TLS.
  to.tls.mode = tls_mode_from_name(text_of(first[5])).value_or(stratumproxy::tls_mode::verify);
  to.tls.fingerprint = text_of(first[6]);
}

/// Hosts as the table keeps them: lower case, separated by spaces.
[[nodiscard]] std::string host_list(const std::vector<std::string>& hosts);
[[nodiscard]] std::vector<std::string> words_of(const std::string& host_list);

/// False, and nothing done, when the pool is there already. `algorithm` is a canonical name.
[[nodiscard]] bool insert_pool(sql_session& session, const endpoint& address, const std::string& algorithm,
                               const pool_record& value);

}  // namespace stratumproxyd
