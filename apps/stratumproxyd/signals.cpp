#include "signals.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <system_error>

namespace stratumproxyd {

signal_waiter::signal_waiter() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signals_ < 0 || event_ < 0) throw std::system_error(errno, std::system_category(), "cannot wait for signals");
}

signal_waiter::~signal_waiter() {
  ::close(signals_);
  ::close(event_);
}

wake_reason signal_waiter::wait() {
  for (;;) {
    pollfd entries[] = {{signals_, POLLIN, 0}, {event_, POLLIN, 0}};
    if (::poll(entries, std::size(entries), -1) < 0) continue;
    signalfd_siginfo info{};
    if (entries[0].revents && ::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      return info.ssi_signo == SIGHUP ? wake_reason::reload : wake_reason::terminate;
    std::uint64_t count = 0;
    if (entries[1].revents && ::read(event_, &count, sizeof count) > 0) return wake_reason::woken;
  }
}

void signal_waiter::wake() noexcept {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then the waiter wakes anyway.
  [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
}

}  // namespace stratumproxyd
