#include "session/hashrate_split.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <tuple>

namespace stratumproxy::session {
namespace {

using namespace std::chrono_literals;
using seconds = std::chrono::duration<double>;

constexpr seconds half_life = 1h;
constexpr seconds paid_back_in = 30min;
constexpr double slack = 0.02;      // of all rates, as is the next; less of both where a part is below usual_part
constexpr seconds least_gap = 10s;  // of all rates
constexpr double large = 2;         // times the mean
constexpr double usual_part = 0.05;
constexpr double owed_anyway = 0.8;

}  // namespace

hashrate_split::hashrate_split(const slice_options& options, std::span<const unsigned> weights)
    : options_(&options), slice_(options.longest) {
  for (const auto weight : weights) routes_.push_back({.weight = weight});
  divide();
}

void hashrate_split::set_usable(std::size_t index, bool is_usable) noexcept {
  auto& changed = routes_[index];
  if (changed.is_usable == is_usable) return;
  changed.is_usable = is_usable;
  changed.owed = 0;
  divide();
}

void hashrate_split::add_work(std::size_t index, double work) noexcept {
  if (!is_served(index)) return;
  for (auto& one : routes_) one.owed += one.part * work;
  routes_[index].owed -= work;
}

std::optional<std::size_t> hashrate_split::place(std::span<const worker> workers) noexcept {
  weigh(workers);
  const auto to = emptiest(mean_);
  return is_served(to) ? std::optional(to) : std::nullopt;
}

void hashrate_split::plan(std::span<const worker> workers, time_point now, std::vector<move>& out) {
  out.clear();
  pass_time(now);
  weigh(workers);
  const double all = mean_ * static_cast<double>(workers.size());
  settle(workers, caution_ * slack * all, out);
  choose_slice(workers, now);
  for (const auto& one : entries_) {
    const auto& loose = workers[one.index];
    if (now - loose.since < slice_) continue;
    const auto to = next_route(loose.route, one.rate, caution_ * all * least_gap.count(), now);
    if (to == loose.route) continue;
    routes_[to].visited = now;
    routes_[to].expected -= one.rate * seconds(slice_).count();
    out.push_back({loose.id, to});
  }
}

// After a change of usability. What is owed to a route that left, or by it, the others share.
void hashrate_split::divide() noexcept {
  double weights = 0;
  double owed = 0;
  for (const auto& one : routes_) {
    if (one.is_usable) weights += one.weight;
    owed += one.owed;
  }
  caution_ = 1;
  for (auto& one : routes_) {
    one.part = one.is_usable && one.weight > 0 ? one.weight / weights : 0;
    one.owed -= one.part * owed;
    if (one.part > 0) caution_ = std::min(caution_, one.part / usual_part);
  }
}

void hashrate_split::pass_time(time_point now) noexcept {
  const double kept = last_ ? std::exp2(-((now - *last_) / half_life)) : 0;
  for (auto& one : routes_) {
    one.owed *= kept;
    if (loose_ == 0 || one.part == 0) one.visited = now;  // nobody was sliced until now
  }
  last_ = now;
}

void hashrate_split::weigh(std::span<const worker> workers) noexcept {
  double sum = 0;
  std::size_t known = 0;
  for (const auto& one : workers) {
    sum += one.rate;
    known += one.rate > 0;
  }
  is_known_ = known > 0;
  mean_ = is_known_ ? sum / static_cast<double>(known) : 1;
  for (auto& one : routes_) {
    one.quota = one.part * mean_ * static_cast<double>(workers.size()) + one.owed / paid_back_in.count();
    one.load = one.settled = 0;
  }
  for (const auto& one : workers)
    if (is_served(one.route)) routes_[one.route].load += rate_of(one);
}

// One that is not served when none is.
std::size_t hashrate_split::emptiest(double more) const noexcept {
  const auto room = [more](const route& one) { return one.quota + one.part * more - one.load; };
  std::size_t best = 0;
  for (std::size_t i = 1; i < routes_.size(); ++i)
    if (is_served(i) && (!is_served(best) || room(routes_[i]) > room(routes_[best]))) best = i;
  return best;
}

// Leaves the loose ones in the list, the last come first.
void hashrate_split::settle(std::span<const worker> workers, double tolerated, std::vector<move>& out) {
  entries_.clear();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const double rate = rate_of(workers[i]);
    entries_.push_back({i, rate, rate > large * mean_});
  }
  std::sort(entries_.begin(), entries_.end(), [workers](const entry& a, const entry& b) {
    const auto& one = workers[a.index];
    const auto& other = workers[b.index];
    return std::tie(b.is_large, one.since, one.id) < std::tie(a.is_large, other.since, other.id);
  });

  loose_ = 0;
  std::size_t kept = 0;
  for (const auto& one : entries_) {
    const auto& candidate = workers[one.index];
    if (is_served(candidate.route)) {
      auto& here = routes_[candidate.route];
      if (here.settled + one.rate <= here.quota + tolerated) {
        here.settled += one.rate;
      } else {
        loose_ += one.rate;
        entries_[kept++] = one;
      }
    } else if (const auto to = emptiest(0); is_served(to)) {
      routes_[to].load += one.rate;
      routes_[to].settled += one.rate;
      out.push_back({candidate.id, to});
    }
  }
  entries_.resize(kept);
  std::reverse(entries_.begin(), entries_.end());
  if (is_known_) return;
  entries_.clear();  // nobody knows what a slice is worth
  loose_ = 0;
}

void hashrate_split::choose_slice(std::span<const worker> workers, time_point now) noexcept {
  double least = 1;
  for (auto& one : routes_) {
    one.expected = one.owed;
    if (one.part == 0 || entries_.empty()) continue;
    // Where others are settled, a sliver may wait for longer.
    const double needed = (one.quota - one.settled) / loose_;
    if (one.settled == 0 || needed * options_->idle_limit >= options_->shortest) least = std::min(least, needed);
  }
  const auto wanted = std::chrono::duration_cast<duration>(owed_anyway * least * options_->idle_limit);
  slice_ = std::max<duration>(options_->shortest, std::min<duration>(options_->longest, wanted));
  for (const auto& one : entries_) {
    auto& here = routes_[workers[one.index].route];
    const seconds rest = slice_ - (now - workers[one.index].since);
    here.visited = now;
    here.expected -= one.rate * std::max(0.0, rest.count());
  }
}

std::size_t hashrate_split::next_route(std::size_t from, double rate, double gap, time_point now) const noexcept {
  auto most_behind = from;
  auto longest_away = from;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const auto& one = routes_[i];
    if (one.part == 0) continue;
    if (one.expected > routes_[most_behind].expected) most_behind = i;
    const bool needs_slices = (one.quota - one.settled) / loose_ * options_->idle_limit >= slice_;
    if (needs_slices && one.visited < routes_[longest_away].visited) longest_away = i;
  }
  const auto away = now - routes_[longest_away].visited;  // 0 where it is
  if (away > 0s && away >= options_->idle_limit - slice_) return longest_away;
  const double ahead = routes_[most_behind].expected - routes_[from].expected;
  if (ahead <= std::max(gap, rate * seconds(slice_).count())) return from;
  return away > 0s && away >= options_->idle_limit - 2 * slice_ ? longest_away : most_behind;
}

}  // namespace stratumproxy::session
