#include "session/upstream_session.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "stratumproxy/version.hpp"

namespace stratumproxy::session {
namespace {

constexpr std::size_t max_text = 256;        // of a pool's words, towards a miner and in logs
constexpr unsigned max_bad_jobs = 10;        // in a row
constexpr unsigned max_bad_lines = 10;       // in a row
constexpr unsigned max_silent_verdicts = 3;  // in a row
constexpr auto suggestion_pause = std::chrono::seconds(10);
constexpr auto redirect_pause = std::chrono::minutes(1);

}  // namespace

upstream_session::upstream_session(link_id id, std::shared_ptr<const account> owner, std::size_t route,
                                   std::shared_ptr<route_state> its_route, mining_rules rules, std::string login,
                                   broadcast_job& pool_job, services& shard, events& listener)
    : framer(shard.config.upstream.line_bytes),
      at(std::move(its_route)),
      id_(id),
      owner_(std::move(owner)),
      route_(route),
      rules_(std::move(rules)),
      login_(std::move(login)),
      pool_name_(owner_->routes[route].pool.name()),
      credential_(credential_of(owner_->routes[route])),
      pool_job_(pool_job),
      shard_(shard),
      listener_(listener) {
  refusal_key = credential_;
}

std::string upstream_session::credential_of(const account_route& route) {
  return route.pool.name() + '\n' + route.user + '\n' + route.password;
}

void upstream_session::enter(metrics::link_state state) {
  if (state_ == state) return;
  if (is_live()) --at->live;
  state_ = state;
  if (is_live()) ++at->live;
  if (shard_.sink) shard_.sink->on_link(pool_name_, owner_->name, state);
}

destination upstream_session::take_destination() {
  const auto& pool = route().pool;
  auto [host, port] = std::exchange(redirect_, std::nullopt).value_or(std::pair(pool.host, pool.port));
  return {.host = std::move(host), .port = port, .tls = pool.tls};
}

// ---- connection ----------------------------------------------------------------------------------------------------

void upstream_session::connecting(channel_id channel, time_point now) {
  channel_ = channel;
  started_ = now;
  enter(metrics::link_state::connecting);
}

void upstream_session::connected(time_point now) {
  enter(metrics::link_state::handshaking);
  started_ = heard_ = now;
  framer = protocol::line_framer(shard_.config.upstream.line_bytes);
  if (!next_login_.empty()) login_ = std::exchange(next_login_, {});
  logins_asked_ = 0;
  first_id_ = 1;
  pending_.clear();
  unanswered_ = 0;
  configure_outstanding_ = subscribed_ = authorized_ = false;
  subscribe_attempts_ = bad_jobs_ = bad_lines_ = silent_verdicts_ = 0;
  version_mask_ = 0;
  job_.reset();
  for (auto& rig : rig_logins_) rig.is_good = false;
  if (wants_rolling_) {
    configure_outstanding_ = true;
    protocol::encode_configure_request(shard_.out, ask(request::configure, now), shard_.config.session.version_mask);
  }
  subscribe(now);
  shard_.flush(*channel_);
}

void upstream_session::lost(time_point now) {
  channel_.reset();
  framer = protocol::line_framer(shard_.config.upstream.line_bytes);
  if (state_ != metrics::link_state::refused) enter(metrics::link_state::failing);
  auto unanswered = std::exchange(pending_, {});
  unanswered_ = 0;
  for (std::size_t i = 0; i < unanswered.size(); ++i) {
    const auto& entry = unanswered[i];
    if (entry.what != request::share || entry.answered || entry.expired) continue;
    listener_.link_verdict(*this, entry.share, {.text = "share state unknown"}, now);
  }
}

void upstream_session::fail(close_reason reason, std::string_view detail, time_point now) {
  listener_.link_failed(*this, reason, detail, now);
}

void upstream_session::tick(time_point now) {
  const auto& config = shard_.config.upstream;
  if (state_ == metrics::link_state::handshaking) {
    if (configure_outstanding_ && now - started_ >= config.configure_timeout) configured(0, now);
    if (state_ == metrics::link_state::handshaking && now - started_ >= config.handshake_timeout) {
      return fail(close_reason::timed_out, "the pool did not finish the handshake in time", now);
    }
  }
  suggest_difficulty(wish_, now);
  if (is_live() && now - heard_ >= config.silence) return fail(close_reason::pool_silent, "no line for too long", now);
  if (state_ == metrics::link_state::live && now - std::max(job_heard_, live_since_) >= shard_.config.failover.no_job) {
    enter(metrics::link_state::silent);
    listener_.link_silent(*this, now);
  }
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    auto& entry = pending_[i];
    const auto age = now - entry.sent;
    // Pools that do not know a request often never answer it; and a verdict that is this late does not come.
    if (entry.what != request::share && age >= config.handshake_timeout && !std::exchange(entry.answered, true) &&
        entry.what == request::login) {
      login_answered(false);
    }
    if (entry.expired && age >= 3 * config.verdict_timeout) entry.answered = true;
    if (entry.what != request::share || entry.answered || entry.expired || age < config.verdict_timeout) continue;
    entry.expired = true;
    --unanswered_;
    if (entry.sent >= std::max(answered_until_, works_since_)) ++silent_verdicts_;
    listener_.link_verdict(*this, entry.share, {.text = "share state unknown: no verdict in time"}, now);
  }
  drop_answered();
  hand_on_checks(now);
  settle_checks(now);
  if (channel_ && silent_verdicts_ >= max_silent_verdicts) {
    return fail(close_reason::pool_silent, "no verdict for several shares in a row", now);
  }
  const auto has_waited = [&](const kept_share& p) { return now - p.share.received >= config.share_wait; };
  while (!parked_.empty() && has_waited(parked_.front())) {
    const auto first = std::move(parked_.front());
    parked_.erase(parked_.begin());
    reject(first.view(), connection_lost, now);
  }
}

