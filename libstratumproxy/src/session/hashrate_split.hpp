#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "session/ids.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/options.hpp"

namespace stratumproxy::session {

/// Who mines where, so that an account's hashrate is divided over several pools ("routes") by weights: whole workers as far as
/// that goes, and the rest in slices of time. A value without clock or random source; it allocates only while there are more
/// workers than ever before.
///
/// *Owed*: all routes are owed their part of each accepted share, by its difficulty, and one has got it. Half of what is owed
/// is forgotten in an hour. The sum is 0, and so is each that is not usable: what a pool missed is not made up for.
///
/// *Settled*: the quota of a route is its part of all rates, and what it is owed, paid back in 30 minutes. Workers stay where
/// they are while they fit into the quota there, those above twice the mean first, then those who came first. As rates are
/// estimates, 2 % of all too much still fit (less where a part is below 5 %): 3 deviations for 100 workers at 70/30, 20
/// shares a minute and windows of 5 minutes. Without this the small workers would make up for each slice of a large one; by
/// rate alone, those whose rate is underrated would be moved.
///
/// *Loose*: the others, seldom more than there are routes. They go to the route that is owed most, once it is owed more than
/// their own by what they find in a slice, and by what all find in 10 s, as less is noise. They stay for a slice at least.
/// Who came last goes first, so that it is always the same one.
///
/// *Idle*: a slice is 0.8 times the idle limit, times the smallest part of the loose workers' time that a route needs; between
/// `shortest` and `longest`. A route that sees one of them for a slice in each idle limit then gets less than its part, and so
/// it may see one whether it is behind or not. Where that would take slices below the shortest (1 worker at 95/5: 12 s) it
/// sees one less often. A route on which others are settled doesn't make slices that short. The limit is kept for a route, not
/// for each of several loose workers.
///
/// Simulated days at 20 shares a minute and worker, rates from 5 minutes; the worst of 10 runs: points off in the day / in
/// the worst hour but the first / moves of the worker that moved most.
///
///                 70/30              50/50              95/5               99/1               50/30/20
///     1 worker    0.04 / 1.7 / 592   0.03 / 2.0 / 703   0.13 / 0.8 / 532   0.04 / 0.8 / 100   0.08 / 1.7 / 1071
///     3 workers   0.04 / 0.8 / 362   0.01 / 0.6 / 701   0.01 / 0.4 / 585   0.02 / 0.2 / 282   0.03 / 0.8 / 662
///     20          0.01 / 0.4 / 100   0.01 / 0.4 / 121   0.03 / 0.4 / 6     0.00 / 0.1 / 565   0.02 / 0.5 / 126
///     100         0.03 / 0.6 / 4     0.03 / 0.5 / 12    0.02 / 0.2 / 0     0.01 / 0.1 / 6     0.05 / 0.7 / 5
///
/// 1 worker is away from a pool for 240 s at most at 70/30, 279 s at 90/10, 255 s at 50/30/20, but for 56 minutes at 99/1.
/// Two equal workers at 50/50 move 400 times, as 2 % are less than their noise. A part below 0.15 % of a lone worker gets
/// nothing: what it is owed is forgotten before it is a slice.
class hashrate_split {
 public:
  struct worker {
    worker_id id{};
    double rate = 0;      // difficulty-1 shares a second; 0: not known, taken for the mean of the others
    std::size_t route = 0;  // where it mines, by the index of the weight; may be one that gets nothing, or none at all
    time_point since{};   // when it came there
  };
  struct move {
    worker_id id{};
    std::size_t to = 0;
  };

  /// The options are not copied. A route with weight 0 gets nothing.
  hashrate_split(const slice_options& options, std::span<const unsigned> weights);

  /// They all are at first.
  void set_usable(std::size_t route, bool is_usable) noexcept;
  /// Accepted work, in difficulty-1 shares. That of a route that gets nothing does not count.
  void add_work(std::size_t route, double work) noexcept;
  /// Where a new worker begins: the route that is most behind, counting who is there. Nothing when all get nothing.
  [[nodiscard]] std::optional<std::size_t> place(std::span<const worker> workers) noexcept;
  /// The moves that are due, instead of what `out` held; one for each worker at most, at once where nobody should be.
  /// To be called every few seconds; a move that was not made is said again. O(n log n): 10,000 workers take 0.6 ms.
  void plan(std::span<const worker> workers, time_point now, std::vector<move>& out);
  /// How long a loose worker stays on a route at least, as of the last plan.
  [[nodiscard]] duration slice() const noexcept { return slice_; }

 private:
  struct route {
    unsigned weight = 0;
    bool is_usable = true;
    double part = 0;       // of the hashrate; 0: gets nothing
    double owed = 0;       // work
    time_point visited{};  // by a loose worker
    // Of one plan.
    double quota = 0;     // rates: what should be there,
    double load = 0;      // what is,
    double settled = 0;   // and what of it stays
    double expected = 0;  // owed, once the slices that are under way are over
  };
  struct entry {
    std::size_t index = 0;
    double rate = 0;
    bool is_large = false;
  };

  [[nodiscard]] bool is_served(std::size_t index) const noexcept { return index < routes_.size() && routes_[index].part > 0; }
  [[nodiscard]] double rate_of(const worker& one) const noexcept { return one.rate > 0 ? one.rate : mean_; }
  [[nodiscard]] std::size_t emptiest(double more) const noexcept;
  void divide() noexcept;
  void pass_time(time_point now) noexcept;
  void weigh(std::span<const worker> workers) noexcept;
  void settle(std::span<const worker> workers, double tolerated, std::vector<move>& out);
  void choose_slice(std::span<const worker> workers, time_point now) noexcept;
  [[nodiscard]] std::size_t next_route(std::size_t from, double rate, double least_gap, time_point now) const noexcept;

  const slice_options* options_;
  std::vector<route> routes_;
  std::vector<entry> entries_;  // of one plan: all workers, then the loose ones
  double mean_ = 1;             // of the rates that are known
  bool is_known_ = false;
  double loose_ = 0;    // rates of the loose workers
  double caution_ = 1;  // below 1 where a part is so small that less matters
  duration slice_;
  std::optional<time_point> last_;  // what was owed before the first plan is forgotten
};

}  // namespace stratumproxy::session
