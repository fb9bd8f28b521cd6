#include "stratumproxy/scheduling.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>

namespace stratumproxy {
namespace {

// Of sched_setattr(2). The kernel's header cannot stand beside <sched.h>, and the C library of Debian 12 has neither the type nor the call.
struct sched_attr {
  std::uint32_t size, policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;  // ns
};

// Where the policy is another, whoever set it knows why.
void ask_for_slices(std::chrono::nanoseconds length) noexcept {
  sched_attr now{};
  if (::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER) return;
  now.runtime = static_cast<std::uint64_t>(length.count());
  [[maybe_unused]] const auto refused = ::syscall(SYS_sched_setattr, 0, &now, 0);
}

}  // namespace

void take_short_turns() noexcept { ask_for_slices(std::chrono::microseconds(100)); }  // the shortest that are allowed

void stand_back() noexcept {
  [[maybe_unused]] const int priority = ::nice(10);  // on Linux of this thread alone
  ask_for_slices(std::chrono::milliseconds(20));
}

void pace() noexcept {
  using clock = std::chrono::steady_clock;
  constexpr std::chrono::microseconds work{200}, rest{200};
  thread_local clock::time_point since{};
  const auto worked = clock::now() - since;
  if (worked < work) return;
  // Long ago: it did something else meanwhile, or waited.
  if (worked < 20 * work) std::this_thread::sleep_for(rest);
  since = clock::now();
}

}  // namespace stratumproxy
