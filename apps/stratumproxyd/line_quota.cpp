#include "line_quota.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace stratumproxyd {

void line_quota::refill(bucket& value, stratumproxy::time_point now) {
  value.lines = std::min(30.0, value.lines + std::chrono::duration<double>(now - value.updated).count());
  value.updated = now;
}

bool line_quota::admit(std::string_view event, std::string_view source, stratumproxy::time_point now) {
  std::pair<std::string, std::string> key{event, source};
  auto found = sources_.find(key);
  if (found == sources_.end()) {
    if (sources_.size() >= max_sources) key = {"", ""};
    found = sources_.try_emplace(std::move(key), bucket{30, now, 0}).first;
  }
  auto& value = found->second;
  refill(value, now);
  if (value.lines < 1) {
    ++value.suppressed;
    return false;
  }
  value.lines -= 1;
  return true;
}

void line_quota::sweep(stratumproxy::time_point now, const report& tell) {
  for (auto each = sources_.begin(); each != sources_.end();) {
    auto& [key, value] = *each;
    refill(value, now);
    if (value.suppressed > 0 && value.lines >= 1) {
      value.lines -= 1;
      tell(key.first, key.second, std::exchange(value.suppressed, 0));
    }
    const bool idle = value.lines >= 30 && value.suppressed == 0;
    each = idle ? sources_.erase(each) : std::next(each);
  }
}

}  // namespace stratumproxyd
