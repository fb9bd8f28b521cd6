#include "session/pool_gate.hpp"

#include <algorithm>
#include <utility>

namespace stratumproxy::session {

void pool_gate::want(link_id link, time_point now) {
  waiting_.push_back({link, now});
}

void pool_gate::forget(link_id link) {
  std::erase_if(waiting_, [&](const turn& t) { return t.link == link; });
  if (prober_ == link) prober_.reset();
}

void pool_gate::succeeded(link_id, time_point now) {
  prober_.reset();
  if (!std::exchange(is_closed_, false)) return;
  for (auto& t : waiting_) t.at = now + random_below(random_, config_.spread);
}

void pool_gate::failed(link_id link, time_point now) {
  // Links that were on their way when the pool went down fail one after the other: that is one failure, not many.
  if (is_closed_ && prober_ != link) return;
  prober_.reset();
  is_closed_ = true;
  const unsigned doublings = std::min(failures_, 20U);
  ++failures_;
  const duration full = std::min<duration>(config_.retry_max, config_.retry_min * (1U << doublings));
  retry_at_ = now + full / 2 + random_below(random_, full / 2);
}

std::optional<link_id> pool_gate::next(time_point now) {
  if (waiting_.empty()) return std::nullopt;
  if (is_closed_) {
    if (prober_ || now < retry_at_) return std::nullopt;
    prober_ = waiting_.front().link;
    waiting_.erase(waiting_.begin());
    return prober_;
  }
  if (now < paced_until_) return std::nullopt;
  const auto ready = std::find_if(waiting_.begin(), waiting_.end(), [&](const turn& t) { return t.at <= now; });
  if (ready == waiting_.end()) return std::nullopt;
  const auto link = ready->link;
  waiting_.erase(ready);
  // A pause of the caller is made up for, but at most a tenth of a second of it, so that ticks do not set the pace.
  paced_until_ = std::max(paced_until_, now - std::chrono::milliseconds(100)) + pace();
  return link;
}

time_point pool_gate::due(time_point now) const {
  if (waiting_.empty()) return time_point::max();
  if (is_closed_) return prober_ ? time_point::max() : retry_at_;
  auto earliest = time_point::max();
  for (const auto& t : waiting_) {
    earliest = std::min(earliest, t.at);
    if (earliest <= now) break;
  }
  return std::max(earliest, paced_until_);
}

}  // namespace stratumproxy::session
