#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <stratumproxy/metrics.hpp>

#include "config.hpp"

namespace stratumproxyd {

/// One worker's series on one pool, as /metrics shows them.
struct shown_worker {
  std::uint64_t sent = 0;
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t unknown = 0;
  double sent_one = 0;
  double accepted_one = 0;

  double hashrate = 0;
  double difficulty = 0;  ///< of a connected worker's current row, where there is one; the highest of several
  double best_share = 0;
  int rank = -1;          ///< of the row whose difficulty it is
};

/// What worker_series::update() makes of a snapshot. Views lead into the snapshot and the worker_series, and end with either's next change.
struct shown_workers {
  using name = std::pair<std::string_view, std::string_view>;  ///< value of the label `worker`, and account
  using place = std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>;  ///< and algorithm, pool
  using group = std::tuple<std::string_view, std::string_view, std::string_view>;  ///< account, algorithm, pool

  std::map<name, bool> up;
  std::map<place, shown_worker> series;
  std::map<group, std::uint64_t> mining;  ///< connected workers, whatever they are called here
  std::uint64_t unnamed = 0;              ///< those that are in `other`
};

/// Decides under which name each worker is shown: by its address or its rig, as many as the cap allows, the rest together as `other`.
/// A name that was given stays with its workers until a scrape no longer finds them, and so does the lack of one: otherwise shares would
/// change from one series to another.
///
/// The counters of one address are those of its session. Where many workers have one series, the sum of theirs would fall whenever one
/// of them leaves, and a falling counter reads as one that started again with all that is left. There the series adds up what each scrape
/// finds more than the one before, and falls only when it is gone for a while. One thread at a time.
class worker_series {
 public:
  static constexpr std::string_view other = "other";

  explicit worker_series(const metrics_config& settings) : label_(settings.label), max_(settings.max_workers) {}

  /// A new label begins all series anew. A new maximum is for newcomers.
  void set(const metrics_config& settings);

  [[nodiscard]] shown_workers update(std::span<const stratumproxy::metrics::worker_row> rows);

 private:
  using owned_name = std::pair<std::string, std::string>;
  using owned_place = std::tuple<std::string, std::string, std::string, std::string>;
  struct by_text {  // so that views find what is owned
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return shown_workers::name(a.first, a.second) < shown_workers::name(b.first, b.second);
    }
  };
  struct found_name {
    bool is_named = false;
    std::uint64_t scrape = 0;
  };
  struct sum {
    shown_worker counts;
    shown_worker* shown = nullptr;  // in the scrape under way
    std::uint64_t scrape = 0;
  };
  using name_map = std::map<owned_name, found_name, by_text>;
  using sum_map = std::map<owned_place, sum>;
  struct source {
    shown_worker before, now;
    sum_map::value_type* goes_to = nullptr;
    std::uint64_t scrape = 0;
  };

  std::vector<const name_map::value_type*> name_workers(std::span<const std::string_view> labels,
                                                        std::span<const stratumproxy::metrics::worker_row> rows);
  /// Those that this scrape did not find.
  template <class Table>
  void erase_the_gone(Table& from) const;

  worker_label label_;
  std::size_t max_;
  std::uint64_t scrape_ = 0;
  std::size_t named_ = 0;
  name_map names_;
  sum_map sums_;                                     // of series that several workers may have
  std::unordered_map<std::string, source> sources_;  // the workers in them, by address, session, account, algorithm, pool
};

}  // namespace stratumproxyd
