#include "file_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <system_error>
#include <utility>

namespace stratumproxyd {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds quiet{100};
// Not IN_MODIFY: a database may be in the same directory.
constexpr std::uint32_t of_directory = IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
constexpr std::uint32_t of_target = IN_CLOSE_WRITE | IN_ATTRIB;

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// As poll() takes it.
int milliseconds_until(clock::time_point when) {
  if (when == clock::time_point::max()) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(when - clock::now()).count()));
}

// Which events they were does not matter: the file is looked at after each.
void discard(int events) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (::read(events, buffer.data(), buffer.size()) > 0) {}
}

}  // namespace

file_watch::file_watch(std::filesystem::path file) : file_(std::move(file)), seen_(look()) {
  const auto directory = file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
  events_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (events_ < 0 || stop_ < 0 || ::inotify_add_watch(events_, directory.c_str(), of_directory) < 0) {
    const int error = errno;
    ::close(events_);
    ::close(stop_);
    throw std::system_error(error, std::system_category());
  }
  watch_target();
}

file_watch::~file_watch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  ::close(events_);
  ::close(stop_);
}

void file_watch::start(std::function<void()> on_change) {
  on_change_ = std::move(on_change);
  thread_ = std::thread([this] { run(); });
}

file_watch::identity file_watch::look() const {
  struct stat info {};
  if (::stat(file_.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size), nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

// The directory does not hear of a file that a link leads out of it to, nor of one that is mounted on its own.
void file_watch::watch_target() {
  const int now_is = ::inotify_add_watch(events_, file_.c_str(), of_target);
  if (target_ >= 0 && target_ != now_is) ::inotify_rm_watch(events_, target_);
  target_ = now_is;
}

void file_watch::run() {
  auto due = clock::time_point::max();
  for (;;) {
    pollfd entries[] = {{events_, POLLIN, 0}, {stop_, POLLIN, 0}};
    ::poll(entries, std::size(entries), milliseconds_until(due));
    if (entries[1].revents != 0) return;
    if (entries[0].revents != 0) discard(events_);
    if (const auto now_is = look(); now_is != seen_) {
      seen_ = now_is;
      watch_target();
      due = clock::now() + quiet;
    } else if (clock::now() >= due) {
      due = clock::time_point::max();
      on_change_();
    }
  }
}

}  // namespace stratumproxyd
