#include "net/dialer.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/shard.hpp"
#include "net/socket.hpp"

namespace stratumproxy::net {

using session::close_reason;

dialer::dialer(shard& owner, executor where, session::channel_id channel, std::string host, std::uint16_t port)
    : owner_(owner), descriptor_(where), channel_(channel), host_(std::move(host)), port_(port) {}

void dialer::start(time_point now) {
  if (const auto address = endpoint::literal(host_, port_)) return resolved({*address}, now);
  deadline_ = now + resolve_limit;
  if (const auto known = owner_.resolve(channel_, host_)) resolved(*known, now);
}

void dialer::resolved(const std::vector<endpoint>& found, time_point now) {
  if (stage_ != stage::resolving) return;
  addresses_ = to_try(found, port_, max_addresses);
  if (addresses_.empty()) return fail(close_reason::resolve_failed);
  stage_ = stage::connecting;
  last_moment_ = now + 2 * owner_.connect_timeout();
  try_next(now);
}

void dialer::try_next(time_point now) {
  asio::error_code ignored;
  descriptor_.close(ignored);
  while (next_ < addresses_.size() && now < last_moment_) {
    const auto left = static_cast<duration::rep>(addresses_.size() - next_);
    const endpoint& address = addresses_[next_++];
    auto socket = start_connect(address);
    if (!socket) continue;
    asio::error_code failed;
    descriptor_.assign(socket->get(), failed);
    if (failed) continue;
    socket->release();
    // An equal part of the time for each that is left, so that one dead address does not use up all of it.
    deadline_ = now + std::min<duration>(owner_.connect_timeout(), (last_moment_ - now) / left);
    return await();
  }
  fail(last_failure_);
}

void dialer::await() {
  descriptor_.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](const asio::error_code& error) {
    if (!error && self->stage_ == stage::connecting) self->owner_.on_dial_ready(*self);
  });
}

void dialer::ready(time_point now) {
  const std::error_code error = connect_result(descriptor_.native_handle());
  if (!error) {
    stage_ = stage::ended;
    owner_.dialed(channel_, unique_fd(descriptor_.release()));
  } else if (error == std::errc::operation_in_progress) {
    await();
  } else {
    last_failure_ = error == std::errc::timed_out ? close_reason::timed_out : close_reason::connect_failed;
    try_next(now);
  }
}

void dialer::tick(time_point now) {
  if (stage_ == stage::ended || now < deadline_) return;
  if (stage_ == stage::resolving) return resolved(owner_.last_good(host_), now);
  last_failure_ = close_reason::timed_out;
  try_next(now);
}

void dialer::fail(close_reason reason) {
  stage_ = stage::ended;
  owner_.dial_failed(channel_, reason);
}

void dialer::cancel() noexcept {
  stage_ = stage::ended;
  asio::error_code ignored;
  descriptor_.close(ignored);
}

}  // namespace stratumproxy::net
