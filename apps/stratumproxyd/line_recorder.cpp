#include "line_recorder.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <stratumproxy/version.hpp>

namespace stratumproxyd {
namespace {

using stratumproxy::log_level;
using stratumproxy::tapped_event;

constexpr std::size_t max_waiting = 32 * 1024 * 1024;  // bytes
constexpr int max_names = 100;
constexpr std::chrono::milliseconds write_interval{100};

std::filesystem::path numbered(const std::filesystem::path& file, int number) {
  return number == 0 ? file : std::filesystem::path(file.string() + fmt::format(".{}", number));
}

std::string_view name(tapped_event::side side) { return side == tapped_event::side::miner ? "miner" : "pool"; }

// As a JSON string. The library's texts are UTF-8.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", c);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

// All but its time.
void append_event(std::string& out, const tapped_event& event) {
  const auto to = std::back_inserter(out);
  fmt::format_to(to, ",\"conversation\":{},", event.conversation);
  switch (event.what) {
    case tapped_event::kind::opened:
      fmt::format_to(to, "\"open\":\"{}\",\"address\":{}", name(event.peer), quoted(event.address));
      if (event.peer == tapped_event::side::pool)
        fmt::format_to(to, ",\"link\":{},\"worker\":{},\"session\":{},\"account\":{},\"algorithm\":{}", event.link, event.worker,
                       quoted(event.session), quoted(event.account), quoted(event.algorithm));
      break;
    case tapped_event::kind::received:
      fmt::format_to(to, "\"dir\":\"{}>proxy\",\"line\":{}", name(event.peer), quoted(event.text));
      break;
    case tapped_event::kind::sent:
      fmt::format_to(to, "\"dir\":\"proxy>{}\",\"line\":{}", name(event.peer), quoted(event.text));
      break;
    case tapped_event::kind::ended:
      fmt::format_to(to, "\"end\":\"{}\",\"by\":\"{}\",\"reason\":{}", name(event.peer), event.by_peer ? name(event.peer) : "proxy",
                     quoted(event.text));
      break;
  }
  out += "}\n";
}

}  // namespace

line_recorder::line_recorder(const record_config& settings, event_log& log)
    : log_(log), limit_(std::uint64_t{settings.megabytes} * 1'000'000), began_(stratumproxy::steady_clock::now()) {
  for (int number = 0; fd_ < 0; ++number) {
    file_ = numbered(settings.file, number);
    fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ >= 0 || (errno == EEXIST && number < max_names)) continue;
    throw std::runtime_error(fmt::format("cannot record into {}: {}; choose another file with --record", file_.string(),
                                         std::strerror(errno)));
  }
  waiting_ = fmt::format("{{\"recording\":\"stratumproxy\",\"format\":1,\"version\":\"{}\",\"started\":\"{:%Y-%m-%dT%H:%M:%SZ}\"}}\n",
                         stratumproxy::version(), fmt::gmtime(std::time(nullptr)));
  thread_ = std::thread([this] { run(); });
}

line_recorder::~line_recorder() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wake_.notify_one();
  thread_.join();
  ::close(fd_);
  if (dropped_ > 0) log_.write(log_level::warning, "recording_incomplete", fmt::format("{} of {} events were dropped", dropped_, events_));
}

std::int64_t line_recorder::microseconds() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(stratumproxy::steady_clock::now() - began_).count();
}

void line_recorder::on_event(const tapped_event& event) noexcept try {
  thread_local std::string line;  // made before the lock is taken, which is held for one copy only
  line.clear();
  append_event(line, event);
  const std::lock_guard lock(mutex_);
  ++events_;
  if (is_full_ || waiting_.size() >= max_waiting) {
    ++dropped_;
    return;
  }
  fmt::format_to(std::back_inserter(waiting_), "{{\"us\":{}{}", microseconds(), line);
} catch (...) {
  // Out of memory: the event is lost, the shard's work is not.
}

void line_recorder::run() {
  std::string taken;
  std::uint64_t told = 0;
  for (bool ends = false; !ends;) {
    std::uint64_t dropped = 0;
    taken.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, write_interval, [this] { return ends_; });
      std::swap(taken, waiting_);
      ends = ends_;
      dropped = dropped_;
      if (ends)
        taken += fmt::format("{{\"us\":{},\"end\":\"recording\",\"events\":{},\"dropped\":{}}}\n", microseconds(), events_, dropped_);
    }
    if (dropped > 0 && told == 0 && !is_full_)
      log_.write(log_level::warning, "recording_drops", "the disk does not keep up: the recording is incomplete");
    told = dropped;
    write(taken);
  }
}

void line_recorder::write(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const auto count = ::write(fd_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      if (!is_full_.exchange(true)) log_.write(log_level::error, "recording_failed", std::strerror(errno));
      return;
    }
    done += static_cast<std::size_t>(count);
  }
  written_ += text.size();
  if (written_ >= limit_ && !is_full_.exchange(true))
    log_.write(log_level::warning, "recording_full", fmt::format("{} has {} bytes: no more is recorded", file_.string(), written_));
}

}  // namespace stratumproxyd
