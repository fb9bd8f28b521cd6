#include "line_channel.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace stratumload {

void line_channel::open(event_loop& loop, int fd, io_handler& owner, bool connecting) {
  loop_ = &loop;
  owner_ = &owner;
  fd_ = fd;
  tls_ = {};
  out_.clear();
  framer_ = stratumproxy::protocol::line_framer{longest_line};
  watching_writable_ = connecting;
  loop.add(fd, EPOLLIN | (connecting ? EPOLLOUT : 0u), owner);
}

void line_channel::close() {
  if (fd_ < 0) return;
  loop_->remove(fd_);
  ::close(fd_);
  fd_ = -1;
}

void line_channel::reset() {
  if (fd_ < 0) return;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

bool line_channel::connected() {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

void line_channel::watch(bool writable) {
  if (writable == watching_writable_) return;
  watching_writable_ = writable;
  loop_->change(fd_, EPOLLIN | (writable ? EPOLLOUT : 0u), *owner_);
}

bool line_channel::flush() {
  std::size_t sent = 0;
  while (sent < out_.size()) {
    const auto left = std::string_view(out_).substr(sent);
    const auto count = tls_ ? tls_.send(left) : ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      return false;
    }
  }
  out_.erase(0, sent);
  if (out_.size() > most_unsent) return false;
  watch(!out_.empty() && !(tls_ && tls_.sending_waits_for_input()));
  return true;
}

std::ptrdiff_t line_channel::read_some() {
  for (;;) {
    auto& into = loop_->buffer();
    const auto count = tls_ ? tls_.receive(into) : ::recv(fd_, into.data(), into.size(), 0);
    if (count > 0) return count;
    if (count == 0) return -1;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -1;
  }
}

}  // namespace stratumload
