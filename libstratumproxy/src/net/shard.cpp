#include "net/shard.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/proxy_header.hpp"
#include "net/socket.hpp"
#include "net/system.hpp"

namespace stratumproxy::net {

using session::channel_id;
using session::close_reason;

namespace {

constexpr std::chrono::milliseconds max_tick{50};  // design: the manager's time runs at least ten times a second
constexpr std::chrono::milliseconds min_tick{5};
constexpr std::chrono::seconds max_sweep{1};
constexpr std::chrono::seconds linger_limit{1};
constexpr std::size_t max_lingering = 256;
constexpr std::size_t max_unannounced = 1'024;
// Between pieces, twice their time: the shares that came meanwhile go first.
constexpr std::chrono::microseconds snapshot_pause{200};
constexpr int last_reads = 4;
constexpr char tls_handshake = 0x16;  // the first byte of a TLS record that no line begins with
constexpr std::size_t most_unsettled = 128;  // connections with output that waits for the end of a wake-up

close_reason reason_of(int error, const connection& who, time_point now) {
  if (error == EPROTO) return close_reason::tls_failed;
  if (error != ETIMEDOUT) return close_reason::reset;
  // The kernel also gives up on a peer that acknowledges everything but leaves no room: then output has waited for long.
  const bool has_waited = !who.unsent().empty() && now - who.progressed >= std::chrono::seconds(1);
  return has_waited ? close_reason::slow_reader : close_reason::timed_out;
}

// What somebody does who tries the proxy's patience, or guesses.
bool is_offence(close_reason reason) {
  return reason == close_reason::error_budget || reason == close_reason::login_failed || reason == close_reason::invalid_shares;
}

}  // namespace

shard::shard(shell& common, unsigned index, asio::io_context& io, std::vector<listening_socket> listening)
    : common_(common),
      index_(index),
      io_(io),
      mail_(common.mailboxes[index]),
      mail_ready_(io),
      connections_ready_(io),
      timer_(io) {
  for (auto& from : listening)
    listeners_.push_back(std::make_shared<listener>(*this, io.get_executor(), std::move(from)));
  session::manager_settings settings;
  settings.shard = index;
  settings.shards = static_cast<unsigned>(common.mailboxes.size());
  settings.config = &common.config;
  settings.instance = common.instance;
  settings.random = fill_random;
  settings.log = &common.log;
  settings.sink = common.sink;
  settings.tap = common.tap;
  settings.sessions = common.sessions;
  settings.hints = common.hints;
  manager_ = std::make_unique<session::session_manager>(std::move(settings), *this);
  bans_changed(common.bans);
  certificate_ = common.certificate;
  set_sweep_interval();
}

shard::~shard() {
  if (mail_ready_.is_open()) mail_ready_.release();  // the mailbox owns it
  if (connections_ready_.is_open()) connections_ready_.release();
}

void shard::start() {
  mail_ready_.assign(mail_->descriptor());
  connections_ready_.assign(poller_.descriptor());
  await_mail();
  await_connections();
  await_tick();
  for (const auto& from : listeners_) from->start();
}

template <class Work>
void shard::wake_up(Work&& work) {
  if (stopped_) return;
  now_ = steady_clock::now();
  work();
  settle();
}

void shard::settle() {
  while (!stopped_ && (!news_.empty() || !dirty_.empty())) {
    being_told_.swap(news_);
    for (shard_task& news : being_told_) news(*this);
    being_told_.clear();
    being_flushed_.swap(dirty_);
    for (const auto& who : being_flushed_) {
      who->dirty = false;
      if (who->is_open() && !who->lingering) flush(who);
    }
    being_flushed_.clear();
  }
  if (drain_waiters_.empty() || !manager_->drained() || !lingering_.empty()) return;
  for (shard_task& done : std::exchange(drain_waiters_, {})) done(*this);
}

void shard::flush(const connection::pointer& to) {
  if (const auto error = to->send_queued(buffers_, now_)) return lose_after_last_words(to, reason_of(error.value(), *to, now_));
  const std::size_t unsent = to->unsent().size();
  const std::size_t limit = output_limit(to->peer());
  if (unsent > limit) return lose(to, close_reason::slow_reader);
  to->want_output(to->needs_output());
  if (!to->congested && unsent > limit / 2) {
    to->congested = true;
    manager_->congested(to->channel, true, now_);
  } else if (to->congested && unsent < limit / 4) {
    to->congested = false;
    manager_->congested(to->channel, false, now_);
  }
}

// --- sockets ---

void shard::on_miners(listener& from) {
  wake_up([&] { from.accept_some(now_); });
}

void shard::stop_accepting() noexcept {
  for (const auto& from : listeners_) from->close();
}

// The socket is closed unread.
bool shard::is_banned(std::string_view address) {
  const bool is_one = bans_ && bans_->of_address(address);
  if (is_one) ++banned_;
  return is_one;
}

void shard::on_miner(unique_fd socket, const endpoint& from, const listener_rules& rules) {
  const bool is_unannounced = rules.wants_header(from);
  if (!is_unannounced && bans_ && is_banned(from.host())) return;
  auto place = common_.miners.enter();
  if (!place) {
    ++refused_;
    if (common_.limit_log.allows(now_)) warn("connection_limit", from.text(), "too many connections in all");
    return;
  }
  const auto who = connection::make(poller_, side::miner, std::move(socket), std::move(*place), now_);
  if (!who) return on_exhaustion(errno);
  who->tls = rules.tls;
  if (is_unannounced) return await_header(who);
  welcome(who, manager_->accept(from.text(), from.host(), now_));
}

void shard::await_header(const connection::pointer& who) {
  if (unannounced_.size() >= max_unannounced) turn_away(unannounced_.front(), "too many connections without their PROXY header");
  who->unannounced = true;
  unannounced_.push_back(who);
}

// Until it is whole the header stays in the kernel: whoever waits for it owns no buffer, and what is behind it is read like all else.
void shard::on_header(const connection::pointer& who) {
  const auto got = ::recv(who->native(), input_.data(), proxy_header::longest, MSG_PEEK);
  const bool has_ended = got == 0 || (got < 0 && errno == ECONNRESET);
  if (has_ended && who->header_bytes == 0) return leave_unannounced(who);  // it only looked whether somebody listens
  if (got < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) turn_away(who, std::strerror(errno));
    return;
  }
  const auto header = proxy_header::parse({input_.data(), static_cast<std::size_t>(got)});
  if (header.is == proxy_header::state::malformed) return turn_away(who, "it does not begin with a PROXY header");
  if (header.is == proxy_header::state::incomplete) {
    if (got <= who->header_bytes) return turn_away(who, "it ended within its PROXY header");
    who->header_bytes = static_cast<std::uint16_t>(got);
    return set_readable_from(who->native(), static_cast<std::size_t>(got) + 1);
  }
  (void)::recv(who->native(), input_.data(), header.size, 0);
  set_readable_from(who->native(), 1);
  who->unannounced = false;
  std::erase(unannounced_, who);
  const auto from = header.source ? *header.source : endpoint::peer_of(who->native());
  if (!from || (bans_ && is_banned(from->host()))) return who->close();
  who->announced = std::make_unique<endpoint>(*from);
  welcome(who, manager_->accept(from->text(), from->host(), now_));
}