// ---- the pool's lines ----------------------------------------------------------------------------------------------

void upstream_session::receive_line(std::span<char> line, time_point now) {
  heard_ = now;
  const auto coinb1_index = route().pool.coinb1_index;
  const std::string_view text(line.data(), line.size());
  if (const auto job = pool_job_.find(text, coinb1_index)) {
    bad_lines_ = 0;
    return new_job(job, now);
  }
  pool_job_.expect(text, coinb1_index);
  auto message = shard_.decoder.decode_pool(line, coinb1_index);
  if (!message) {
    shard_.events.count(happening::pool_message_refused);
    // Who says this before the handshake is over is no pool; a pool may stumble once.
    if (!is_live() || ++bad_lines_ >= max_bad_lines) {
      fail(close_reason::protocol_error, message.error().message(), now);
    }
    return;
  }
  bad_lines_ = 0;

  struct handler {
    upstream_session& link;
    std::string_view id;
    time_point now;

    void operator()(const protocol::pool_response& m) const { link.answered(m, now); }
    void operator()(protocol::job& m) const { link.new_job(link.pool_job_.read(std::move(m)), now); }
    void operator()(const protocol::set_difficulty& m) const {
      if (m.value == link.difficulty_) return;
      link.difficulty_ = m.value;
      if (link.is_live()) link.listener_.link_difficulty(link, now);
    }
    void operator()(const protocol::set_extranonce& m) const { link.set_extranonce(m.extranonce1, m.extranonce2_size); }
    void operator()(const protocol::set_version_mask& m) const {
      link.version_mask_ = m.mask & link.shard_.config.session.version_mask;
      if (link.is_live()) link.listener_.link_mask(link, now);
    }
    void operator()(const protocol::show_message& m) const {
      link.listener_.link_message(link, link.words(m.text));
    }
    void operator()(const protocol::reconnect& m) const { link.asked_to_reconnect(m, now); }
    void operator()(const protocol::get_version&) const {
      if (id != "null") protocol::encode_text_result(link.shard_.out, id, std::string("stratumproxy/") + version());
    }
    void operator()(const protocol::ping&) const {
      if (id != "null") protocol::encode_text_result(link.shard_.out, id, "pong");
    }
    void operator()(const protocol::bad_message& m) const {
      link.bad_message(m.method, m.method == "mining.notify", now);
    }
    void operator()(const protocol::unknown_method&) const {
      link.shard_.events.count(happening::pool_request_refused);
      if (id != "null") protocol::encode_error(link.shard_.out, id, 20, "unsupported method");
    }
  };
  const auto channel = channel_;
  std::visit(handler{*this, message->id, now}, message->body);
  if (channel) shard_.flush(*channel);
}

std::string upstream_session::words(std::string_view text) const {
  auto clean = protocol::printable(text, max_text);
  // Some pools say which password it was that they refused. Shorter ones ("x") are no secrets, but parts of words.
  const auto& password = route().password;
  constexpr std::size_t shortest_secret = 4;
  if (password.size() < shortest_secret) return clean;
  for (auto at = clean.find(password); at != std::string::npos; at = clean.find(password, at)) {
    clean.replace(at, password.size(), "***");
  }
  return clean;
}

