#include "net/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "net/shard.hpp"

namespace stratumproxy::net {
namespace {

constexpr std::uint32_t max_discarded = 256 * 1024;

}  // namespace

connection::connection(shard& owner, executor where, side peer, unique_fd socket, admission::ticket place, time_point now)
    : heard(now), progressed(now), owner_(owner), descriptor_(where), place_(std::move(place)), peer_(peer) {
  asio::error_code failed;
  descriptor_.assign(socket.get(), failed);
  if (!failed) socket.release();
}

void connection::await_input() {
  if (awaits_input_ || !is_open()) return;
  awaits_input_ = true;
  descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const asio::error_code&) {
    self->awaits_input_ = false;
    if (self->is_open()) self->owner_.on_input(self);
  });
}

void connection::await_output() {
  if (awaits_output_ || !is_open()) return;
  awaits_output_ = true;
  descriptor_.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](const asio::error_code&) {
    self->awaits_output_ = false;
    if (self->is_open()) self->owner_.on_output(self);
  });
}

void connection::queue(std::string_view bytes, buffer_pool& buffers) {
  if (!output_) output_ = buffers.borrow();
  output_->append(bytes);
}

std::error_code connection::send_queued(buffer_pool& buffers, time_point now) {
  while (output_) {
    const std::string_view bytes = output_->unsent();
    const auto sent = bytes.empty() ? 0 : ::send(native(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
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
  asio::error_code ignored;
  descriptor_.close(ignored);
  place_ = {};
}

unique_fd connection::release() noexcept { return unique_fd(descriptor_.release()); }

duration connection::since_acknowledgement() noexcept {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(native(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return duration::max();
  return std::chrono::milliseconds(info.tcpi_last_ack_recv);
}

}  // namespace stratumproxy::net
