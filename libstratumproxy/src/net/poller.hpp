#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/unique_fd.hpp"

namespace stratumproxy::net {

class connection;

/// Which of a shard's connections can be read or written: an epoll set of its own, which Asio waits for as one descriptor.
/// Asio arms each wait anew, a system call for every message; here a connection is registered once.
///
/// Level-triggered. Keeps what it watches alive. One thread.
class poller {
 public:
  /// What one connection wants, and where it stands here.
  struct place {
    std::uint32_t slot = 0;
    std::uint32_t events = 0;  ///< EPOLLIN, EPOLLOUT; 0: not watched, so that a dead peer does not wake anybody up
  };
  struct ready {
    std::shared_ptr<connection> who;
    std::uint32_t events = 0;
  };

  /// So many are taken by one poll(). More would keep mail and time waiting for longer than a few milliseconds.
  static constexpr std::size_t at_once = 128;

  /// Throws std::system_error when there is no descriptor left.
  poller();

  /// False when the system has no room for it.
  [[nodiscard]] bool add(std::shared_ptr<connection> who, int descriptor, place& at, std::uint32_t events);
  void change(int descriptor, place& at, std::uint32_t events) noexcept;
  /// To be called before the descriptor is closed or given away. The connection may end with it.
  void remove(int descriptor, place& at) noexcept;

  /// Takes what is ready, without waiting; one after the other by next(), because each may end any other.
  void poll() noexcept;
  /// The next one that is still here; null when there is no more.
  [[nodiscard]] ready next() noexcept;

  /// Readable while anything is ready.
  [[nodiscard]] int descriptor() const noexcept { return set_.get(); }

 private:
  struct entry {
    std::shared_ptr<connection> who;
    std::uint32_t generation = 0;  ///< of the slot: an event for who was here before must not reach who is here now
  };
  [[nodiscard]] epoll_event event_for(const place& at, std::uint32_t events) const noexcept;

  unique_fd set_;
  std::vector<entry> entries_;
  std::vector<std::uint32_t> free_;
  std::array<epoll_event, at_once> events_;
  std::span<const epoll_event> unread_;
};

}  // namespace stratumproxy::net
