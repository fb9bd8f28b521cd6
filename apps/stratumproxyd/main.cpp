#include <malloc.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "command_line.hpp"
#include "commands/outcome.hpp"
#include "commands/text_table.hpp"
#include "daemon.hpp"
#include "service_manager.hpp"
#include "signals.hpp"

namespace {

using namespace stratumproxyd;

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

// One line, whatever the text: it may be of a file's name or of somebody else's server.
int fail(std::string_view why, command_outcome code = command_unusable) {
  std::string line(why);
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  std::cerr << "stratumproxyd: " << visible(line) << std::endl;
  return code;
}

// A token is shown once: whoever does not get it has to know.
int end_output(int code) {
  std::cout.flush();
  if (std::cout) return code;
  return fail("standard output does not take what the command says; what it did stays done");
}

// A signal says that waiting is over: the workers of a retired daemon have to go then. The next one ends the process at once.
void drain_or_leave(stratumproxyd::daemon& running, signal_waiter& signals, bool may_hurry) {
  std::atomic<bool> is_drained{false};
  std::thread drainer([&] {
    running.await_leaving();
    // Not before: from then on a service manager waits for as long as it does at a stop, and kills what still runs.
    tell_service_manager("STOPPING=1");
    running.drain();
    is_drained = true;
    signals.wake();
  });
  for (;;) {
    switch (signals.wait()) {
      case wake_reason::terminate:
        if (!std::exchange(may_hurry, false)) std::_Exit(EXIT_SUCCESS);
        running.hurry();
        continue;
      case wake_reason::reload: continue;
      case wake_reason::woken:
        if (!is_drained) continue;
        drainer.join();
        return;
    }
  }
}

void run(stratumproxyd::daemon& running, signal_waiter& signals) {
  for (;;) {
    switch (signals.wait()) {
      case wake_reason::terminate:
        running.hurry();
        return drain_or_leave(running, signals, false);
      case wake_reason::woken:
        if (!running.is_retired()) continue;
        tell_service_manager("STATUS=another one serves; the workers of this one may stay until their time is over");
        return drain_or_leave(running, signals, true);
      case wake_reason::reload:
        tell_service_manager("RELOADING=1");
        running.reload();
        tell_service_manager("READY=1");
        continue;
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
    return end_output(EXIT_SUCCESS);
  }
  if (command.what == command_line::action::command) return end_output(command.command(command.settings));
  raise_descriptor_limit();
  signal_waiter signals;
  stratumproxyd::daemon running(command.settings, [argc, argv] { return parse_command_line(argc, argv).settings; },
                                [&signals] { signals.wake(); }, take_activation_sockets());
  std::cout << running.ready_line() << std::endl;
  tell_service_manager("READY=1");
  run(running, signals);
  return EXIT_SUCCESS;
} catch (const command_refused& error) {
  return fail(error.what(), command_was_refused);
} catch (const std::exception& error) {
  return fail(error.what());
}
