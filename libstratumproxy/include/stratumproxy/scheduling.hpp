#pragma once

#include <iterator>

/// How the threads of a process share cores, where there are more busy threads than these. Whatever their priorities, a kernel may leave a
/// busy thread its core until the next tick of its clock, up to 4 ms at Debian's 250 Hz, while one that serves miners was woken and waits.
/// All of this is of the calling thread alone, and nothing that is refused is an error.
namespace stratumproxy {

/// For a thread that works in bursts far shorter than a millisecond, and should get a core as soon as it wakes: slices of 0.1 ms (EEVDF, Linux
/// 6.12; earlier kernels take no notice).
void take_short_turns() noexcept;

/// For a thread that may work for long while others serve miners: a lower priority, nice(10), and slices of 20 ms, later than all
/// shorter ones.
void stand_back() noexcept;

/// To be called often by such a thread: after 0.2 ms of work it sleeps as long.
void pace() noexcept;

/// Destroys the elements, last ones first, at that pace.
template <class Container>
void clear_at_pace(Container& all) {
  for (; !all.empty(); pace()) all.erase(std::prev(all.end()));
}

}  // namespace stratumproxy