void upstream_session::bad_message(std::string_view what, bool is_job, time_point now) {
  shard_.events.count(happening::pool_message_refused);
  const auto method = protocol::printable(what, 64);
  shard_.log({.level = log_level::warning, .event = "pool_message_refused", .account = owner_->name, .pool = pool_name_,
              .detail = method});
  if (is_job && ++bad_jobs_ >= max_bad_jobs) fail(close_reason::protocol_error, "ten unusable jobs in a row", now);
}

void upstream_session::new_job(std::shared_ptr<const protocol::job> job, time_point now) {
  bad_jobs_ = 0;
  job_heard_ = now;
  if (is_silent()) {
    works_since_ = now;
    enter(metrics::link_state::live);
  }
  const bool repeated = last_job_ && (last_job_ == job || last_job_->same_work(*job));
  job_ = last_job_ = std::move(job);
  if (!repeated) {
    job_received_ = now;
    ntime_ahead_ = 0;
    auto& record = jobs_.add();
    record.pool_id = job_->pool_id;
    record.extranonce1 = extranonce1_;
    record.version = job_->version;
    record.work = rules_.how ? pool_job_.work(job_) : nullptr;
    if (lanes_) lanes_->new_job();
  }
  jobs_.newest().difficulty = difficulty_;
  if (!is_live()) return;
  announce_layout(now);
  listener_.link_job(*this, repeated, now);
}

void upstream_session::set_extranonce(std::string_view extranonce1, unsigned size) {
  if (extranonce1_ == extranonce1 && extranonce2_size_ == size) return;
  // It counts from the next job on: the current one is of no use for a worker that comes later.
  extranonce1_ = extranonce1;
  extranonce2_size_ = size;
  layout_changed();
}

void upstream_session::layout_changed() {
  job_.reset();
  last_job_.reset();
  is_layout_new_ = true;
  lanes_.emplace(extranonce2_size_, max_workers());
}

void upstream_session::announce_layout(time_point now) {
  if (std::exchange(is_layout_new_, false)) listener_.link_layout(*this, now);
}

void upstream_session::asked_to_reconnect(const protocol::reconnect& where, time_point now) {
  const bool elsewhere = !where.host.empty() && where.host != route().pool.host;
  const bool too_soon = redirected_at_ && now - *redirected_at_ < redirect_pause;
  if (too_soon || (elsewhere && !may_redirect(route().pool, where.host))) {
    shard_.events.count(happening::reconnect_refused);
    const auto host = protocol::printable(where.host, 64);
    shard_.log({.level = log_level::warning, .event = "reconnect_refused", .account = owner_->name, .pool = pool_name_,
                .detail = host});
    return;
  }
  redirected_at_ = now;
  redirect_.emplace(where.host.empty() ? route().pool.host : std::string(where.host),
                    where.port == 0 ? route().pool.port : where.port);
  fail(close_reason::reconnect_asked, "the pool asked for it", now);
}

// ---- requests and their answers --------------------------------------------------------------------------------------

std::uint64_t upstream_session::ask(request what, time_point now) {
  auto& entry = pending_.push_back({});
  entry.what = what;
  entry.sent = now;
  return first_id_ + pending_.size() - 1;
}

void upstream_session::subscribe(time_point now) {
  // Pools that do not know one of the parameters answer with an error; cgminer then asks again with fewer.
  const std::string agent = subscribe_attempts_ < 2 ? std::string("stratumproxy/") + version() + " (" + shard_.instance + agent_chain + ")"
                                                    : std::string();
  if (subscribe_attempts_ > 0) session_.clear();
  ++subscribe_attempts_;
  protocol::encode_subscribe_request(shard_.out, ask(request::subscribe, now), agent, session_);
}

void upstream_session::drop_answered() {
  while (!pending_.empty() && pending_.front().answered) {
    pending_.pop_front();
    ++first_id_;
  }
}

void upstream_session::answered(const protocol::pool_response& response, time_point now) {
  const bool asked = response.id && *response.id >= first_id_ && *response.id - first_id_ < pending_.size();
  if (!asked || pending_[*response.id - first_id_].answered) {
    shard_.events.count(happening::verdict_unmatched);
    return;
  }
  auto& entry = pending_[*response.id - first_id_];
  entry.answered = true;
  switch (entry.what) {
    case request::share: answered_share(entry, response, now); break;
    case request::subscribe: subscribed(response, now); break;
    case request::authorize: authorized(response, now); break;
    case request::login: login_answered(response.succeeded()); break;
    case request::rig_login: rig_logins_[entry.login - 1].is_good = response.succeeded(); break;
    case request::configure: configured(shard_.decoder.as_configure_result().mask, now); break;
    case request::extranonce:
    case request::suggestion: break;  // a pool that does not know them goes on without
  }
  drop_answered();
}

