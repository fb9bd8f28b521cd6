#include "net/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace stratumproxy::net {
namespace {

constexpr std::uint32_t max_discarded = 256 * 1024;

}  // namespace

connection::connection(poller& watcher, side peer, unique_fd socket, admission::ticket place, time_point now)
    : heard(now), progressed(now), watcher_(watcher), socket_(std::move(socket)), place_(std::move(place)), peer_(peer) {}

connection::pointer connection::make(poller& watcher, side peer, unique_fd socket, admission::ticket place, time_point now) {
  auto made = std::make_shared<connection>(watcher, peer, std::move(socket), std::move(place), now);
  return watcher.add(made, made->native(), made->watched_, EPOLLIN) ? made : nullptr;
}

void connection::want_input(bool wanted) noexcept {
  wants_input_ = wanted;
  watch(EPOLLIN, wanted && !reading_waits_for_output());
}

void connection::watch(std::uint32_t event, bool wanted) noexcept {
  if (is_open()) watcher_.change(native(), watched_, wanted ? watched_.events | event : watched_.events & ~event);
}

std::ptrdiff_t connection::receive(std::span<char> into) {
  if (!tls_) return ::recv(native(), into.data(), into.size(), 0);
  const auto got = tls_.receive(into);
  const int error = errno;
  want_input(wants_input_);
  errno = error;
  return got;
}

void connection::queue(std::string_view bytes, buffer_pool& buffers) {
  if (!output_) output_ = buffers.borrow();
  output_->append(bytes);
}

std::error_code connection::send_queued(buffer_pool& buffers, time_point now) {
  while (output_) {
    const std::string_view bytes = output_->unsent();
    const auto send = [&] { return tls_ ? tls_.send(bytes) : ::send(native(), bytes.data(), bytes.size(), MSG_NOSIGNAL); };
    const std::ptrdiff_t sent = bytes.empty() ? 0 : send();
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return {errno, std::system_category()};
    }
    output_->consume(static_cast<std::size_t>(sent));
    progressed = now;
    if (output_->unsent().empty()) discard_queued(buffers);
  }
  return {};
}

void connection::discard_queued(buffer_pool& buffers) { buffers.give_back(std::exchange(output_, nullptr)); }

bool connection::shut_down_output() noexcept {
  if (tls_) tls_.end();
  ::shutdown(native(), SHUT_WR);
  return discard_input();
}

bool connection::discard_input() noexcept {
  std::array<char, 4096> ignored;
  while (discarded_ < max_discarded) {
    const auto got = ::recv(native(), ignored.data(), ignored.size(), 0);
    if (got > 0) {
      discarded_ += static_cast<std::uint32_t>(got);
    } else if (got == 0 || errno != EINTR) {
      return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
  }
  return true;
}

void connection::close() noexcept {
  place_ = {};
  tls_ = {};
  release().reset();
}

unique_fd connection::release() noexcept {
  auto socket = std::move(socket_);
  if (socket) watcher_.remove(socket.get(), watched_);  // which may end this connection
  return socket;
}

duration connection::since_acknowledgement() noexcept {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(native(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return duration::max();
  return std::chrono::milliseconds(info.tcpi_last_ack_recv);
}

}  // namespace stratumproxy::net
