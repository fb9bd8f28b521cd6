#include "miners.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "stratumproxy/version.hpp"

namespace stratumload {
namespace {

using namespace stratumproxy::protocol;

const std::string agent = fmt::format("stratumload/{}", stratumproxy::version());
constexpr std::uint64_t subscribe_id = 1, authorize_id = 2, first_share_id = 16;
constexpr std::size_t most_pending = 1024;  // of one worker
constexpr unsigned coinb1_index = 2;
constexpr milliseconds pause_after_end{1'000};
constexpr milliseconds longest_wait{10};
constexpr std::size_t most_reasons = 32;

// The form in which nearly every verdict comes; anything else goes through the decoder.
std::optional<std::uint64_t> plain_accept(std::string_view line) {
  constexpr std::string_view head = "{\"id\":", tail = ",\"result\":true,\"error\":null}";
  if (!line.starts_with(head) || !line.ends_with(tail) || line.size() <= head.size() + tail.size()) return std::nullopt;
  const auto digits = line.substr(head.size(), line.size() - head.size() - tail.size());
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return id;
}

struct plain_job {
  std::string_view id;
  std::uint32_t number, ntime;
};

// Likewise for jobs, in the form in which simulated pools and stratumproxy write them: decoding thousands at once would be a good
// part of the time that is measured.
std::optional<plain_job> plain_notify(std::string_view line) {
  constexpr std::string_view head = "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"";
  constexpr std::size_t digits = 8;
  if (!line.starts_with(head)) return std::nullopt;
  if (line.ends_with(",true]}"))
    line.remove_suffix(7);
  else if (line.ends_with(",false]}"))
    line.remove_suffix(8);
  else
    return std::nullopt;
  if (line.size() < 256 || line.back() != '"' || line[line.size() - digits - 2] != '"') return std::nullopt;
  const auto ntime = parse_hex32(line.substr(line.size() - digits - 1, digits));
  line.remove_prefix(head.size());
  const auto id_end = line.find('"');
  if (id_end == 0 || id_end > 64 || line.substr(id_end, 3) != "\",\"" || line.find('\\') < id_end) return std::nullopt;
  const auto number = parse_hex32(line.substr(id_end + 3, digits));
  if (!ntime || !number) return std::nullopt;
  return plain_job{line.substr(0, id_end), *number, *ntime};
}

const stratumproxy::pool_tls any_certificate{.mode = stratumproxy::tls_mode::insecure};

// A job's text begins with ,"<prevhash>".
std::uint32_t job_number(const job& work) {
  constexpr std::size_t digits = 8;
  if (work.text.size() < 2 + digits) return 0;
  return parse_hex32(std::string_view(work.text).substr(2, digits)).value_or(0);
}

}  // namespace

class miners::worker final : public io_handler {
 public:
  worker(miners& owner, std::uint32_t number)
      : owner_(owner),
        number_(number),
        user_(owner.options_.plain_user ? owner.options_.user : fmt::format("{}.w{}", owner.options_.user, number)) {}

  void connect() {
    began_ = now();
    const int fd = begin_connect(owner_.target_);
    if (fd < 0) return rest();
    ++owner_.on_their_way_;
    state_ = state::connecting;
    channel_.open(owner_.loop_, fd, *this, true);
  }

  void ready(std::uint32_t) override {
    if (!channel_.is_open()) return;
    if (state_ == state::connecting) {
      if (!channel_.connected()) return end();
      ++owner_.counters_.connects;
      state_ = state::subscribing;
      if (owner_.options_.tls) channel_.secure(owner_.tls_.connect(channel_.descriptor(), "localhost", any_certificate));
      encode_subscribe_request(channel_.out(), subscribe_id, agent, session_);
    }
    const bool goes_on = channel_.receive([this](std::span<char> line) { return on_line(line); });
    if (!goes_on) return end();
    if (owner_.options_.shares_per_second <= 0) fill_window();
    if (!channel_.flush()) end();
  }

  /// Closed loop: as many shares under way as the window allows.
  void fill_window() {
    while (pending_.size() < owner_.options_.window && owner_.may_send() && is_in()) send_share(now());
  }

  void begin() {
    fill_window();
    if (channel_.is_open() && !channel_.flush()) end();
  }

  /// Open loop: one share that was due at `due`. False when it cannot be sent.
  bool submit(time_point due) {
    if (!is_in() || pending_.size() >= most_pending) return false;
    send_share(due);
    if (!channel_.flush()) end();
    return true;
  }

  [[nodiscard]] bool is_in() const { return state_ == state::in; }
  void let_go() { channel_.reset(); }

 private:
  enum class state : std::uint8_t { idle, connecting, subscribing, authorizing, waiting_for_job, in };

  struct pending_share {
    std::uint32_t serial;
    time_point since;
  };

