#pragma once

#include <string_view>

#include "clock.hpp"

namespace stratumload {

/// Set by SIGINT and SIGTERM once catch_signals() was called: whoever runs a loop looks at it.
void catch_signals();
[[nodiscard]] bool interrupted() noexcept;

/// One line on standard error that is written over, twice a second at most, and only where standard error is a terminal.
class progress {
 public:
  progress();
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// Whether there is somebody to show a line to, and it is time for one.
  [[nodiscard]] bool due(time_point at) const { return terminal_ && at >= next_; }
  void show(std::string_view text, time_point at);
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
  time_point next_{};
};

}  // namespace stratumload
