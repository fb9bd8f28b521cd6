#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "clock.hpp"

namespace stratumload {

/// Whoever waits for a descriptor.
class io_handler {
 public:
  virtual ~io_handler() = default;
  /// `events`: as epoll gives them. Called at most once in each run_once, so a handler may end others or itself in it,
  /// as long as the objects stay until run_once returns.
  virtual void ready(std::uint32_t events) = 0;
};

/// A thin epoll loop, level-triggered, for one thread. Thousands of idle sockets cost it nothing.
class event_loop {
 public:
  event_loop();
  ~event_loop();
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  void add(int fd, std::uint32_t events, io_handler& handler);
  void change(int fd, std::uint32_t events, io_handler& handler);
  void remove(int fd);
  /// Waits at most `limit` and calls the handlers that are ready.
  void run_once(nanoseconds limit);

  /// A read buffer that all handlers of the loop share.
  [[nodiscard]] std::array<char, 65536>& buffer() { return buffer_; }

 private:
  int epoll_ = -1;
  std::array<char, 65536> buffer_;
};

}  // namespace stratumload