  void send_share(time_point since) {
    const auto serial = owner_.next_serial_++;
    owner_.scratch_.clear();
    append_extranonce2(owner_.scratch_, extranonce2_size_, number_, serial);
    encode_submit_request(channel_.out(), first_share_id + serial,
                          {.user = user_,
                           .job = job_,
                           .extranonce2_prefix = {},
                           .extranonce2 = owner_.scratch_,
                           .ntime = ntime_,
                           .nonce = nonce_of(serial),
                           .version_bits = {}});
    pending_.push_back({serial, since});
    ++owner_.pending_;
    ++owner_.counters_.sent;
    if (owner_.book_) owner_.book_->sent(serial);
  }

  bool on_line(std::span<char> line) {
    if (const auto id = plain_accept({line.data(), line.size()})) {
      on_response(pool_response{.id = *id, .result = pool_response::kind::true_});
      return state_ != state::idle;
    }
    if (const auto work = plain_notify({line.data(), line.size()})) {
      on_job(work->id, work->number, work->ntime);
      return true;
    }
    const auto message = owner_.decoder_.decode_pool(line, coinb1_index);
    if (!message) {
      ++owner_.counters_.bad_lines;
      return false;
    }
    if (const auto* response = std::get_if<pool_response>(&message->body)) on_response(*response);
    if (const auto* work = std::get_if<job>(&message->body)) on_job(work->pool_id, job_number(*work), work->ntime);
    if (const auto* change = std::get_if<set_extranonce>(&message->body)) extranonce2_size_ = change->extranonce2_size;
    if (std::holds_alternative<bad_message>(message->body)) ++owner_.counters_.bad_lines;
    return state_ != state::idle;
  }

  void on_response(const pool_response& response) {
    if (!response.id) return;
    if (*response.id >= first_share_id) return on_verdict(*response.id - first_share_id, response);
    if (*response.id == subscribe_id && state_ == state::subscribing) {
      const auto granted = owner_.decoder_.as_subscribe_result();
      // Two bytes are the check of a share; without them nobody could tell whose it is.
      if (!granted || granted->extranonce2_size < 2) return refuse("no usable answer to mining.subscribe");
      extranonce2_size_ = granted->extranonce2_size;
      session_ = granted->session;
      state_ = state::authorizing;
      encode_authorize_request(channel_.out(), authorize_id, user_, owner_.options_.password);
    } else if (*response.id == authorize_id && state_ == state::authorizing) {
      if (!response.accepts()) return refuse(response.error_text.empty() ? "login refused" : response.error_text);
      state_ = state::waiting_for_job;
      if (!job_.empty()) enter();
    }
  }

  void refuse(std::string_view why) {
    ++owner_.counters_.refused_logins;
    owner_.count_reason(why);
    leave();  // the line's handler sees that it is over, and ready() ends the connection
  }

  void enter() {
    state_ = state::in;
    --owner_.on_their_way_;
    ++owner_.in_;
    ++owner_.counters_.logins;
    owner_.login_latency_->add(now() - began_);
  }

  void on_job(std::string_view id, std::uint32_t number, std::uint32_t ntime) {
    job_ = id;
    ntime_ = ntime;
    owner_.newest_job_ = std::max(owner_.newest_job_, number);
    if (number != job_number_ && number == owner_.watched_job_ && is_in()) {
      ++owner_.watched_have_;
      owner_.watched_last_ = now();
    }
    job_number_ = number;
    if (state_ == state::waiting_for_job) enter();
  }

  void on_verdict(std::uint64_t serial, const pool_response& response) {
    const auto found =
        std::find_if(pending_.begin(), pending_.end(), [&](const auto& share) { return share.serial == serial; });
    if (found == pending_.end()) {
      ++owner_.counters_.stray;
      if (owner_.book_) owner_.book_->stray_verdict();
      return;
    }
    owner_.verdict_latency_->add(now() - found->since);
    pending_.erase(found);
    --owner_.pending_;
    auto told = verdict::accepted;
    if (!response.accepts()) {
      told = response.error_text == "share state unknown" ? verdict::unknown : verdict::rejected;
      owner_.count_reason(response.error_text.empty() ? "no reason given" : response.error_text);
    }
    auto& counters = owner_.counters_;
    ++(told == verdict::accepted ? counters.accepted : told == verdict::rejected ? counters.rejected : counters.unknown);
    if (owner_.book_) owner_.book_->told(static_cast<std::uint32_t>(serial), told);
  }

  void leave() {
    if (state_ == state::idle) return;
    if (is_in())
      --owner_.in_;
    else
      --owner_.on_their_way_;
    state_ = state::idle;
  }

  void end() {
    leave();
    ++owner_.counters_.disconnects;
    owner_.counters_.cut_off += pending_.size();
    owner_.pending_ -= pending_.size();
    pending_.clear();
    job_.clear();
    job_number_ = 0;
    channel_.reset();
    rest();
  }

