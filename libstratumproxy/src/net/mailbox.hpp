#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "net/unique_fd.hpp"

namespace stratumproxy::net {

/// What other threads have for a shard. Any thread posts; the owner waits until descriptor() is readable and takes all of
/// it at once. The lock is touched only when there is mail, so that a shard without mail runs without any. The box has no
/// cap of its own: whoever posts has at most one message for each connection on its way.
template <class Message>
class mailbox {
 public:
  /// Throws std::system_error when there is no descriptor left.
  mailbox() : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_) throw std::system_error(errno, std::system_category(), "eventfd");
  }

  /// False, and the message is destroyed, once the box is closed.
  bool post(Message message) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      messages_.push_back(std::move(message));
      if (messages_.size() > 1) return true;  // the owner was woken for the first one and has not come yet
    }
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the owner is awake anyway.
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
    return true;
  }

  /// Everything posted so far, in order, in `into`, whose old content is dropped and whose storage is used again.
  void take(std::vector<Message>& into) {
    into.clear();
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(wake_.get(), &count, sizeof(count));
    const std::lock_guard lock(mutex_);
    messages_.swap(into);
  }

  /// Refuses further messages and destroys those that wait.
  void close() {
    std::vector<Message> unread;  // destroyed without the lock: a message may own anything
    const std::lock_guard lock(mutex_);
    closed_ = true;
    messages_.swap(unread);
  }

  /// Readable while there is mail.
  [[nodiscard]] int descriptor() const noexcept { return wake_.get(); }

 private:
  unique_fd wake_;
  std::mutex mutex_;
  std::vector<Message> messages_;
  bool closed_ = false;
};

}  // namespace stratumproxy::net
