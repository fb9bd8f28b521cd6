#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <thread>

namespace stratumproxyd {

/// Tells that a file is another one than before: written, replaced by a rename, reached by a link that leads elsewhere now, gone, or there
/// again. What comes within a moment is told once, at its end, so that a file is not read while it is written.
class file_watch {
 public:
  /// Changes count from now on. Throws std::system_error when the system has no watch to give.
  explicit file_watch(std::filesystem::path file);
  ~file_watch();
  file_watch(const file_watch&) = delete;
  file_watch& operator=(const file_watch&) = delete;

  /// `on_change` is called on a thread of its own; it must not throw. Once.
  void start(std::function<void()> on_change);

 private:
  /// What is another one when the file is.
  struct identity {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t written = 0, changed = 0;  // ns
    bool operator==(const identity&) const = default;
  };

  [[nodiscard]] identity look() const;
  void watch_target();
  void run();

  const std::filesystem::path file_;
  std::function<void()> on_change_;
  int events_ = -1;  // inotify
  int stop_ = -1;    // eventfd
  int target_ = -1;  // the watch of the file itself; its directory has another one
  identity seen_;
  std::thread thread_;
};

}  // namespace stratumproxyd
