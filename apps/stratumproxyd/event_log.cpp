#include "event_log.hpp"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

namespace stratumproxyd {
namespace {

using stratumproxy::log_event;
using stratumproxy::log_level;

constexpr std::size_t max_field = 1'024;
constexpr std::size_t max_waiting = 8'192;  // lines

std::array<std::pair<std::string_view, std::string_view>, 5> fields_of(const log_event& event) {
  return {{{"session", event.session},
           {"worker", event.worker},
           {"account", event.account},
           {"pool", event.pool},
           {"detail", event.detail}}};
}

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0. Overlong forms and surrogates are not well-formed.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) || (first == 0xf0 && byte(1) < 0x90) ||
      (first == 0xf4 && byte(1) > 0x8f))
    return 0;
  // C1 controls and the line and paragraph separators start a new line in some viewers.
  if (first == 0xc2 && byte(1) < 0xa0) return 0;
  if (first == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9)) return 0;
  return length;
}

// Escapes as JSON does; bytes that are no text become the replacement \ufffd.
std::string escaped(std::string_view text) {
  text = text.substr(0, max_field);
  std::string out;
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const auto length = utf8_length(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", c);
    } else if (length == 0) {
      out += "\\ufffd";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

bool is_bare(std::string_view text) {
  return text.size() <= max_field && std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
  });
}

std::string_view source_of(const log_event& event) {
  if (!event.worker.empty()) return event.worker.substr(0, event.worker.rfind(':'));
  return event.pool;
}

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

std::string event_as_text(const log_event& event) {
  std::string out = escaped(event.event);
  for (const auto& [name, value] : fields_of(event)) {
    if (value.empty()) continue;
    out += is_bare(value) ? fmt::format(" {}={}", name, value) : fmt::format(" {}=\"{}\"", name, escaped(value));
  }
  return out;
}

std::string event_as_json(const log_event& event) {
  std::string out = fmt::format("\"event\":\"{}\"", escaped(event.event));
  for (const auto& [name, value] : fields_of(event))
    if (!value.empty()) out += fmt::format(",\"{}\":\"{}\"", name, escaped(value));
  return out;
}

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

struct event_log::output {
  // A thread writes, so that a standard error that nobody reads holds up no shard; the oldest lines that wait are then lost. It
  // ends when all lines are written. Not spdlog's default logger and threads: those are shared by everything in the process.
  std::shared_ptr<spdlog::details::thread_pool> thread = std::make_shared<spdlog::details::thread_pool>(max_waiting, 1);
  std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
      "stratumproxyd", std::make_shared<spdlog::sinks::stderr_sink_mt>(), thread, spdlog::async_overflow_policy::overrun_oldest);

  ~output() { thread.reset(); }  // first: the lines that wait are still to be written by the logger
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
