#include "totals_flusher.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>

namespace stratumproxyd {
namespace {

using stratumproxy::metrics::share_counts;

std::uint64_t excess(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }
// Each addition rounds a sum of difficulties: so small a rest is noise, not a share.
double excess(double a, double b) { return a - b > 1e-12 * a ? a - b : 0; }

// a - b where a is more: a counter in the database never falls.
share_counts difference(const share_counts& a, const share_counts& b) {
  share_counts out;
  out.sent = excess(a.sent, b.sent);
  out.accepted = excess(a.accepted, b.accepted);
  out.unknown = excess(a.unknown, b.unknown);
  out.late = excess(a.late, b.late);
  out.pool_accepted = excess(a.pool_accepted, b.pool_accepted);
  for (std::size_t i = 0; i < out.rejected.size(); ++i) out.rejected[i] = excess(a.rejected[i], b.rejected[i]);
  out.sent_one = excess(a.sent_one, b.sent_one);
  out.accepted_one = excess(a.accepted_one, b.accepted_one);
  out.pool_accepted_one = excess(a.pool_accepted_one, b.pool_accepted_one);
  return out;
}

bool is_empty(const share_counts& value) {
  return value.sent == 0 && value.accepted == 0 && value.unknown == 0 && value.late == 0 && value.pool_accepted == 0 &&
         value.rejected_total() == 0 && value.sent_one == 0 && value.accepted_one == 0 && value.pool_accepted_one == 0;
}

template <class Table>
share_counts value_of(const Table& rows, const typename Table::key_type& name) {
  const auto found = rows.find(name);
  return found == rows.end() ? share_counts{} : found->second;
}

}  // namespace

totals_flusher::table totals_flusher::by_key(const std::vector<total_record>& rows) {
  table out;
  for (const auto& row : rows) out[{row.account, row.pool, row.algorithm}] += row.shares;
  return out;
}

totals_flusher::totals_flusher(store& database, std::string tag, totals_source source, stratumproxy::log_sink& log,
                               clock now)
    : database_(database), tag_(std::move(tag)), source_(std::move(source)), log_(log), now_(std::move(now)),
      committed_(by_key(database.totals(tag_))) {}

totals_flusher::~totals_flusher() { stop(); }

void totals_flusher::start(std::chrono::milliseconds interval, std::function<void()> then) {
  stopping_ = false;
  interval_ = interval;
  thread_ = std::thread([this, then = std::move(then)] { run(then); });
}

void totals_flusher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void totals_flusher::set_interval(std::chrono::milliseconds interval) {
  {
    const std::lock_guard lock(mutex_);
    interval_ = interval;
  }
  wake_.notify_all();
}

void totals_flusher::run(const std::function<void()>& then) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto interval = interval_;
    if (wake_.wait_for(lock, interval, [&] { return stopping_ || interval_ != interval; })) continue;
    lock.unlock();
    flush();
    if (then) then();
    lock.lock();
  }
}

std::vector<total_record> totals_flusher::unflushed() const {
  table sums;
  for (const auto& row : source_()) sums[{row.account, row.pool, row.algorithm}] += row.shares;
  std::vector<total_record> deltas;
  for (const auto& [name, shares] : sums) {
    auto delta = difference(shares, value_of(flushed_, name));
    if (is_empty(delta)) continue;
    const auto& [account, pool, algorithm] = name;
    deltas.push_back({account, pool, algorithm, delta});
  }
  return deltas;
}

bool totals_flusher::release() {
  if (!flush()) return false;
  database_.release_tag(tag_);
  doubtful_ = true;  // the other one may write
  return true;
}

void totals_flusher::give_to(std::function<bool(const total_record&)> successor) { successor_ = std::move(successor); }

bool totals_flusher::give_away() {
  for (const auto& row : unflushed()) {
    if (!successor_(row)) {
      successor_ = nullptr;
      return false;
    }
    flushed_[{row.account, row.pool, row.algorithm}] += row.shares;
  }
  return true;
}

bool totals_flusher::flush() try {
  if (successor_ && give_away()) return true;
  database_.hold_tag(tag_);
  settle();
  const auto deltas = unflushed();
  if (!deltas.empty()) {
    under_way_ = by_key(deltas);
    doubtful_ = true;
    database_.add_totals(tag_, deltas, now_());
    doubtful_ = false;
    for (const auto& [name, shares] : under_way_) flushed_[name] += shares;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, shares] : under_way_) committed_[name] += shares;
    under_way_.clear();
  }
  enter(state::flushing, stratumproxy::log_level::info, "totals_flushed", "share totals are written again");
  return true;
} catch (const tag_taken& error) {
  doubtful_ = true;  // the other one writes
  enter(state::taken, stratumproxy::log_level::error, "tag_taken",
        std::string(error.what()) + "; share totals are kept in memory until it lets go: give each proxy its own --metrics.tag");
  return false;
} catch (const std::exception& error) {
  enter(state::failing, stratumproxy::log_level::warning, "totals_not_flushed", error.what());
  return false;
}

void totals_flusher::settle() {
  if (!doubtful_) return;
  auto found = by_key(database_.totals(tag_));
  // It was one transaction: all of it is there, or nothing. More may be there, from a proxy that had the tag meanwhile.
  const bool arrived = std::ranges::all_of(under_way_, [&](const auto& row) {
    auto expected = value_of(committed_, row.first);
    expected += row.second;
    return is_empty(difference(expected, value_of(found, row.first)));
  });
  if (arrived)
    for (const auto& [name, shares] : under_way_) flushed_[name] += shares;
  under_way_.clear();
  doubtful_ = false;
  const std::lock_guard lock(mutex_);
  committed_ = std::move(found);
}

void totals_flusher::enter(state now, stratumproxy::log_level level, std::string_view event, std::string_view detail) {
  if (state_.exchange(now) == now) return;
  log_.write({.level = level, .event = event, .session = {}, .worker = {}, .account = {}, .pool = {}, .detail = detail});
}

std::vector<total_record> totals_flusher::committed() const {
  const std::lock_guard lock(mutex_);
  std::vector<total_record> out;
  out.reserve(committed_.size());
  for (const auto& [name, shares] : committed_) {
    const auto& [account, pool, algorithm] = name;
    out.push_back({account, pool, algorithm, shares});
  }
  return out;
}

}  // namespace stratumproxyd