void shard::close_unannounced() noexcept {
  for (const auto& who : std::exchange(unannounced_, {})) who->close();
}

void shard::turn_away(const connection::pointer& who, std::string_view why) {
  ++without_header_;
  const auto balancer = endpoint::peer_of(who->native());
  if (common_.header_log.allows(now_)) warn("proxy_header_missing", balancer ? balancer->text() : std::string(), why);
  leave_unannounced(who);
}

void shard::leave_unannounced(connection::pointer who) {
  std::erase(unannounced_, who);
  who->close();
}

void shard::on_exhaustion(int error) {
  ++exhaustions_;
  if (common_.exhaustion_log.allows(now_)) warn("descriptors_exhausted", {}, std::strerror(error));
}

void shard::warn(std::string_view event, std::string_view worker, std::string_view detail) const {
  log_event line;
  line.level = log_level::warning;
  line.event = event;
  line.worker = worker;
  line.detail = detail;
  common_.log.write(line);
}

void shard::welcome(const connection::pointer& who, channel_id channel) {
  who->channel = channel;
  connections_.emplace(who->channel, who);
}

void shard::arrive(migrant who) {
  if (is_banned(who.what.address)) return;  // since it was accepted
  const auto connected = connection::make(poller_, side::miner, std::move(who.socket), std::move(who.place), now_);
  if (!connected) return on_exhaustion(errno);
  connected->announced = std::move(who.announced);
  connected->secure(std::move(who.tls));
  if (!who.unsent.empty()) {
    connected->queue(who.unsent, buffers_);
    hand_out(connected);
  }
  welcome(connected, manager_->adopt(std::move(who.what), now_));
  manager_->tick(now_);  // it brought lines along
  read_on(connected);
}