void upstream_session::answered_share(pending& entry, const protocol::pool_response& response, time_point now) {
  silent_verdicts_ = 0;
  answered_until_ = std::max(answered_until_, entry.sent);
  if (entry.expired) return listener_.link_late_verdict(*this);
  --unanswered_;
  using outcome = metrics::share_record::verdict;
  const auto share = entry.share;
  const double round_trip = std::chrono::duration<double>(now - share.received).count();
  round_trip_ += round_trip_ == 0 ? round_trip : (round_trip - round_trip_) / 16;
  if (response.accepts()) return listener_.link_verdict(*this, share, {.outcome = outcome::accepted}, now);

  const auto text = words(response.error_text);
  verdict how{.outcome = outcome::rejected, .code = response.error_code, .text = text};
  if (response.has_error || response.result == protocol::pool_response::kind::false_) {
    how.reason = classify(response.error_code, text);
    if (text.empty()) how.text = "rejected by the pool";
  } else {
    how.reason = metrics::reject_reason::malformed_reply;
    how.code = 20;
    how.text = "the pool's answer was neither yes nor no";
  }
  listener_.link_verdict(*this, share, how, now);
}

void upstream_session::subscribed(const protocol::pool_response& response, time_point now) {
  if (subscribed_) return;
  if (!response.succeeded()) {
    if (subscribe_attempts_ < 3) return subscribe(now);
    const auto text = words(response.error_text);
    return fail(close_reason::protocol_error, "the pool refused to subscribe: " + text, now);
  }
  const auto result = shard_.decoder.as_subscribe_result();
  if (!result) return fail(close_reason::protocol_error, "unusable answer to subscribe", now);
  if (extranonce1_ != result->extranonce1 || extranonce2_size_ != result->extranonce2_size) {
    // Another extranonce: what was mined for the old one is void.
    extranonce1_ = result->extranonce1;
    extranonce2_size_ = result->extranonce2_size;
    jobs_.clear();
    auto early = std::exchange(job_, nullptr);  // some pools say their job before this answer
    layout_changed();
    if (early) new_job(std::move(early), now);
    reject_parked(connection_lost, now);
    reject_checking(connection_lost, now);
  }
  session_ = result->session.substr(0, max_text);
  subscribed_ = true;
  protocol::encode_authorize_request(shard_.out, ask(request::authorize, now), login_, route().password);
  protocol::encode_extranonce_subscribe_request(shard_.out, ask(request::extranonce, now));
}

void upstream_session::authorized(const protocol::pool_response& response, time_point now) {
  if (!response.succeeded()) {
    const auto text = words(response.error_text);
    enter(metrics::link_state::refused);
    return listener_.link_refused(*this, text.empty() ? "no reason given" : text, now);
  }
  authorized_ = true;
  become_live_if_ready(now);
}

void upstream_session::configured(std::uint32_t mask, time_point now) {
  configure_outstanding_ = false;
  version_mask_ = mask & shard_.config.session.version_mask;
  if (is_live()) return listener_.link_mask(*this, now);
  become_live_if_ready(now);
}

void upstream_session::become_live_if_ready(time_point now) {
  if (state_ != metrics::link_state::handshaking || !subscribed_ || !authorized_ || configure_outstanding_) return;
  live_since_ = works_since_ = now;
  enter(metrics::link_state::live);
  send_parked(now);
  shard_.flush(*channel_);
  suggested_ = 0;
  suggested_at_ = {};
  suggest_difficulty(wish_, now);
  if (!next_login_.empty()) request_login(now);
  for (std::uint32_t number = 1; number <= rig_logins_.size(); ++number) request_rig_login(number, now);
  announce_layout(now);
  listener_.link_live(*this, now);
}

void upstream_session::request_version_rolling(time_point now) {
  if (std::exchange(wants_rolling_, true)) return;
  if (state_ != metrics::link_state::handshaking && !is_live()) return;
  configure_outstanding_ = !is_live();
  protocol::encode_configure_request(shard_.out, ask(request::configure, now), shard_.config.session.version_mask);
  shard_.flush(*channel_);
}

void upstream_session::change_login(std::string login, time_point now) {
  if (login == (next_login_.empty() ? login_ : next_login_)) return;
  next_login_ = std::move(login);
  if (is_live()) request_login(now);
}

void upstream_session::request_login(time_point now) {
  ++logins_asked_;
  protocol::encode_authorize_request(shard_.out, ask(request::login, now), next_login_, route().password);
  shard_.flush(*channel_);
}

