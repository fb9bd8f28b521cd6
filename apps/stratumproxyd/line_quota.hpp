#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <stratumproxy/clock.hpp>

namespace stratumproxyd {

/// Lets each (event, source) write 30 lines at once and one a second from then on. The table is bounded; sources
/// beyond it share one allowance. Not synchronised.
class line_quota {
 public:
  static constexpr std::size_t max_sources = 4'096;
  using report = std::function<void(std::string_view event, std::string_view source, std::uint64_t suppressed)>;

  [[nodiscard]] bool admit(std::string_view event, std::string_view source, stratumproxy::time_point now);
  /// Tells how many lines were kept back by sources that are within their allowance again, and forgets idle ones.
  void sweep(stratumproxy::time_point now, const report& tell);

 private:
  struct bucket {
    double lines = 30;
    stratumproxy::time_point updated;
    std::uint64_t suppressed = 0;
  };
  static void refill(bucket& value, stratumproxy::time_point now);

  std::map<std::pair<std::string, std::string>, bucket> sources_;
};

}  // namespace stratumproxyd
