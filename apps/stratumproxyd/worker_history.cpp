#include "worker_history.hpp"

#include <algorithm>
#include <exception>

namespace stratumproxyd {
namespace {

constexpr auto kept = static_cast<std::int64_t>(worker_history::points);

std::int64_t minute_of(moment when) { return when.time_since_epoch() / worker_history::period; }
std::size_t place_of(std::int64_t minute) { return static_cast<std::size_t>(minute % kept); }

}  // namespace

void worker_history::start(snapshot_source source, clock now) {
  thread_ = std::thread([this, source = std::move(source), now = std::move(now)] {
    std::unique_lock lock(mutex_);
    // In step with the clock, or a minute would be left out now and then.
    auto next = std::chrono::steady_clock::now() + period;
    while (!wake_.wait_until(lock, next, [this] { return stopping_; })) {
      next += period;
      lock.unlock();
      try {
        add(source(stratumproxy::metrics::scope::everything), now());
      } catch (const std::exception&) {  // no snapshot: a gap
      }
      lock.lock();
    }
  });
}

void worker_history::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void worker_history::add(const stratumproxy::metrics::snapshot& taken, moment now) {
  std::map<key, double> sums;
  for (const auto& row : taken.workers) sums[{row.account, row.rig}] += row.hashrate;
  const auto minute = minute_of(now);

  const std::lock_guard lock(mutex_);
  forget_before(minute - kept + 1);
  // First those that have a line, so that it is known who may be replaced.
  std::vector<const std::pair<const key, double>*> fresh;
  for (const auto& sum : sums) {
    const auto found = lines_.find(sum.first);
    if (found == lines_.end()) {
      fresh.push_back(&sum);
      continue;
    }
    auto& line = found->second;
    if (minute < line.last) continue;
    for (auto gap = line.last + 1; gap < minute; ++gap) line.values[place_of(gap)] = 0;
    line.values[place_of(minute)] = static_cast<float>(sum.second);
    line.last = minute;
  }
  for (const auto* sum : fresh) {
    if (!make_room(minute)) break;
    line added{minute, std::vector<float>(points)};
    added.values[place_of(minute)] = static_cast<float>(sum->second);
    lines_.emplace(sum->first, std::move(added));
  }
}

void worker_history::forget_before(std::int64_t minute) {
  std::erase_if(lines_, [&](const auto& each) { return each.second.last < minute; });
}

bool worker_history::make_room(std::int64_t minute) {
  if (lines_.size() < most_workers) return true;
  const auto oldest = std::ranges::min_element(lines_, {}, [](const auto& each) { return each.second.last; });
  if (oldest->second.last >= minute) return false;
  lines_.erase(oldest);
  return true;
}

std::vector<double> worker_history::hashrates(std::string_view account, std::string_view rig, moment from,
                                              std::size_t count) const {
  std::vector<double> out(count);
  const std::lock_guard lock(mutex_);
  const auto found = lines_.find({std::string(account), std::string(rig)});
  if (found == lines_.end()) return out;
  const auto& line = found->second;
  const auto first = minute_of(from);
  for (std::size_t i = 0; i < count; ++i) {
    const auto minute = first + static_cast<std::int64_t>(i);
    if (minute <= line.last && minute > line.last - kept) out[i] = static_cast<double>(line.values[place_of(minute)]);
  }
  return out;
}

}  // namespace stratumproxyd