  void rest() { owner_.resting_.emplace_back(now() + pause_after_end, this); }

  miners& owner_;
  std::uint32_t number_;
  state state_ = state::idle;
  line_channel channel_;
  std::string user_;
  std::string session_;  // of the last connection, which the next one names
  std::string job_;
  std::uint32_t ntime_ = 0;
  std::uint32_t job_number_ = 0;
  unsigned extranonce2_size_ = 0;
  std::vector<pending_share> pending_;
  time_point began_{};
};

miners::miners(event_loop& loop, const address& target, const miners_options& options, ledger* book)
    : loop_(loop), target_(target), options_(options), book_(book) {
  workers_.reserve(options_.workers);
  for (std::uint32_t i = 0; i < options_.workers; ++i) workers_.push_back(std::make_unique<worker>(*this, i));
}

miners::~miners() {
  for (auto& each : workers_) each->let_go();
}

bool miners::may_send() const {
  const auto limit = book_ ? book_->capacity() : std::numeric_limits<std::uint32_t>::max();
  return mining_ && next_serial_ < limit && (share_limit_ == 0 || counters_.sent < share_limit_);
}

void miners::count_reason(std::string_view text) {
  auto cleaned = printable(text, 100);
  if (counters_.reasons.size() >= most_reasons && !counters_.reasons.contains(cleaned)) cleaned = "other";
  ++counters_.reasons[std::move(cleaned)];
}

void miners::connect_more() {
  const auto at = now();
  while (!resting_.empty() && resting_.front().first <= at) {
    waiting_to_connect_.push_back(resting_.front().second);
    resting_.pop_front();
  }
  while (!waiting_to_connect_.empty() && on_their_way_ < options_.logins_at_once) {
    auto* next = waiting_to_connect_.back();
    waiting_to_connect_.pop_back();
    next->connect();
  }
}

void miners::turn(time_point wake, std::string_view phase) {
  const auto at = now();
  loop_.run_once(std::min<nanoseconds>(wake - at, longest_wait));
  connect_more();
  if (!progress_.due(at)) return;
  const auto verdicts = counters_.accepted + counters_.rejected + counters_.unknown;
  const auto passed = in_seconds(at - shown_at_);
  progress_.show(
      fmt::format("{}: {} of {} workers in, {} shares sent, {} without a verdict, {:.0f} shares/s", phase, in_, workers_.size(),
                  counters_.sent, pending_, passed < 60 ? static_cast<double>(verdicts - shown_verdicts_) / passed : 0),
      at);
  shown_verdicts_ = verdicts;
  shown_at_ = at;
}

std::size_t miners::log_in(nanoseconds limit) {
  for (auto each = workers_.rbegin(); each != workers_.rend(); ++each) waiting_to_connect_.push_back(each->get());
  connect_more();
  const auto end = now() + limit;
  while (in_ < workers_.size() && now() < end && !interrupted()) turn(end, "login");
  return in_;
}

void miners::send_due(time_point at) {
  while (next_due_ <= at && may_send()) {
    const auto due = next_due_;
    next_due_ += due_every_;
    auto& next = *workers_[next_worker_];
    next_worker_ = (next_worker_ + 1) % workers_.size();
    if (!next.submit(due)) ++counters_.held_back;
  }
}

void miners::mine(nanoseconds duration, std::uint64_t shares, const std::function<void()>& each_tick) {
  const bool open = options_.shares_per_second > 0;
  mining_ = true;
  share_limit_ = shares == 0 ? 0 : counters_.sent + shares;
  const auto began = now();
  const auto end = began + duration;
  auto next_tick = began;
  if (open) {
    next_due_ = began;
    due_every_ = seconds_of(1 / options_.shares_per_second);
  } else {
    for (auto& each : workers_)
      if (each->is_in()) each->begin();
  }
  for (auto at = now(); at < end && may_send() && !interrupted(); at = now()) {
    if (open) send_due(at);
    if (each_tick && at >= next_tick) {
      each_tick();
      next_tick = at + longest_wait;
    }
    turn(open ? std::min(end, next_due_) : end, "mining");
  }
  mining_ = false;
}

void miners::drain(nanoseconds limit) {
  const auto end = now() + limit;
  // Also when interrupted: shares without a verdict would look like a fault of the proxy.
  while (pending_ > 0 && now() < end) turn(end, "waiting for verdicts");
  progress_.clear();
}

void miners::watch_for_job(std::uint32_t number) {
  watched_job_ = number;
  watched_have_ = 0;
}

std::optional<time_point> miners::await_job(nanoseconds limit) {
  const auto end = now() + limit;
  while (watched_have_ < in_ && now() < end && !interrupted()) turn(end, "job");
  progress_.clear();
  if (in_ == 0 || watched_have_ < in_) return std::nullopt;
  return watched_last_;
}

}  // namespace stratumload
