#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "database.hpp"
#include "store.hpp"

namespace stratumproxyd {

// Changes of algorithms and pools that are there. All throw row_refused, which ends the transaction.

struct row_refused : std::runtime_error {
  row_refused(write_outcome why, const std::string& text) : std::runtime_error(text), outcome(why) {}
  write_outcome outcome;
};

/// The note is of a row that is another one now.
struct row_change {
  write_outcome outcome = write_outcome::exists;
  std::optional<change_note> note = {};
};

enum class if_missing : std::uint8_t { refuse, create };

/// created, changed or exists. Locks the row, shows it to the edit, and asks whether its values go together, and with the accounts
/// that mine there. The name of the row stays; its source, too, unless it may be created.
[[nodiscard]] row_change put_pool(sql_session& session, std::string_view pool, const pool_edit& edit, if_missing otherwise);
[[nodiscard]] row_change put_algorithm(sql_session& session, std::string_view name, const algorithm_edit& edit,
                                       if_missing otherwise);

[[nodiscard]] change_note delete_pool(sql_session& session, std::string_view pool,
                                      const std::function<void(const pool_record&)>& check);
[[nodiscard]] change_note delete_algorithm(sql_session& session, std::string_view name,
                                           const std::function<void(const stratumproxy::algorithm::info&)>& check);

}  // namespace stratumproxyd
