#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "access_tables.hpp"
#include "seed_file.hpp"

namespace stratumproxyd {

/// What became, or would become, of the rows of a seed_file.
struct seed_report {
  struct counts {
    std::size_t created = 0, changed = 0, unchanged = 0;
  };
  counts algorithms, pools, accounts;
  std::vector<std::string> notes;      ///< what is otherwise than in the file, one line each
  std::vector<std::string> conflicts;  ///< rows that cannot be taken, and why
  bool is_written = false;
};

enum class seed_mode : std::uint8_t {
  all_or_nothing,   ///< nothing is written where there is a conflict
  leave_conflicts,  ///< the rows with conflicts are left out
  dry_run,          ///< nothing is written at all
};

/// Takes the rows into the database of `url` in one transaction, with one entry in the audit log, `by` an author and with the file's
/// `name`, if anything changed. Names are compared without case. Hashes keep their names, accounts their names and passwords. Pools whose hash has there
/// another divider than its algorithm here get it as their own. What is here already, and the same, stays as it is.
/// Throws std::runtime_error with one line.
[[nodiscard]] seed_report import_seed(const std::string& url, const std::string& migrations, const seed_file& file,
                                      seed_mode mode, const author& by, const std::string& name);

}  // namespace stratumproxyd
