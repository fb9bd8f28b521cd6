#include "session/downstream_session.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>
#include <variant>

#include "session/login.hpp"

namespace stratumproxy::session {
namespace {

using metrics::reject_reason;
using outcome = metrics::share_record::verdict;

constexpr std::size_t max_agent = 128;
constexpr std::size_t max_proxy_agent = 512;     // names the proxies before it
constexpr std::size_t max_empty_lines = 100;     // in a row
constexpr unsigned max_rolled_without_mask = 10;
constexpr std::uint32_t max_ntime_ahead = 7'200;  // seconds that a miner may roll; ckpool takes 7,000, others 7,200
constexpr auto ratio_window = std::chrono::minutes(1);

[[nodiscard]] bool is_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

// The canonical bytes of a share: written otherwise it is the same share (NOMP and others once took it twice).
[[nodiscard]] std::uint64_t fingerprint(const outgoing_share& share) noexcept {
  std::array<char, 128> bytes{};
  std::size_t size = 0;
  for (const char c : share.prefix) bytes[size++] = c;  // 16 bytes at most with what follows
  for (const char c : share.extranonce2) bytes[size++] = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
  const std::uint32_t numbers[] = {share.ntime, share.nonce, share.version_bits.value_or(0)};
  std::memcpy(bytes.data() + size, numbers, sizeof(numbers));
  return std::hash<std::string_view>{}({bytes.data(), size + sizeof(numbers)});
}

}  // namespace

downstream_session::downstream_session(worker_id id, channel_id channel, std::string peer, std::string address,
                                       services& shard, events& listener, time_point now)
    : accepted_at(now),
      last_sent(now),
      id_(id),
      agent_(shard.agents.none()),
      channel_(channel),
      peer_(std::move(peer)),
      address_(std::move(address)),
      shard_(shard),
      listener_(listener) {}

worker_login& downstream_session::login() {
  if (!login_) login_ = std::make_unique<worker_login>();
  return *login_;
}

difficulty_wishes& downstream_session::wish() {
  if (!wishes_) wishes_ = std::make_unique<difficulty_wishes>();
  return *wishes_;
}

worker_activity& downstream_session::activity() {
  if (!activity_) {
    activity_ = std::make_unique<worker_activity>(worker_activity{.work = worker_work(shard_.config.metrics), .in_flight = {}});
    if (first_job_at_ != time_point::max()) activity_->work.window.start(first_job_at_);
  }
  return *activity_;
}

void downstream_session::add_work(link_id of, double one, time_point now) {
  if (auto* const work = work_on(of)) work->window.add(one, now);
}

// ---- the links it mines on ---------------------------------------------------------------------------------------------

void downstream_session::reset_counts() noexcept {
  if (activity_) activity_->work = worker_work(shard_.config.metrics);
  first_job_at_ = time_point::max();
  if (others_) {
    for (auto& other : *others_) other.work.reset();
  }
}

const std::vector<other_link>& downstream_session::others() const noexcept {
  static const std::vector<other_link> none;
  return others_ ? *others_ : none;
}

other_link* downstream_session::find_other(link_id which) noexcept {
  if (!others_) return nullptr;
  const auto found = std::find_if(others_->begin(), others_->end(), [&](const other_link& other) { return other.link == which; });
  return found == others_->end() ? nullptr : &*found;
}

std::uint32_t downstream_session::login_on(link_id which) noexcept {
  if (link == which) return pool_login;
  const auto* const other = find_other(which);
  return other ? other->pool_login : 0;
}

worker_work* downstream_session::work_on(link_id which) {
  if (link == which) return &activity().work;
  const auto* const other = find_other(which);
  return other ? other->work.get() : nullptr;
}

double downstream_session::hashrate(time_point now) const noexcept {
  double sum = activity_ ? activity_->work.window.hashrate(now) : 0;
  for (const auto& other : others()) {
    if (other.work) sum += other.work->window.hashrate(now);
  }
  return sum;
}

void downstream_session::leave_link() {
  constexpr std::size_t most = 16;
  if (!others_) others_ = std::make_unique<std::vector<other_link>>();
  if (others_->size() >= most) {
    others_->erase(std::find_if(others_->begin(), others_->end(), [](const other_link& other) { return !other.work; }));
  }
  others_->push_back({.link = *link, .job = job, .pool_login = pool_login, .work = nullptr});
  link.reset();
  job = 0;
}

void downstream_session::go_to(link_id to, bool same_labels, bool comes_back) {
  other_link here;
  if (auto* const known = find_other(to)) {
    here = std::move(*known);
    forget_others([&](const other_link& other) { return other.link == to; });
  }
  if (link) {
    leave_link();
    auto& left = others_->back();
    if (comes_back) left.work = std::make_unique<worker_work>(activity_ ? std::move(activity_->work) : worker_work(shard_.config.metrics));
  }
  link = to;
  job = here.job;
  if (here.work) {
    activity().work = std::move(*here.work);
  } else if (comes_back) {
    // The time of all its slices is one: what it does on each pool is a part of it.
    if (activity_) activity_->work = worker_work(shard_.config.metrics);
    if (activity_ && first_job_at_ != time_point::max()) activity_->work.window.start(first_job_at_);
  } else if (!same_labels) {
    if (activity_) activity_->work = worker_work(shard_.config.metrics);
    first_job_at_ = time_point::max();
  }
}

// ---- lines -----------------------------------------------------------------------------------------------------------

bool downstream_session::must_wait() const noexcept {
  const auto limit = shard_.config.limits.in_flight;
  // Answered submits stay in the queue behind one that has no verdict: that must end somewhere, too.
  if (looking_up_ || congested_) return true;
  return activity_ && (activity_->waiting >= limit || activity_->in_flight.size() >= 16 * limit);
}

void downstream_session::receive(std::span<char> bytes, time_point now) {
  framer().feed(bytes);
  process(now);
  keep_unread();
}

void downstream_session::preload(std::span<char> bytes) {
  framer().feed(bytes);
  keep_unread();
}

// Between two calls the shard's framer is empty.
void downstream_session::keep_unread() {
  auto& used = framer();
  used.keep();
  if (!channel_ || used.unread().empty()) {
    kept_.reset();
    shard_.framer.clear();
  } else if (!kept_) {
    kept_ = std::make_unique<protocol::line_framer>(std::exchange(shard_.framer, protocol::line_framer(shard_.config.limits.line_bytes)));
  }
  if (is_mining() && !looking_up_) login_.reset();
}

void downstream_session::resume(time_point now) { receive({}, now); }

std::string downstream_session::unread() const {
  const auto rest = framer().unread();
  return (login_ ? login_->line : std::string()) + '\n' + std::string(rest.data(), rest.size());
}

void downstream_session::process(time_point now) {
  if (!heard_message_) {
    if (const auto intruder = protocol::detect_intruder(framer().unread()); intruder != protocol::intruder::none) {
      shard_.events.count(happening::intruder_refused);
      shard_.out = protocol::refusal(intruder);
      shard_.flush(*channel_);
      return listener_.worker_closes(*this, close_reason::wrong_protocol, protocol::name(intruder), now);
    }
  }
  while (channel_ && !must_wait()) {
    const auto line = framer().next();
    if (!line) return listener_.worker_closes(*this, close_reason::line_too_long, "line too long", now);
    empty_lines_ += static_cast<std::uint32_t>(framer().take_empty_lines());
    if (empty_lines_ > max_empty_lines) return listener_.worker_closes(*this, close_reason::error_budget, "empty lines", now);
    if (line->empty()) return;
    if (!subscribed_) login().line.assign(line->data(), line->size());
    if (shard_.tap) shard_.tap->received(*channel_, *line);
    const auto message = shard_.decoder.decode_miner(*line);
    if (!message) {
      unusable_line(message.error(), now);
      continue;
    }
    empty_lines_ = 0;
    handle(*message, now);
    if (channel_) shard_.flush(*channel_);
    shard_.out.clear();
  }
}

void downstream_session::unusable_line(std::error_code why, time_point now) {
  shard_.events.count(happening::line_refused);
  const bool no_json = why == errc::not_json;
  protocol::encode_error(shard_.out, "null", 20, no_json ? "parse error" : why.message());
  shard_.flush(*channel_);
  if (no_json) return listener_.worker_closes(*this, close_reason::parse_error, "no JSON", now);
  spend_error(now);
}

void downstream_session::spend_error(time_point now) {
  if (++errors_ >= shard_.config.limits.error_budget) {
    listener_.worker_closes(*this, close_reason::error_budget, "too many unusable messages", now);
  }
}

void downstream_session::handle(const protocol::miner_message& message, time_point now) {
  struct handler {
    downstream_session& worker;
    std::string_view id;
    bool silent;  // a notification gets no reply
    time_point now;
    std::string& out;

    void error(int code, std::string_view text) const {
      if (!silent) protocol::encode_error(out, id, code, text);
    }
    void good() const {
      if (!silent) protocol::encode_true(out, id);
    }

    void operator()(const protocol::subscribe& m) const {
      if (!worker.subscribed_) {
        worker.agent_ = worker.shard_.agents.share(
            protocol::printable(m.agent, m.agent.starts_with("stratumproxy/") ? max_proxy_agent : max_agent));
        worker.login().request_id = silent ? std::string_view{} : id;
        worker.looking_up_ = true;
        return worker.listener_.worker_subscribes(worker, m, now);
      }
      if (!silent) worker.encode_subscribed(id);
    }
    void operator()(const protocol::authorize& m) const { worker.authorize(silent ? std::string_view{} : id, m, now); }
    void operator()(const protocol::submit& m) const { worker.submit(silent ? std::string_view{} : id, m, now); }
    void operator()(const protocol::configure& m) const { worker.configure(silent ? std::string_view{} : id, m, now); }
    void operator()(const protocol::suggest_difficulty& m) const {
      if (m.value > 0) {
        worker.wish().suggested = m.value;
        worker.listener_.worker_wishes(worker, now);
      }
      good();
    }
    void operator()(const protocol::suggest_target& m) const {
      worker.login().suggested_target = m.target;
      worker.listener_.worker_wishes(worker, now);
      good();
    }
    void operator()(const protocol::extranonce_subscribe&) const {
      worker.extranonce_subscribed = true;
      good();
    }
    void operator()(const protocol::multi_version&) const {
      // Bitmain's predecessor of version rolling: nothing to agree on.
      if (!silent) protocol::encode_false(out, id);
    }
    void operator()(const protocol::capabilities&) const { good(); }
    void operator()(const protocol::ping&) const {
      if (!silent) protocol::encode_text_result(out, id, "pong");
    }
    void operator()(const protocol::pong&) const {}
    void operator()(const protocol::miner_response&) const { worker.shard_.events.count(happening::miner_response); }
    void operator()(const protocol::foreign_dialect& m) const {
      worker.shard_.events.count(happening::intruder_refused);
      protocol::encode_foreign_refusal(out, m.which, id, "this proxy speaks Stratum V1 of the Bitcoin dialect only");
      worker.shard_.flush(*worker.channel_);
      worker.listener_.worker_closes(worker, close_reason::wrong_protocol, name(m.which), now);
    }
    void operator()(const protocol::malformed& m) const {
      if (m.method == "mining.submit") return worker.submit(silent ? std::string_view{} : id, std::nullopt, now);
      if (m.method == "mining.authorize") {
        worker.login().request_id = silent ? std::string_view{} : id;
        return worker.authorize_answer(false, 24, "unusable login", now);
      }
      worker.shard_.events.count(happening::line_refused);
      error(20, "unusable parameters");
      worker.shard_.flush(*worker.channel_);
      worker.spend_error(now);
    }
    void operator()(const protocol::unknown_method&) const { error(20, "unsupported method"); }
  };
  heard_message_ = true;
  std::visit(handler{*this, message.id, message.notification, now, shard_.out}, message.body);
}

// ---- handshake -------------------------------------------------------------------------------------------------------

void downstream_session::encode_subscribed(std::string_view id) {
  protocol::encode_subscribed(shard_.out, id, session.text(), told_extranonce1, told_extranonce2_size);
}

void downstream_session::subscribe_answer() {
  looking_up_ = false;
  if (!channel_) return;
  subscribed_ = true;
  if (!login().request_id.empty()) encode_subscribed(login().request_id);
  shard_.flush(*channel_);
}

void downstream_session::authorize(std::string_view id, const protocol::authorize& asked, time_point now) {
  login().request_id = id;
  const auto [account, its_rig] = split_login(asked.user);
  if (const auto wanted = difficulty_in(asked.password); wanted > 0) wish().fixed = wanted;
  if (!is_account_name(account)) return authorize_answer(false, 24, "unknown account", now);
  looking_up_ = true;
  listener_.worker_authorizes(*this, account, its_rig, now);
}

void downstream_session::authorize_silently(std::string_view login, time_point now) {
  is_vouched_for = true;
  authorize({}, {.user = login}, now);
}

void downstream_session::authorize_answer(bool good, int code, std::string_view text, time_point now) {
  looking_up_ = false;
  if (!channel_) return;
  if (good) {
    authorized_ = true;
    failed_authorizes_ = 0;
    if (!login().request_id.empty()) protocol::encode_true(shard_.out, login().request_id);
    return shard_.flush(*channel_);
  }
  shard_.events.count(happening::authorize_failed);
  if (!login().request_id.empty()) protocol::encode_rejected(shard_.out, login().request_id, code, text);
  shard_.flush(*channel_);
  const bool try_later = code == 20;
  if (!try_later && ++failed_authorizes_ >= shard_.config.limits.failed_authorizes) {
    listener_.worker_closes(*this, close_reason::login_failed, "too many failed logins", now);
  }
}

void downstream_session::configure(std::string_view id, const protocol::configure& asked, time_point now) {
  if (asked.version_rolling) {
    const bool may = listener_.may_roll(*this, now);
    wanted_mask = may ? asked.mask & shard_.config.session.version_mask : 0;
    version_rolling = wanted_mask != 0;
    told_mask = wanted_mask;
  }
  if (asked.subscribe_extranonce) extranonce_subscribed = true;
  if (asked.minimum_difficulty && asked.minimum_difficulty_value > 0) wish().minimum = asked.minimum_difficulty_value;
  // Before its link is known nobody can promise a minimum; it is honoured all the same where the proxy sets the difficulty.
  if (!id.empty()) protocol::encode_configured(shard_.out, id, asked, told_mask, tuner_.has_value());
  shard_.flush(*channel_);
  listener_.worker_wishes(*this, now);
}

// ---- shares ----------------------------------------------------------------------------------------------------------

void downstream_session::note_rig(const std::string& name) {
  constexpr std::size_t most = 64;
  if (name.empty() || name == rig) return;
  if (!names_) names_ = std::make_unique<further_names>();
  auto& rigs = names_->rigs;
  if (std::find(rigs.begin(), rigs.end(), name) == rigs.end() && rigs.size() < most) rigs.push_back(name);
}

void downstream_session::keep_login() {
  if (!names_) names_ = std::make_unique<further_names>();
  if (names_->former_account.empty()) names_->former_account = owner->name;
}

// Miners send the login they authorized with, the account alone, only the rig, or nothing; never another account's.
bool downstream_session::is_own_name(std::string_view name) const {
  const auto called = split_login(name).account;
  if (name.empty() || is_same_name(called, owner->name) || name == rig) return true;
  if (!names_) return false;
  const bool is_former = !called.empty() && is_same_name(called, names_->former_account);
  return is_former || std::find(names_->rigs.begin(), names_->rigs.end(), name) != names_->rigs.end();
}

// Nothing instead of a share: its parameters could not be used.
void downstream_session::submit(std::string_view id, const std::optional<protocol::submit>& submitted, time_point now) {
  if (!subscribed_ || !authorized_) {
    if (id.empty()) return;
    return subscribed_ ? protocol::encode_error(shard_.out, id, 24, "not authorized")
                       : protocol::encode_error(shard_.out, id, 25, "not subscribed");
  }
  const protocol::submit share = submitted.value_or(protocol::submit{});
  const auto job_id = protocol::parse_job_id(share.job);
  auto* const link_of_job = job_id ? listener_.link_of_job(*this, *job_id) : nullptr;
  const auto entry = link_of_job ? link_of_job->jobs().find(*job_id) : job_table::entry{};
  const auto* const terms = entry ? terms_of(*entry.form) : nullptr;
  activity().last_share = now;
  ticket what{.totals = totals, .own = &activity().work, .divider = divider, .id = id};
  if (terms) {
    what = {.totals = link_of_job->totals, .own = work_on(link_of_job->id()), .difficulty = terms->difficulty,
            .divider = link_of_job->route().pool.divider, .id = id};
  }
  const double one = what.difficulty / what.divider;
  if (what.own) {
    ++what.own->shares.sent;
    what.own->shares.sent_one += one;
  }
  ++what.totals->sent;
  what.totals->sent_one += one;

  const auto bad = [&](int code, std::string_view text, reject_reason reason) { refuse(what, code, text, reason, now); };
  if (!submitted) return bad(20, "unusable parameters", reject_reason::malformed);
  if (!is_own_name(share.worker))
    return bad(24, "not authorized as this worker", reject_reason::unauthorized);
  if (!terms) return bad(21, "job not found", reject_reason::stale);
  if (share.extranonce2.size() != terms->extranonce2_bytes * 2 || !is_hex(share.extranonce2))
    return bad(20, "extranonce2 of the wrong size or no hex", reject_reason::bad_extranonce);
  const auto ntime = protocol::parse_hex32(share.ntime);
  const auto nonce = protocol::parse_hex32(share.nonce);
  if (!ntime || !nonce) return bad(20, "ntime or nonce is not up to 8 hex digits", reject_reason::malformed);
  const auto& form = *entry.form;
  const bool is_judged_here = link_of_job->rules().verify != verify_level::off;
  if (is_judged_here && (*ntime < form.ntime || *ntime - form.ntime > max_ntime_ahead))
    return bad(20, "ntime out of range", reject_reason::bad_time);

  shard_.prefix.clear();
  if (!terms->lane.empty()) shard_.prefix.append(form.pad).append(terms->mark());
  auto& mine = activity();
  outgoing_share out{.worker = id_, .sequence = mine.next_sequence, .difficulty = terms->difficulty, .login = login_on(link_of_job->id()),
                     .prefix = shard_.prefix, .extranonce2 = share.extranonce2, .ntime = *ntime, .nonce = *nonce, .version_bits = {}};
  // Six parameters replace all bits of the pool's mask (BIP 310): what this miner does not roll is as in the job.
  const auto version = entry.job->version & form.version_mask;
  if (terms->version_mask != 0) out.version_bits = version;
  if (share.version_bits) {
    const auto bits = protocol::parse_hex32(*share.version_bits);
    if (!bits) return bad(20, "version bits are not up to 8 hex digits", reject_reason::bad_version);
    if ((*bits & ~terms->version_mask) != 0) {
      bad(20, "version bits outside of the mask", reject_reason::bad_version);
      if (terms->version_mask == 0 && version_rolling && ++mine.rolled_without_mask >= max_rolled_without_mask && channel_) {
        listener_.worker_closes(*this, close_reason::version_mask, "rolls version bits that the pool does not take", now);
      }
      return;
    }
    if (terms->version_mask != 0) out.version_bits = *bits | (version & ~terms->version_mask);
  }
  if (is_judged_here && !entry.job->seen.insert(fingerprint(out))) return bad(22, "duplicate share", reject_reason::duplicate);

  // Its verdict may come from inside of submit().
  ++mine.next_sequence;
  auto& waiting = mine.in_flight.push_back({});
  waiting.sequence = out.sequence;
  waiting.id = id;
  ++mine.waiting;
  watch_ratio(false, now);
  if (link_of_job->submit(entry, out, now)) return;
  mine.in_flight.pop_back();
  --mine.waiting;
  --mine.next_sequence;
  bad(21, "job not found: no pool to take it", reject_reason::no_pool);
}

void downstream_session::refuse(const ticket& share, int code, std::string_view text, reject_reason reason, time_point now) {
  if (share.own) ++share.own->shares.rejected[static_cast<std::size_t>(reason)];
  ++share.totals->rejected[static_cast<std::size_t>(reason)];
  auto& mine = activity();
  const auto earlier_waits = [&] {
    for (std::size_t i = 0; i < mine.in_flight.size(); ++i) {
      if (!mine.in_flight[i].is_answered && mine.in_flight[i].id == share.id) return true;
    }
    return false;
  };
  if (earlier_waits()) {
    // Miners that give every submit the same id tell the answers apart by their order alone.
    auto& entry = mine.in_flight.push_back({});
    entry.sequence = mine.next_sequence++;
    entry.id = share.id;
    entry.is_judged = true;
    entry.how = {.outcome = outcome::rejected, .reason = reason, .code = code};
    entry.text = text;
    ++mine.waiting;
  } else if (!share.id.empty()) {
    protocol::encode_error(shard_.out, share.id, code, text);
    shard_.flush(*channel_);
  }
  listener_.share_ended(*this, {.outcome = outcome::rejected, .reason = reason, .code = code, .text = text}, share.difficulty,
                        duration{0});
  watch_ratio(reason != reject_reason::stale && reason != reject_reason::no_pool, now);
}

void downstream_session::share_verdict(const judged_share& share, const verdict& how, link_id of, double of_divider, time_point now) {
  auto& mine = activity();
  if (auto* const work = work_on(of)) {
    auto& shares = work->shares;
    switch (how.outcome) {
      case outcome::accepted:
        ++shares.accepted;
        shares.accepted_one += share.difficulty / of_divider;
        work->window.add(share.difficulty / of_divider, now);
        if (tuner_ && link == of && tuner_->share(share.difficulty, now)) is_retuned_ = true;
        if (how.is_local) break;
        ++shares.pool_accepted;
        shares.pool_accepted_one += share.pool_difficulty / of_divider;
        break;
      case outcome::rejected: ++shares.rejected[static_cast<std::size_t>(how.reason)]; break;
      case outcome::unknown: ++shares.unknown; break;
    }
  }
  auto& in_flight = mine.in_flight;
  if (in_flight.empty() || !channel_ || share.worker != id_) return;
  if (how.is_local && how.reason == reject_reason::low_difficulty && how.outcome == outcome::rejected) {
    if (mine.ratio_submits > 0) --mine.ratio_submits;  // it was counted as a good one when it came
    watch_ratio(true, now);
    if (!channel_) return;
  }
  const std::uint32_t index = share.sequence - in_flight.front().sequence;
  if (index >= in_flight.size()) return;
  auto& judged = in_flight[index];
  judged.is_judged = true;
  judged.how = how;
  const auto same_id_waits = [&] {
    for (std::uint32_t i = 0; i < index; ++i) {
      if (!in_flight[i].is_answered && in_flight[i].id == judged.id) return true;
    }
    return false;
  };
  if (same_id_waits()) {
    judged.text = how.text;
    return;
  }
  answer(judged);
  judged.is_answered = true;
  --mine.waiting;
  for (std::uint32_t i = index + 1; i < in_flight.size(); ++i) {
    auto& next = in_flight[i];
    if (next.is_answered || next.id != judged.id) continue;
    if (!next.is_judged) break;
    next.how.text = next.text;
    answer(next);
    next.is_answered = true;
    --mine.waiting;
  }
  while (!in_flight.empty() && in_flight.front().is_answered) in_flight.pop_front();
  shard_.flush(*channel_);
}

void downstream_session::answer(const awaited_submit& share) {
  if (share.id.empty()) return;
  if (share.how.outcome == outcome::accepted) return protocol::encode_true(shard_.out, share.id);
  protocol::encode_error(shard_.out, share.id, share.how.code, share.how.text);
}

void downstream_session::watch_ratio(bool invalid, time_point now) {
  auto& mine = activity();
  const auto& limits = shard_.config.limits;
  if (now - mine.ratio_since >= ratio_window) {
    mine.ratio_since = now;
    mine.ratio_submits = mine.ratio_invalid = 0;
  }
  ++mine.ratio_submits;
  if (invalid) ++mine.ratio_invalid;
  if (invalid && channel_ && mine.ratio_submits >= limits.invalid_minimum &&
      std::uint64_t{mine.ratio_invalid} * 100 > std::uint64_t{mine.ratio_submits} * limits.invalid_ratio_percent) {
    listener_.worker_closes(*this, close_reason::invalid_shares, "too many invalid shares", now);
  }
}

// ---- the life of the session -----------------------------------------------------------------------------------------

void downstream_session::disconnected(time_point now) {
  channel_.reset();
  is_served = false;
  looking_up_ = false;
  left_at = now;
  if (activity_) {
    activity_->in_flight.clear();
    activity_->waiting = 0;
  }
  kept_.reset();
  login_.reset();
}

void downstream_session::recall(double its_difficulty) {
  wish().recalled = its_difficulty;
  if (tuner_) recall_tuner();
}

void downstream_session::take_over(downstream_session& before) {
  told_difficulty = before.told_difficulty;
  job = before.job;
  terms_ = std::move(before.terms_);
  tuner_ = before.tuner_;
  is_tuned_ = before.is_tuned_;
  if (rig.empty()) rig = before.rig;
  activity_ = std::move(before.activity_);
  if (activity_) {
    // These are another connection's.
    activity_->work.shares = {};
    activity_->in_flight.clear();
    activity_->waiting = 0;
  }
  others_ = std::move(before.others_);
  if (others_) {
    for (auto& other : *others_) {
      if (other.work) other.work->shares = {};
    }
  }
  first_job_at_ = before.first_job_at_;
  link = std::exchange(before.link, std::nullopt);
  next_link = std::exchange(before.next_link, std::nullopt);
  next_cause = before.next_cause;
  home = before.home;
  came_at = before.came_at;
  if (!before.wishes_) return;
  auto& mine = wish();
  mine.heard = before.wishes_->heard;
  if (mine.suggested == 0) mine.suggested = before.wishes_->suggested;
  if (mine.minimum == 0) mine.minimum = before.wishes_->minimum;
  if (mine.fixed == 0) mine.fixed = before.wishes_->fixed;
}

}  // namespace stratumproxy::session
