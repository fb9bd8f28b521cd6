#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <stratumproxy/clock.hpp>
#include <stratumproxy/log.hpp>

#include "config.hpp"

namespace stratumproxyd {

/// The text of one event: `event key=value ...`, values with spaces or quotes in quotes. Control characters and bytes
/// that are not UTF-8 are escaped, so that an event is always one line.
[[nodiscard]] std::string event_as_text(const stratumproxy::log_event& event);
/// The same as members of a JSON object, without the braces.
[[nodiscard]] std::string event_as_json(const stratumproxy::log_event& event);

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

/// The log of the process: one line an event on standard error, through spdlog.
/// Thread: any.
class event_log final : public stratumproxy::log_sink {
 public:
  explicit event_log(const log_config& settings);
  ~event_log() override;

  void write(const stratumproxy::log_event& event) noexcept override;
  void write(stratumproxy::log_level level, std::string_view event, std::string_view detail) noexcept;
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
};

}  // namespace stratumproxyd
