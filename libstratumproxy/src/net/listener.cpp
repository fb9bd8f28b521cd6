#include "net/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "net/endpoint.hpp"
#include "net/shard.hpp"

namespace stratumproxy::net {
namespace {

// More than this wait for the next round, so that a flood of connects does not hold up the shares.
constexpr int accepts_per_wakeup = 16;

unique_fd spare_descriptor() { return unique_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool is_exhaustion(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

listener::listener(shard& owner, executor where, listening_socket from)
    : owner_(owner), descriptor_(where, from.socket.get()), rules_(std::move(from.rules)), spare_(spare_descriptor()) {
  from.socket.release();
}

void listener::await() {
  if (!descriptor_.is_open()) return;
  descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const asio::error_code&) {
    if (self->descriptor_.is_open()) self->owner_.on_miners(*self);
  });
}

void listener::accept_some(time_point now) {
  for (int i = 0; i < accepts_per_wakeup; ++i) {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    unique_fd socket(::accept4(descriptor_.native_handle(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      owner_.on_miner(std::move(socket), endpoint(address, size), *rules_);
      continue;
    }
    if (is_exhaustion(errno)) return run_dry(errno, now);
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    // Everything else is the fate of one miner that left before it was accepted.
  }
  await();
}

void listener::run_dry(int error, time_point now) {
  owner_.on_exhaustion(error);
  spare_.reset();
  unique_fd refused(::accept4(descriptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
  refused.reset();
  spare_ = spare_descriptor();
  resting_ = true;
  rest_until_ = now + rest;
}

void listener::tick(time_point now) {
  if (!resting_ || now < rest_until_) return;
  resting_ = false;
  await();
}

void listener::close() noexcept {
  // Asio takes a descriptor that it closes for one that leaves the epoll set by itself: not while somebody else has the socket, too.
  if (descriptor_.is_open()) unique_fd(descriptor_.release()).reset();
  resting_ = false;
}

}  // namespace stratumproxy::net
