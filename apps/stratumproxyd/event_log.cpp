#include "event_log.hpp"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "commands/outcome.hpp"
#include "event_text.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::log_event;
using stratumproxy::log_level;

constexpr std::size_t max_waiting = 8'192;  // lines
constexpr std::chrono::seconds last_words{1};

spdlog::level::level_enum spdlog_level(log_level level) {
  switch (level) {
    case log_level::debug: return spdlog::level::debug;
    case log_level::info: return spdlog::level::info;
    case log_level::warning: return spdlog::level::warn;
    case log_level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

struct event_log::output {
  // A thread writes, so that a standard error that nobody reads holds up no shard; the oldest lines that wait are then lost. It
  // ends when all lines are written. Not spdlog's default logger and threads: those are shared by everything in the process.
  std::shared_ptr<spdlog::details::thread_pool> thread = std::make_shared<spdlog::details::thread_pool>(max_waiting, 1);
  std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
      "stratumproxyd", std::make_shared<spdlog::sinks::stderr_sink_mt>(), thread, spdlog::async_overflow_policy::overrun_oldest);

  // First the thread: the lines that wait are still to be written by the logger. But not for ever, to a pipe that nobody reads.
  ~output() {
    std::promise<void> written;
    const auto is_written = written.get_future();
    try {
      std::thread([last = std::move(thread), written = std::move(written)]() mutable {
        last.reset();
        written.set_value();
      }).detach();
    } catch (const std::system_error&) {
      return;  // which wrote them
    }
    if (is_written.wait_for(last_words) == std::future_status::ready) return;
    // The C library would wait as well, to flush standard error. This is the last that the daemon destroys.
    std::_Exit(std::uncaught_exceptions() > 0 ? command_unusable : EXIT_SUCCESS);
  }
};

event_log::event_log(const log_config& settings)
    : output_(std::make_unique<output>()), format_(settings.format), level_(settings.level) {
  output_->logger->set_level(spdlog::level::trace);
  output_->logger->set_pattern(format_ == log_format::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                                          : "%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  // Its own errors, such as a closed standard error, have nowhere to go.
  output_->logger->set_error_handler([](const std::string&) {});
}

event_log::~event_log() = default;

void event_log::emit(const log_event& event) {
  output_->logger->log(spdlog_level(event.level), spdlog::string_view_t(format_ == log_format::json ? event_as_json(event)
                                                                                                  : event_as_text(event)));
}

void event_log::write(const log_event& event) noexcept try {
  if (event.level >= log_level::info) recent_.add(event);
  if (event.level < level_.load(std::memory_order_relaxed)) return;
  struct held_back {
    std::string event, source;
    std::uint64_t count;
  };
  std::vector<held_back> told;
  bool admitted = false;
  {
    const auto now = stratumproxy::steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (now - swept_ > std::chrono::seconds(10)) {
      swept_ = now;
      quota_.sweep(now, [&](auto name, auto source, auto count) { told.push_back({std::string(name), std::string(source), count}); });
    }
    admitted = quota_.admit(event.event, source_of(event), now);
  }
  for (const auto& [name, source, count] : told) {
    const auto detail = name.empty() ? fmt::format("{} lines of many sources", count)
                                     : fmt::format("{} lines of {} from {}", count, name, source.empty() ? "here" : source);
    emit({.level = log_level::warning, .event = "log_suppressed", .session = {}, .worker = {}, .account = {}, .pool = {},
          .detail = detail});
  }
  if (admitted) emit(event);
} catch (...) {
  // Out of memory or a broken standard error: the line is lost, the caller's work is not.
}

void event_log::write(log_level level, std::string_view event, std::string_view detail) noexcept {
  write({.level = level, .event = event, .session = {}, .worker = {}, .account = {}, .pool = {}, .detail = detail});
}

}  // namespace stratumproxyd