void upstream_session::login_answered(bool good) {
  if (--logins_asked_ > 0) return;  // a newer one is under way
  if (good) login_ = next_login_;
  next_login_.clear();
}

std::uint32_t upstream_session::add_login(std::string login, time_point now) {
  constexpr std::size_t most = 1'024;  // rigs that came and went on one link
  if (login == login_) return 0;
  const auto known = std::find_if(rig_logins_.begin(), rig_logins_.end(), [&](const rig_login& rig) { return rig.login == login; });
  if (known != rig_logins_.end()) return static_cast<std::uint32_t>(known - rig_logins_.begin()) + 1;
  if (rig_logins_.size() >= most) return 0;
  rig_logins_.push_back({std::move(login)});
  const auto number = static_cast<std::uint32_t>(rig_logins_.size());
  if (is_live()) request_rig_login(number, now);
  return number;
}

void upstream_session::request_rig_login(std::uint32_t number, time_point now) {
  const auto id = ask(request::rig_login, now);
  pending_[pending_.size() - 1].login = number;
  protocol::encode_authorize_request(shard_.out, id, rig_logins_[number - 1].login, route().password);
  shard_.flush(*channel_);
}

void upstream_session::suggest_difficulty(double difficulty, time_point now) {
  if (difficulty > 0) wish_ = difficulty;
  // A miner may wish as often as it likes; the pool hears of it now and then.
  if (!is_live() || wish_ == suggested_ || now - suggested_at_ < suggestion_pause) return;
  suggested_ = wish_;
  suggested_at_ = now;
  protocol::encode_suggest_difficulty_request(shard_.out, ask(request::suggestion, now), suggested_);
  shard_.flush(*channel_);
}

// ---- workers and their lanes -----------------------------------------------------------------------------------------

void upstream_session::room_changed() {
  if (lanes_) lanes_->set_max_workers(max_workers());
}

bool upstream_session::enter(worker_id worker, std::string_view mark, unsigned miner_bytes) {
  const auto known = std::find(workers_.begin(), workers_.end(), worker);
  if (known == workers_.end() && !has_room()) return false;
  // Before the pool has said its extranonce there are no lanes; link_layout() then asks for all.
  // So are those of a worker that has not subscribed yet.
  if (lanes_ && !mark.empty() && !lanes_->enter(worker, mark, miner_bytes)) {
    // A scout may have lanes at rest of who mined here before.
    if (is_shared() || mark.size() / 2 + miner_bytes <= extranonce2_size_) {
      if (known != workers_.end()) workers_.erase(known);
      return false;
    }
    lanes_->leave(worker);
  }
  if (known == workers_.end()) workers_.push_back(worker);
  return true;
}

void upstream_session::take_over(worker_id before, worker_id after) {
  std::replace(workers_.begin(), workers_.end(), before, after);
  if (lanes_) (void)lanes_->take_over(before, after);
  jobs_.take_over(before, after);
}

void upstream_session::leave(worker_id worker) {
  std::erase(workers_, worker);
  if (lanes_) lanes_->leave(worker);
}

std::string upstream_session::pad_of(worker_id worker) const {
  return lanes_ ? lanes_->pad(worker).value_or(std::string()) : std::string();
}

const job_form& upstream_session::form_for(worker_id worker, bool again, time_point now) {
  const double difficulty = jobs_.newest().difficulty > 0 ? jobs_.newest().difficulty : difficulty_in_force();
  constexpr std::size_t max_fresh_pads = 16;  // for one worker and job: whoever returns again and again must not use up the lanes
  if (again) {
    std::optional<std::string> fresh;
    if (lanes_ && jobs_.own_forms(worker) < max_fresh_pads) fresh = lanes_->fresh_pad(worker);
    const auto pad = fresh ? *fresh : pad_of(worker);
    auto& form = jobs_.add_form(shard_.next_job_id++);
    form.pad = pad;
    form.only_for = worker;
    form.ntime = job_->ntime;
    if (!fresh || fresh->empty()) {
      const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - job_received_).count();
      ntime_ahead_ = std::max(ntime_ahead_ + 1, static_cast<std::uint32_t>(age));
      form.ntime += ntime_ahead_;
    }
    form.version_mask = version_mask_;
    form.difficulty = difficulty;
    return form;
  }
  const auto pad = pad_of(worker);
  if (const auto* const known = jobs_.common_form(pad, difficulty, version_mask_)) return *known;
  auto& form = jobs_.add_form(shard_.next_job_id++);
  form.pad = pad;
  form.ntime = job_->ntime;
  form.version_mask = version_mask_;
  form.difficulty = difficulty;
  return form;
}

}  // namespace stratumproxy::session
