#include <malloc.h>
#include <sys/resource.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

#include "config.hpp"
#include "daemon.hpp"
#include "signals.hpp"

namespace {

using namespace stratumproxyd;

constexpr int bad_start = 2;

// The passwords of pools are in memory: they must not get into a core file.
void forbid_core_files() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  // A handler that the kernel pipes cores to is not bound by that limit: it gets none of the memory.
  std::ofstream("/proc/self/coredump_filter") << 0;
}

// Each miner takes a descriptor, and one more on a dedicated link: the soft limit is meant for programs of another kind.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// A page of metrics takes megabytes in one piece. By itself glibc keeps such pieces, once it has seen a few.
void give_large_blocks_back() { ::mallopt(M_MMAP_THRESHOLD, 1'048'576); }

int fail(std::string_view why) {
  std::string line(why);
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  std::cerr << "stratumproxyd: " << line << std::endl;
  return bad_start;
}

// Ends with the process when a second signal says that waiting is over.
void drain_or_leave(stratumproxyd::daemon& running, signal_waiter& signals) {
  std::thread drainer([&] {
    running.drain();
    signals.wake();
  });
  for (;;) {
    switch (signals.wait()) {
      case wake_reason::terminate: std::_Exit(EXIT_SUCCESS);
      case wake_reason::reload: continue;
      case wake_reason::woken: drainer.join(); return;
    }
  }
}

void run(stratumproxyd::daemon& running, signal_waiter& signals) {
  for (;;) {
    switch (signals.wait()) {
      case wake_reason::terminate: drain_or_leave(running, signals); return;
      case wake_reason::woken: continue;
      case wake_reason::reload: running.reload(); continue;
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  forbid_core_files();
  give_large_blocks_back();
  const auto command = parse_command_line(argc, argv);
  if (command.what == command_line::action::print) {
    std::cout << command.text;
    return EXIT_SUCCESS;
  }
  raise_descriptor_limit();
  signal_waiter signals;
  stratumproxyd::daemon running(command.settings, [argc, argv] { return parse_command_line(argc, argv).settings; });
  std::cout << running.ready_line() << std::endl;
  run(running, signals);
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  return fail(error.what());
}
