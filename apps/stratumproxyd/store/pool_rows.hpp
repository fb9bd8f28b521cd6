#pragma once

#include <string>
#include <vector>

#include <stratumproxy/algorithm.hpp>

#include "database.hpp"
#include "endpoint.hpp"
#include "store.hpp"

namespace stratumproxyd {

/// The name of the algorithm with this name or alias (both lower case), or "".
[[nodiscard]] std::string canonical_algorithm(sql_session& session, const std::string& name_or_alias);

/// False, and nothing done, when the name is another algorithm's name or alias. Aliases that are taken are left out.
[[nodiscard]] bool insert_algorithm(sql_session& session, const stratumproxy::algorithm::info& value);

/// Hosts as the table keeps them: lower case, separated by spaces.
[[nodiscard]] std::string host_list(const std::vector<std::string>& hosts);

/// False, and nothing done, when the pool is there already. `algorithm` is a canonical name.
[[nodiscard]] bool insert_pool(sql_session& session, const endpoint& address, const std::string& algorithm,
                               const pool_record& value);

}  // namespace stratumproxyd
