#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "database.hpp"
#include "store.hpp"

namespace stratumproxyd {

inline constexpr std::size_t longest_subject = 64;  ///< an account's name; networks are shorter
inline constexpr std::size_t longest_reason = 256;

[[nodiscard]] std::vector<ban_record> read_bans(sql_session& session);
[[nodiscard]] std::uint64_t ban_changes(sql_session& session);
/// created, changed, or full. Those that have ended make room.
[[nodiscard]] write_outcome write_ban(sql_session& session, const ban_record& value);
/// False when it is not there, or has ended.
[[nodiscard]] bool erase_ban(sql_session& session, const std::string& subject);

}  // namespace stratumproxyd
