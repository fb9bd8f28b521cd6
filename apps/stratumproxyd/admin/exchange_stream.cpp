#include "admin/exchange_stream.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <stratumproxy/scheduling.hpp>

namespace stratumproxyd {

exchange_stream::exchange_stream(int fd, stratumproxy::tls_stream& tls, std::string_view head, std::string& pending, bool has_body,
                                 limits allowed)
    : fd_(fd), tls_(tls), head_(head), pending_(pending), has_body_(has_body), allowed_(allowed),
      body_deadline_(clock::now() + allowed.body) {}

bool exchange_stream::wait(short events, clock::time_point deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    if (left <= 0) return false;
    pollfd entry{fd_, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

ssize_t exchange_stream::read(char* out, size_t size) {
  if (!head_.empty()) {
    const auto count = std::min(size, head_.size());
    std::memcpy(out, head_.data(), count);
    head_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  if (!has_body_ || broken_ || body_read_ >= allowed_.body_bytes) return 0;
  size = std::min(size, allowed_.body_bytes - body_read_);
  if (!pending_.empty()) {
    const auto count = std::min(size, pending_.size());
    std::memcpy(out, pending_.data(), count);
    pending_.erase(0, count);
    body_read_ += count;
    return static_cast<ssize_t>(count);
  }
  for (;;) {
    const auto count = tls_ ? tls_.receive({out, size}) : ::recv(fd_, out, size, MSG_DONTWAIT);
    if (count > 0) body_read_ += static_cast<std::size_t>(count);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      broken_ = true;
      return -1;
    }
    if (tls_ && tls_.has_unread()) continue;
    if (!wait(tls_ && tls_.reading_waits_for_output() ? POLLOUT : POLLIN, body_deadline_)) {
      timed_out_ = true;
      return -1;
    }
  }
}

// Many kernels preempt nobody in a system call: a share that comes meanwhile would wait until megabytes are copied.
constexpr std::size_t most_at_once = 65'536;

ssize_t exchange_stream::write(const char* bytes, size_t size) {
  // The time begins with the answer, not with the request: a handler may wait for the database.
  if (answer_deadline_ == clock::time_point{}) answer_deadline_ = clock::now() + allowed_.answer;
  std::size_t done = 0;
  while (done < size && !broken_) {
    const std::string_view next(bytes + done, std::min(size - done, most_at_once));
    const auto count = tls_ ? tls_.send(next) : ::send(fd_, next.data(), next.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
      stratumproxy::pace();
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      broken_ = !wait(tls_ && tls_.sending_waits_for_input() ? POLLIN : POLLOUT, answer_deadline_);
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  return broken_ ? -1 : static_cast<ssize_t>(size);
}

// Nothing here asks for addresses; what the library copies into header fields stays empty.
void exchange_stream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  std::array<char, NI_MAXHOST> text{};
  if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&peer), size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return;
  ip = text.data();
  // An IPv4 client of an IPv6 listener.
  constexpr std::string_view mapped = "::ffff:";
  if (ip.starts_with(mapped) && ip.find('.') != std::string::npos) ip.erase(0, mapped.size());
}

void exchange_stream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace stratumproxyd