void shard::on_ready(const connection::pointer& who, std::uint32_t events) {
  if (who->unannounced) return on_header(who);
  const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;  // what it is, the next call says
  if (who->wants_input() && (broken || (events & EPOLLIN) != 0)) on_input(who);
  if (who->wants_output() && (broken || (events & EPOLLOUT) != 0)) on_output(who);
}

void shard::on_input(const connection::pointer& from) {
  if (from->lingering) {
    if (from->discard_input()) from->close();
    return;
  }
  if (from->tls != listener_tls::off && !open(from)) return;
  const auto got = from->receive(input_);
  if (got > 0) {
    from->heard = now_;
    manager_->receive(from->channel, {input_.data(), static_cast<std::size_t>(got)}, now_);
    read_on(from);
  } else if (got == 0) {
    if (from->peer() == side::pool) return lose(from, close_reason::peer_left);
    from->want_input(false);
    manager_->input_ended(from->channel, now_);
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    return lose(from, reason_of(errno, *from, now_));
  } else {
    read_on(from);
  }
}

// The first byte stays where it is. Without a certificate it is a stranger's, who is answered as such.
bool shard::open(const connection::pointer& from) {
  char first = 0;
  const bool must = from->tls == listener_tls::only;
  const bool wants = must || (::recv(from->native(), &first, 1, MSG_PEEK) == 1 && first == tls_handshake);
  from->tls = listener_tls::off;
  if (wants && certificate_) from->secure(certificate_->accept(from->native()));
  if (!must || certificate_) return true;
  lose(from, close_reason::tls_failed, "there is no certificate");
  return false;
}

// Of what TLS has read ahead the poller does not tell, nor that a handshake has something to say.
void shard::read_on(const connection::pointer& from) {
  if (!from->is_open() || from->lingering) return;
  if (from->has_unread() && from->wants_input()) {
    mail_->post([from](shard& self) {
      if (from->is_open() && from->wants_input()) self.on_input(from);
    });
  }
  if (from->sending_waits_for_input()) hand_out(from);
  if (from->needs_output()) from->want_output(true);
}

void shard::on_output(const connection::pointer& to) {
  if (to->lingering) return;
  if (to->wants_input() && to->reading_waits_for_output()) on_input(to);
  if (to->is_open() && !to->lingering) flush(to);
}

void shard::on_dial_ready(dialer& attempt) {
  wake_up([&] { attempt.ready(now_); });
}

void shard::dialed(channel_id channel, unique_fd socket, tls_stream tls) {
  dials_.erase(channel);
  const auto who = connection::make(poller_, side::pool, std::move(socket), admission::ticket{}, now_);
  if (!who) return dial_failed(channel, close_reason::connect_failed, {});
  who->secure(std::move(tls));
  who->channel = channel;
  connections_.emplace(channel, who);
  news_.push_back([who](shard& self) {
    if (who->is_open()) self.manager_->connected(who->channel, self.now_);
  });
  read_on(who);
}

void shard::dial_failed(channel_id channel, close_reason reason, std::string detail) {
  dials_.erase(channel);
  news_.push_back([channel, reason, detail = std::move(detail)](shard& self) {
    self.manager_->closed(channel, reason, self.now_, detail);
  });
}

std::optional<std::vector<endpoint>> shard::resolve(channel_id channel, const std::string& host) {
  return common_.resolver.resolve(host, [mail = mail_, channel](const std::vector<endpoint>& found) {
    mail->post([channel, found](shard& self) { self.name_resolved(channel, found); });
  });
}

