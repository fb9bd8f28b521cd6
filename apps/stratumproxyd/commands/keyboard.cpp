#include "commands/keyboard.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace stratumproxyd {

keyboard::keyboard(bool with_keys) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) ::sigaddset(&wanted, each);
  signals_ = ::signalfd(-1, &wanted, SFD_CLOEXEC);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signals cannot be waited for");
  ::sigprocmask(SIG_BLOCK, &wanted, &before_);
  is_terminal_ = with_keys && ::tcgetattr(STDIN_FILENO, &settings_) == 0;
  if (!is_terminal_) return;
  auto by_key = settings_;
  by_key.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
  by_key.c_cc[VMIN] = 1;
  by_key.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &by_key);
}

keyboard::~keyboard() {
  if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings_);
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  ::close(signals_);
}

keyboard::happening keyboard::wait(std::optional<std::chrono::milliseconds> limit) {
  pollfd sources[] = {{signals_, POLLIN, 0}, {is_terminal_ ? STDIN_FILENO : -1, POLLIN, 0}};
  const int ready = ::poll(sources, 2, limit ? static_cast<int>(limit->count()) : -1);
  if (ready <= 0) return happening::late;
  if (sources[0].revents != 0) {
    signalfd_siginfo info{};
    if (::read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return happening::late;
    return info.ssi_signo == SIGWINCH ? happening::resized : happening::ended;
  }
  return ::read(STDIN_FILENO, &key_, 1) == 1 ? happening::key : happening::closed;
}

}  // namespace stratumproxyd
