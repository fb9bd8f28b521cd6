#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>

#include <stratumproxy/clock.hpp>
#include <stratumproxy/log.hpp>

#include "config.hpp"
#include "event_ring.hpp"
#include "line_quota.hpp"

namespace stratumproxyd {

/// The log of the process: one line an event on standard error, through spdlog. What is worth an operator's look is also kept
/// in memory, whatever the level of the log. Thread: any.
class event_log final : public stratumproxy::log_sink {
 public:
  explicit event_log(const log_config& settings);
  ~event_log() override;

  void write(const stratumproxy::log_event& event) noexcept override;
  void write(stratumproxy::log_level level, std::string_view event, std::string_view detail) noexcept;
  [[nodiscard]] const event_ring& recent() const noexcept { return recent_; }
  void set_level(stratumproxy::log_level level) noexcept { level_ = level; }

 private:
  void emit(const stratumproxy::log_event& event);

  struct output;
  std::unique_ptr<output> output_;
  log_format format_;
  std::atomic<stratumproxy::log_level> level_;
  std::mutex mutex_;  // guards quota_ and swept_
  line_quota quota_;
  stratumproxy::time_point swept_{};
  event_ring recent_;
};

}  // namespace stratumproxyd