std::vector<endpoint> shard::last_good(const std::string& host) const { return common_.resolver.last_good(host); }

// --- ends ---

void shard::lose(const connection::pointer& who, close_reason reason, std::string_view detail) {
  connections_.erase(who->channel);
  const std::string fault(who->fault());
  who->discard_queued(buffers_);
  who->close();
  manager_->closed(who->channel, reason, now_, detail.empty() ? std::string_view(fault) : detail);
}

// A peer that ended the connection while something was on its way to it may have sent more before: the verdicts of a
// pool count even then.
void shard::lose_after_last_words(const connection::pointer& who, close_reason reason) {
  who->discard_queued(buffers_);
  for (int i = 0; i < last_reads && who->is_open() && !who->lingering && who->wants_input(); ++i) {
    const auto got = who->receive(input_);
    if (got <= 0) break;
    manager_->receive(who->channel, {input_.data(), static_cast<std::size_t>(got)}, now_);
  }
  if (who->is_open() && !who->lingering) lose(who, reason);
}

void shard::linger(const connection::pointer& who) {
  if (who->shut_down_output()) return who->close();
  if (lingering_.size() >= max_lingering) {
    lingering_.front()->close();
    lingering_.erase(lingering_.begin());
  }
  who->lingering = true;
  who->progressed = now_;
  lingering_.push_back(who);
  who->want_output(false);
  who->want_input(true);
}

// --- the manager's requests ---

connection::pointer shard::find(channel_id channel) const {
  const auto found = connections_.find(channel);
  return found != connections_.end() ? found->second : nullptr;
}

void shard::send(channel_id channel, std::string_view bytes) {
  const auto found = connections_.find(channel);
  if (found == connections_.end()) return;
  connection& to = *found->second;
  if (to.unsent().empty()) to.progressed = now_;
  to.queue(bytes, buffers_);
  hand_out(found->second);
}

// At the end of the wake-up.
void shard::hand_out(const connection::pointer& to) {
  if (!std::exchange(to->dirty, true)) dirty_.push_back(to);
}

void shard::close(channel_id channel, close_reason reason) {
  if (const auto dial = dials_.find(channel); dial != dials_.end()) {
    dial->second->cancel();
    dials_.erase(dial);
    return;
  }
  const auto who = find(channel);
  if (!who) return;
  if (who->peer() == side::miner && is_offence(reason)) {
    const auto from = who->announced ? result<endpoint>(*who->announced) : endpoint::peer_of(who->native());
    if (from) common_.offended.note(from->host(), now_);
  }
  connections_.erase(channel);
  const bool failed = static_cast<bool>(who->send_queued(buffers_, now_));
  who->discard_queued(buffers_);
  if (failed)
    who->close();
  else
    linger(who);
}

void shard::connect(channel_id channel, const session::destination& to) {
  const auto attempt = std::make_shared<dialer>(*this, io_.get_executor(), channel, to);
  dials_.emplace(channel, attempt);
  attempt->start(now_);
}

void shard::set_reading(channel_id channel, bool enabled) {
  const auto who = find(channel);
  if (!who) return;
  who->want_input(enabled);
  if (enabled) read_on(who);
}

void shard::find_account(session::lookup_id lookup, std::string_view name) {
  common_.accounts.find(name, [mail = mail_, lookup](account_lookup found) {
    mail->post([lookup, found = std::move(found)](shard& self) mutable { self.account_found(lookup, std::move(found)); });
  });
}

void shard::find_session(session::lookup_id lookup, std::string_view id) {
  common_.sessions->claim(std::string(id), [mail = mail_, lookup](std::optional<session_record> found) {
    mail->post([lookup, found = std::move(found)](shard& self) { self.session_found(lookup, found); });
  });
}

bool shard::check_share(session::check_id check, session::proof_request what) {
  return common_.checks.check(std::move(what), [mail = mail_, check](const result<algorithm::proof>& outcome) {
    mail->post([check, outcome](shard& self) { self.share_checked(check, outcome); });
  });
}

