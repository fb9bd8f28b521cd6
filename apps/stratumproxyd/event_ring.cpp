#include "event_ring.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string_view>

#include "event_text.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::log_event;

template <class Unit>
std::int64_t since_1970() {
  return std::chrono::duration_cast<Unit>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

event_ring::event_ring() : event_ring(static_cast<std::uint64_t>(since_1970<std::chrono::microseconds>())) {}

void event_ring::add(const log_event& event) {
  add(event, stratumproxy::steady_clock::now(), since_1970<std::chrono::milliseconds>());
}

void event_ring::add(const log_event& event, stratumproxy::time_point now, std::int64_t time) {
  const std::lock_guard lock(mutex_);
  if (now - swept_ > std::chrono::seconds(10)) {
    swept_ = now;
    quota_.sweep(now, [&](std::string_view name, std::string_view source, std::uint64_t count) {
      const auto detail = fmt::format("{} more of {} from {}", count, name.empty() ? "many" : name, source.empty() ? "here" : source);
      keep({.level = stratumproxy::log_level::warning, .event = "events_left_out", .session = {}, .worker = {}, .account = {},
            .pool = {}, .detail = detail}, time);
    });
  }
  if (quota_.admit(event.event, source_of(event), now)) keep(event, time);
}

void event_ring::keep(const log_event& event, std::int64_t time) {
  if (entries_.size() == capacity) entries_.pop_front();
  entries_.push_back({++last_, time, event.level, event_as_json(event)});
}

std::vector<event_ring::entry> event_ring::after(std::uint64_t seq) const {
  const std::lock_guard lock(mutex_);
  auto first = entries_.begin();
  if (seq <= last_)
    while (first != entries_.end() && first->seq <= seq) ++first;
  return {first, entries_.end()};
}

}  // namespace stratumproxyd
