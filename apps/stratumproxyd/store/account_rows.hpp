#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "database.hpp"
#include "store.hpp"

namespace stratumproxyd {

/// Ends a transaction that would make an account what it cannot be. The text is for people.
struct account_refused : std::runtime_error {
  account_refused(write_outcome why, const std::string& text) : std::runtime_error(text), outcome(why) {}
  write_outcome outcome;
};

/// Throws std::invalid_argument when no account can have these, whatever the tables say.
void require_routes(std::span<const route_record> routes);

/// The ids of their pools. Throws account_refused when these cannot be the pools of one account that has this mode.
[[nodiscard]] std::vector<sql_value> pool_ids(sql_session& session, std::span<const route_record> routes,
                                              std::optional<stratumproxy::link_mode> mode);

/// Throws account_refused when the account's first pool and this one are not of one algorithm: its miners cannot change theirs.
void require_same_algorithm(sql_session& session, const std::string& account, const sql_value& pool);

/// The name of the one account whose name is this but for case; empty where there is none, or several.
[[nodiscard]] std::string other_spelling(sql_session& session, const std::string& name);

/// In one statement. Without a route where somebody deleted them all.
[[nodiscard]] std::optional<user_record> read_user(sql_session& session, const std::string& name);

/// For an account that has no route yet. False, and nothing done, when another account has the first one; waits for a
/// transaction that is about to take it.
[[nodiscard]] bool insert_routes(sql_session& session, const std::string& account, std::span<const route_record> routes,
                                 std::span<const sql_value> pools);

}  // namespace stratumproxyd