void shard::hand_over(channel_id channel, unsigned to, session::handover what) {
  const auto who = find(channel);
  if (!who) return;
  connections_.erase(channel);
  migrant leaving;
  if (who->send_queued(buffers_, now_)) {
    who->discard_queued(buffers_);
    return who->close();
  }
  leaving.unsent = who->unsent();
  who->discard_queued(buffers_);
  leaving.place = who->release_place();
  leaving.announced = std::move(who->announced);
  leaving.tls = who->release_tls();
  leaving.socket = who->release();
  leaving.what = std::move(what);
  common_.mailboxes[to]->post([leaving = std::move(leaving)](shard& self) mutable { self.arrive(std::move(leaving)); });
}

// --- mail ---

void shard::account_found(session::lookup_id lookup, account_lookup found) {
  manager_->account_found(lookup, std::move(found), now_);
}

void shard::session_found(session::lookup_id lookup, const std::optional<session_record>& found) {
  manager_->session_found(lookup, found, now_);
}

void shard::account_changed(const std::string& name, std::shared_ptr<const account> now_is) {
  manager_->account_changed(name, std::move(now_is), now_);
}

bool shard::disconnect(std::string_view worker, std::string_view words) { return manager_->disconnect(worker, words, now_); }

move_outcome shard::move_worker(std::string_view worker, std::shared_ptr<const account> to) {
  return manager_->move_worker(worker, std::move(to), now_);
}

void shard::bans_changed(std::shared_ptr<const ban_list> bans) {
  bans_ = bans && !bans->is_empty() ? std::move(bans) : nullptr;
  session::ban_lookup look_up;
  if (bans_) {
    look_up = [list = bans_](std::string_view address, std::string_view account) {
      return account.empty() ? list->of_address(address) : list->of_account(account);
    };
  }
  manager_->bans_changed(std::move(look_up), now_);
}

// Who has left more unread than is allowed from now on gets the time of one who reads nothing.
void shard::set_options(const options& now_are) {
  former_output_ = {output_limit(side::miner), output_limit(side::pool)};
  manager_->set_options(now_are);
  former_output_until_ = now_ + config().limits.output_blocked;
  set_sweep_interval();
}

void shard::set_sweep_interval() {
  const auto shortest = std::min({config().limits.idle, config().limits.output_blocked, config().upstream.connect_timeout});
  sweep_interval_ = std::clamp<duration>(shortest / 8, max_tick, max_sweep);
}

std::size_t shard::output_limit(side peer) const noexcept {
  const bool is_miner = peer == side::miner;
  const std::size_t limit = is_miner ? config().limits.output_bytes : config().upstream.output_bytes;
  if (now_ >= former_output_until_) return limit;
  return std::max(limit, is_miner ? former_output_.first : former_output_.second);
}

void shard::certificate_changed(std::shared_ptr<const tls_certificate> now_is) { certificate_ = std::move(now_is); }

void shard::name_resolved(channel_id channel, const std::vector<endpoint>& found) {
  if (const auto dial = dials_.find(channel); dial != dials_.end()) std::shared_ptr(dial->second)->resolved(found, now_);
}

void shard::share_checked(session::check_id check, const result<algorithm::proof>& outcome) {
  manager_->share_checked(check, outcome, now_);
}

void shard::drain(shard_task done) {
  stop_accepting();
  close_unannounced();
  // What has arrived but was not read yet is taken, too: each has its turn, but somebody may send without end.
  for (std::size_t turns = connections_.size() / poller::at_once + 1; turns > 0 && serve_ready(); --turns) {
  }
  manager_->drain(now_);
  drain_waiters_.push_back(std::move(done));
}

metrics::snapshot shard::snapshot(metrics::scope what) const {
  auto taken = manager_->snapshot(now_, what);
  add_own_events(taken);
  return taken;
}

void shard::take_snapshot(session::partial_snapshot part, std::promise<metrics::snapshot> answer) {
  if (manager_->add_piece(part, now_)) {
    add_own_events(part.taken);
    return answer.set_value(std::move(part.taken));
  }
  const auto pause = std::make_shared<asio::steady_timer>(io_, snapshot_pause);
  pause->async_wait([self = shared_from_this(), pause, part = std::move(part), answer = std::move(answer)](const asio::error_code& error) mutable {
    if (!error) self->wake_up([&] { self->take_snapshot(std::move(part), std::move(answer)); });
  });
}

