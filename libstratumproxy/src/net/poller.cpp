#include "net/poller.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

namespace stratumproxy::net {

poller::poller() : set_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!set_) throw std::system_error(errno, std::system_category(), "epoll_create1");
}

epoll_event poller::event_for(const place& at, std::uint32_t events) const noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{entries_[at.slot].generation} << 32 | at.slot;
  return event;
}

bool poller::add(std::shared_ptr<connection> who, int descriptor, place& at, std::uint32_t events) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  at.slot = free_.back();
  auto event = event_for(at, events);
  if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) return false;
  at.events = events;
  free_.pop_back();
  entries_[at.slot].who = std::move(who);
  return true;
}

void poller::change(int descriptor, place& at, std::uint32_t events) noexcept {
  if (at.events == events) return;
  // Hang-ups are told whatever is asked for: who wants nothing must not be in the set.
  const int what = events == 0 ? EPOLL_CTL_DEL : at.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  auto event = event_for(at, events);
  if (::epoll_ctl(set_.get(), what, descriptor, &event) == 0) at.events = events;
}

void poller::remove(int descriptor, place& at) noexcept {
  change(descriptor, at, 0);
  auto& entry = entries_[at.slot];
  ++entry.generation;
  free_.push_back(at.slot);
  entry.who.reset();
}

void poller::poll() noexcept {
  const int count = ::epoll_wait(set_.get(), events_.data(), static_cast<int>(events_.size()), 0);
  unread_ = {events_.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

poller::ready poller::next() noexcept {
  while (!unread_.empty()) {
    const auto event = unread_.front();
    unread_ = unread_.subspan(1);
    const auto& entry = entries_[static_cast<std::uint32_t>(event.data.u64)];
    if (entry.who && entry.generation == event.data.u64 >> 32) return {entry.who, event.events};
  }
  return {};
}

}  // namespace stratumproxy::net
