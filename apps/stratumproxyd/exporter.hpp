#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <stratumproxy/metrics.hpp>

#include "process_stats.hpp"
#include "store/store.hpp"
#include "worker_series.hpp"

namespace stratumproxyd {

/// Everything that one scrape shows.
struct exposition_input {
  std::string_view tag;      ///< label `proxy` of every series
  std::string_view version;
  const stratumproxy::metrics::snapshot& now;  ///< but for its workers
  const shown_workers& workers;
  std::span<const total_record> committed;  ///< as the database has them, so that no counter falls after a crash
  process_stats process;
  bool database_up = false;
  bool has_tag = true;       ///< no other proxy writes totals under this one's tag
  bool reload_ok = true;     ///< whether the configuration was good when it was last read again
  std::vector<std::pair<int, std::uint64_t>> http_answers = {};  ///< by status
  std::uint64_t http_failed_logins = 0;
};

/// The metrics in Prometheus' text format 0.0.4. Rows with equal labels are added up: a series appears once.
[[nodiscard]] std::string exposition(const exposition_input& input);

}  // namespace stratumproxyd