void shard::add_own_events(metrics::snapshot& to) const {
  to.events.push_back({"connections_refused", "reason", "limit", refused_});
  to.events.push_back({"connections_refused", "reason", "banned", banned_});
  to.events.push_back({"connections_refused", "reason", "proxy_header", without_header_});
  to.events.push_back({"descriptors_exhausted", "", "", exhaustions_});
}

void shard::stop() {
  stopped_ = true;
  stop_accepting();
  close_unannounced();
  timer_.cancel();
  if (mail_ready_.is_open()) mail_ready_.release();
  if (connections_ready_.is_open()) connections_ready_.release();
  for (const auto& [channel, who] : connections_) who->close();
  for (const auto& [channel, attempt] : dials_) attempt->cancel();
  for (const auto& who : lingering_) who->close();
  connections_.clear();
  dials_.clear();
  lingering_.clear();
  drain_waiters_.clear();
}

// One wake-up for all that is ready: the shares that came over many connections go up a shared link in one write. But a job for
// thousands of workers does not wait in memory for the next one.
bool shard::serve_ready() {
  bool was_any = false;
  poller_.poll();
  for (auto ready = poller_.next(); ready.who; ready = poller_.next()) {
    was_any = true;
    on_ready(ready.who, ready.events);
    if (dirty_.size() >= most_unsettled) settle();
  }
  return was_any;
}

void shard::await_connections() {
  connections_ready_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const asio::error_code& error) {
    if (error || self->stopped_) return;
    self->wake_up([&] { self->serve_ready(); });
    if (!self->stopped_) self->await_connections();
  });
}

void shard::await_mail() {
  mail_ready_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const asio::error_code& error) {
    if (error || self->stopped_) return;
    self->wake_up([&] {
      self->mail_->take(self->letters_);
      for (shard_task& letter : self->letters_) {
        if (self->stopped_) break;
        letter(*self);
      }
      self->letters_.clear();
    });
    if (!self->stopped_) self->await_mail();
  });
}

// --- time ---

void shard::await_tick() {
  const time_point now = steady_clock::now();
  timer_.expires_at(std::clamp<time_point>(manager_->next_deadline(), now + min_tick, now + max_tick));
  timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (error || self->stopped_) return;
    self->on_tick();
    if (!self->stopped_) self->await_tick();
  });
}

void shard::on_tick() {
  wake_up([this] {
    for (const auto& from : listeners_) from->tick(now_);
    manager_->tick(now_);
    while (!unannounced_.empty() && now_ - unannounced_.front()->heard >= config().limits.first_message)
      turn_away(unannounced_.front(), "its PROXY header did not come in time");
    std::erase_if(lingering_, [this](const connection::pointer& who) {
      if (now_ - who->progressed >= linger_limit) who->close();
      return !who->is_open();
    });
    if (now_ < next_sweep_) return;
    next_sweep_ = now_ + sweep_interval_;
    sweep();
  });
}

// Collected first: the manager may open and close anything while it is told of the ends.
void shard::sweep() {
  std::vector<connection::pointer> overdue;
  for (const auto& [channel, who] : connections_) {
    const bool blocked = !who->unsent().empty() && now_ - who->progressed >= config().limits.output_blocked;
    const bool silent = who->peer() == side::miner && now_ - who->heard >= config().limits.idle;
    if (blocked || silent) overdue.push_back(who);
  }
  for (const auto& who : overdue) sweep_connection(who);
  std::vector<std::shared_ptr<dialer>> attempts;
  for (const auto& [channel, attempt] : dials_) attempts.push_back(attempt);
  for (const auto& attempt : attempts) attempt->tick(now_);
}

void shard::sweep_connection(const connection::pointer& who) {
  if (!who->is_open() || who->lingering) return;
  if (!who->unsent().empty() && now_ - who->progressed >= config().limits.output_blocked)
    return lose(who, close_reason::slow_reader);
  const duration silence = who->since_acknowledgement();
  if (silence >= config().limits.idle) return lose(who, close_reason::idle);
  who->heard = now_ - silence;
}

}  // namespace stratumproxy::net
