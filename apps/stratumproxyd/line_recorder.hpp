#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include <stratumproxy/clock.hpp>
#include <stratumproxy/line_tap.hpp>

#include "config.hpp"
#include "event_log.hpp"

namespace stratumproxyd {

/// Writes what a tap hears into a file, a JSON object a line: docs/operations.md has the format. Shards only add to a queue; a
/// thread writes. While the disk does not keep up, or when the file is as large as it may be, events are dropped: how many is said
/// in the log and at the end of the file.
/// Thread: on_event() on any, the rest on one.
class line_recorder final : public stratumproxy::line_tap {
 public:
  /// Makes the file; one that is there stays, and FILE.1, FILE.2, ... is tried. Throws std::runtime_error.
  line_recorder(const record_config& settings, event_log& log);
  ~line_recorder() override;  ///< writes what waits, and the end
  line_recorder(const line_recorder&) = delete;
  line_recorder& operator=(const line_recorder&) = delete;

  void on_event(const stratumproxy::tapped_event& event) noexcept override;
  [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

 private:
  [[nodiscard]] std::int64_t microseconds() const;
  void run();
  void write(const std::string& text);

  event_log& log_;
  const std::uint64_t limit_;
  std::filesystem::path file_;
  int fd_ = -1;
  const stratumproxy::time_point began_;

  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::string waiting_;  // whole lines
  std::uint64_t events_ = 0, dropped_ = 0;
  bool ends_ = false;

  std::uint64_t written_ = 0;          // bytes; the thread's
  std::atomic<bool> is_full_ = false;  // or broken: nothing more is kept
  std::thread thread_;
};

}  // namespace stratumproxyd
