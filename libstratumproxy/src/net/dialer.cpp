#include "net/dialer.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "net/shard.hpp"
#include "net/socket.hpp"

namespace stratumproxy::net {

using asio::posix::descriptor_base;
using session::close_reason;

dialer::dialer(shard& owner, executor where, session::channel_id channel, session::destination to)
    : owner_(owner),
      descriptor_(where),
      channel_(channel),
      to_(std::move(to)),
      via_(owner.upstream().socks5),
      host_(via_.host.empty() ? to_.host : via_.host),
      port_(via_.host.empty() ? to_.port : via_.port) {}

void dialer::start(time_point now) {
  if (const auto address = endpoint::literal(host_, port_)) return resolved({*address}, now);
  deadline_ = now + resolve_limit;
  if (const auto known = owner_.resolve(channel_, host_)) resolved(*known, now);
}

void dialer::resolved(const std::vector<endpoint>& found, time_point now) {
  if (stage_ != stage::resolving) return;
  addresses_ = to_try(found, port_, max_addresses);
  last_moment_ = now + 2 * owner_.upstream().connect_timeout;
  if (addresses_.empty()) last_failure_ = close_reason::resolve_failed;
  try_next(now);
}

void dialer::try_next(time_point now) {
  asio::error_code ignored;
  tls_ = {};
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
    deadline_ = now + std::min<duration>(owner_.upstream().connect_timeout, (last_moment_ - now) / left);
    stage_ = stage::connecting;
    return await(descriptor_base::wait_write);
  }
  fail();
}

void dialer::await(descriptor_base::wait_type what) {
  descriptor_.async_wait(what, [self = shared_from_this()](const asio::error_code& error) {
    if (!error && self->stage_ != stage::ended) self->owner_.on_dial_ready(*self);
  });
}

void dialer::ready(time_point now) {
  switch (stage_) {
    case stage::resolving:
    case stage::ended: return;
    case stage::connecting: return check_connect(now);
    case stage::tunnelling: return tunnel(now);
    case stage::securing: return secure(now);
  }
}

void dialer::check_connect(time_point now) {
  const std::error_code error = connect_result(descriptor_.native_handle());
  if (error == std::errc::operation_in_progress) return await(descriptor_base::wait_write);
  if (error) return address_failed(error == std::errc::timed_out ? close_reason::timed_out : close_reason::connect_failed, {}, now);
  if (via_.host.empty()) return connected(now);
  socks_.emplace(to_.host, to_.port, via_.user, via_.password);
  stage_ = stage::tunnelling;
  tunnel(now);
}

// What is sent is so little that a connection without anything on its way takes it at once.
void dialer::tunnel(time_point now) {
  const int socket = descriptor_.native_handle();
  for (;;) {
    if (socks_->where() == socks5::state::failed) return address_failed(close_reason::connect_failed, socks_->fault(), now);
    if (const auto output = socks_->take_output(); !output.empty()) {
      if (::send(socket, output.data(), output.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(output.size())) continue;
      return address_failed(close_reason::connect_failed, "the SOCKS server: it takes nothing", now);
    }
    if (socks_->where() == socks5::state::done) return connected(now);
    std::array<char, 300> answer;
    const auto got = ::recv(socket, answer.data(), std::min(answer.size(), socks_->wanted()), 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return await(descriptor_base::wait_read);
    if (got <= 0) return address_failed(close_reason::connect_failed, "the SOCKS server: it closed the connection", now);
    socks_->receive({answer.data(), static_cast<std::size_t>(got)});
  }
}

void dialer::connected(time_point now) {
  if (to_.tls.mode == tls_mode::off) return reached();
  tls_ = owner_.tls_to_pools().connect(descriptor_.native_handle(), to_.host, to_.tls);
  stage_ = stage::securing;
  secure(now);
}

void dialer::secure(time_point now) {
  switch (tls_.handshake()) {
    case tls_stream::step::done: return reached();
    case tls_stream::step::wants_input: return await(descriptor_base::wait_read);
    case tls_stream::step::wants_output: return await(descriptor_base::wait_write);
    case tls_stream::step::failed: {
      auto why = tls_.fault().empty() ? std::string("the connection was lost during the TLS handshake") : tls_.fault();
      return address_failed(close_reason::tls_failed, std::move(why), now);
    }
  }
}

void dialer::reached() {
  stage_ = stage::ended;
  owner_.dialed(channel_, unique_fd(descriptor_.release()), std::move(tls_));
}

void dialer::tick(time_point now) {
  if (stage_ == stage::ended || now < deadline_) return;
  if (stage_ == stage::resolving) return resolved(owner_.last_good(host_), now);
  std::string_view waits_for;
  if (stage_ == stage::tunnelling) waits_for = "the SOCKS server does not answer";
  if (stage_ == stage::securing) waits_for = "the TLS handshake takes too long";
  address_failed(close_reason::timed_out, std::string(waits_for), now);
}

void dialer::address_failed(close_reason reason, std::string detail, time_point now) {
  last_failure_ = reason;
  last_detail_ = std::move(detail);
  try_next(now);
}

void dialer::fail() {
  stage_ = stage::ended;
  owner_.dial_failed(channel_, last_failure_, std::move(last_detail_));
}

void dialer::cancel() noexcept {
  stage_ = stage::ended;
  tls_ = {};
  asio::error_code ignored;
  descriptor_.close(ignored);
}

}  // namespace stratumproxy::net
