#include "pool.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <utility>

namespace stratumload {
namespace {

using namespace stratumproxy::protocol;

constexpr std::uint32_t version_mask = 0x1fffe000;  // BIP 320
constexpr std::size_t jobs_kept = 64;
constexpr std::uint32_t longest_roll = 7'200;  // seconds that ntime may be ahead of the job's
constexpr std::size_t most_users = 256;  // of one connection: rigs that share it
constexpr int other_error = 20, stale_error = 21, duplicate_error = 22, difficulty_error = 23, unauthorized_error = 24;

std::string repeated(std::string_view digits, std::size_t length) {
  std::string out;
  while (out.size() < length) out += digits;
  out.resize(length);
  return out;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

template <class... Cases>
struct overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

class pool::link final : public io_handler {
 public:
  link(pool& owner, int fd, std::string extranonce1) : owner_(owner), extranonce1_(std::move(extranonce1)) {
    channel.open(owner.loop_, fd, *this, false);
    if (owner.options_.certificate) channel.secure(owner.options_.certificate->accept(fd));
  }

  void ready(std::uint32_t) override {
    if (!channel.is_open()) return;
    const bool goes_on = channel.receive([this](std::span<char> line) { return owner_.on_line(*this, line); });
    if (!channel.flush() || !goes_on) end();
  }

  void end() {
    if (!channel.is_open()) return;
    channel.close();
    owner_.ended_.push_back(this);
  }

  [[nodiscard]] const std::string& extranonce1() const { return extranonce1_; }
  [[nodiscard]] bool may_submit_as(std::string_view user) const {
    return std::find(users.begin(), users.end(), user) != users.end();
  }

  line_channel channel;
  std::vector<std::string> users;
  bool subscribed = false;
  bool working = false;  ///< difficulty and a job were sent

 private:
  pool& owner_;
  std::string extranonce1_;
};

pool::pool(event_loop& loop, int listener, const pool_options& options, ledger* book)
    : loop_(loop),
      listener_(listener),
      options_(options),
      book_(book),
      next_extranonce1_(static_cast<std::uint64_t>(now().time_since_epoch().count())) {
  loop_.add(listener_, EPOLLIN, *this);
  make_job();
  job_due_ = now() + seconds_of(options_.job_seconds);
}

pool::~pool() {
  loop_.remove(listener_);
  ::close(listener_);
}

void pool::ready(std::uint32_t) {
  for (int i = 0; i < 64; ++i) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (links_.size() >= options_.connections) {
      ::close(fd);
      continue;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++counters_.connections;
    if (book_) book_->pool_connected();
    // Two connections never get the same: the low bytes count.
    auto digits = fmt::format("{:0>{}}", fmt::format("{:016x}", next_extranonce1_++), 2 * options_.extranonce1_bytes);
    digits.erase(0, digits.size() - 2 * options_.extranonce1_bytes);
    auto made = std::make_unique<link>(*this, fd, std::move(digits));
    links_.emplace(made.get(), std::move(made));
  }
}

void pool::make_job() {
  const auto number = next_job_++;
  sent_job made{number, fmt::format("{:x}", number), static_cast<std::uint32_t>(std::time(nullptr))};
  std::string branches;
  for (unsigned i = 0; i < 12; ++i) branches += fmt::format("{}\"{:02x}{}\"", i == 0 ? "" : ",", i, repeated("7c3e5a9d2b", 62));
  // The script of the coinbase: the block's height, ten bytes of ours, both extranonces.
  const auto script_bytes = 14 + options_.extranonce1_bytes + options_.extranonce2_size;
  const auto coinb1 = fmt::format("0100000001{}ffffffff{:02x}03a0bb0d{}", repeated("0", 64), script_bytes, repeated("4c", 20));
  const auto coinb2 = fmt::format("ffffffff0100f2052a010000001976a914{}88ac00000000", repeated("9d", 40));
  // The hash of the previous block begins with the job's number, by which stratumload knows the job behind any proxy.
  notify_ = fmt::format(
      R"({{"id":null,"method":"mining.notify","params":["{}","{:08x}{}","{}","{}",[{}],"20000000","1a0377ae","{:08x}",true]}})",
      made.id, number, repeated("b8d1f0a4", 56), coinb1, coinb2, branches, made.ntime);
  notify_ += '\n';
  jobs_.push_back(std::move(made));
  if (jobs_.size() > jobs_kept) jobs_.pop_front();
  ++counters_.jobs;
}

void pool::send_job() {
  make_job();
  if (book_) book_->job_sent(jobs_.back().number, now().time_since_epoch().count());
  for (const auto& [peer, owned] : links_) {
    if (!peer->working || !peer->channel.is_open()) continue;
    peer->channel.out() += notify_;
    if (!peer->channel.flush()) peer->end();
  }
  job_due_ = now() + seconds_of(options_.job_seconds);
}

time_point pool::settle() {
  for (auto* peer : ended_) links_.erase(peer);
  ended_.clear();
  if (options_.job_seconds <= 0) return time_point::max();
  if (now() >= job_due_) send_job();
  return job_due_;
}

void pool::greet(link& peer) {
  if (peer.working || !peer.subscribed || peer.users.empty()) return;
  peer.working = true;
  encode_set_difficulty(peer.channel.out(), options_.difficulty);
  peer.channel.out() += notify_;
}

bool pool::on_line(link& peer, std::span<char> line) {
  const auto message = decoder_.decode_miner(line);
  if (!message) return false;
  auto& out = peer.channel.out();
  const auto id = message->id;
  const auto yes = [&] {
    if (!message->notification) encode_true(out, id);
  };
  std::visit(overloaded{
                 [&](const subscribe&) {
                   encode_subscribed(out, id, peer.extranonce1(), peer.extranonce1(), options_.extranonce2_size);
                   peer.subscribed = true;
                   greet(peer);
                 },
                 [&](const authorize& login) {
                   if (!peer.may_submit_as(login.user)) {
                     if (peer.users.size() >= most_users) return encode_rejected(out, id, unauthorized_error, "too many users");
                     if (peer.users.empty()) ++counters_.logins;
                     peer.users.emplace_back(login.user);
                   }
                   encode_true(out, id);
                   greet(peer);
                 },
                 [&](const submit& share) { on_submit(peer, id, share); },
                 [&](const configure& asked) { encode_configured(out, id, asked, asked.mask & version_mask); },
                 [&](const suggest_difficulty&) { yes(); },
                 [&](const suggest_target&) { yes(); },
                 [&](const extranonce_subscribe&) { yes(); },
                 [&](const multi_version&) { yes(); },
                 [&](const capabilities&) { yes(); },
                 [&](const ping&) { encode_text_result(out, id, "pong"); },
                 [](const pong&) {},
                 [](const miner_response&) {},
                 [&](const foreign_dialect& foreign) {
                   encode_foreign_refusal(out, foreign.which, id, "this pool speaks Bitcoin's Stratum only");
                 },
                 [&](const malformed&) { encode_error(out, id, other_error, "malformed parameters"); },
                 [&](const unknown_method&) {
                   if (!message->notification) encode_error(out, id, other_error, "unknown method");
                 },
             },
             message->body);
  return true;
}

const pool::sent_job* pool::find_job(std::string_view id) const {
  for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job)
    if (job->id == id) return &*job;
  return nullptr;
}

bool pool::is_chosen(std::uint32_t nonce) const {
  if (options_.reject_percent <= 0) return false;
  const auto draw = static_cast<double>(mixed(nonce)) / 4294967296.0;
  return draw * 100 < options_.reject_percent;
}

void pool::on_submit(link& peer, std::string_view id, const submit& share) {
  const auto* job = find_job(share.job);
  const auto nonce = parse_hex32(share.nonce);
  const auto ntime = parse_hex32(share.ntime);
  const bool well_formed = nonce && ntime && share.nonce.size() == 8 &&
                           share.extranonce2.size() == 2 * options_.extranonce2_size && is_hex(share.extranonce2) &&
                           peer.may_submit_as(share.worker) && (!share.version_bits || parse_hex32(*share.version_bits));
  const bool in_time = job && ntime && *ntime >= job->ntime && *ntime - job->ntime <= longest_roll;
  const bool chosen = nonce && is_chosen(*nonce);
  const bool good = well_formed && in_time && !chosen;

  bool first = true;
  if (book_) {
    const auto serial = nonce ? serial_of(*nonce) : 0;
    if (!nonce || !book_->is_known(serial) || !has_check_of(share.extranonce2, serial)) {
      book_->arrived_invented();
    } else {
      first = book_->arrived(serial, good ? verdict::accepted : verdict::rejected);
      if (!well_formed || !in_time) book_->arrived_altered();
    }
  } else if (well_formed && job) {
    const std::uint64_t bits = share.version_bits ? *parse_hex32(*share.version_bits) : 0;
    std::uint64_t hash = std::hash<std::string_view>{}(share.extranonce2);
    for (const std::uint64_t part : {std::uint64_t{*nonce} << 32 | *ntime, std::uint64_t{job->number} << 32 | bits,
                                     std::uint64_t{std::hash<std::string_view>{}(peer.extranonce1())}})
      hash = ((hash ^ part) * 0x9e3779b97f4a7c15u) ^ (hash >> 29);
    first = seen_.insert(hash);
  }

  auto& out = peer.channel.out();
  if (!well_formed) {
    ++counters_.malformed;
    if (peer.may_submit_as(share.worker))
      encode_rejected(out, id, other_error, "malformed share");
    else
      encode_rejected(out, id, unauthorized_error, "unauthorized worker");
  } else if (!job) {
    ++counters_.stale;
    encode_rejected(out, id, stale_error, "job not found");
  } else if (!in_time) {
    ++counters_.malformed;
    encode_rejected(out, id, other_error, "ntime out of range");
  } else if (!first) {
    ++counters_.duplicate;
    encode_rejected(out, id, duplicate_error, "duplicate share");
  } else if (chosen) {
    ++counters_.chosen;
    encode_rejected(out, id, difficulty_error, "low difficulty share");
  } else {
    ++counters_.accepted;
    encode_true(out, id);
  }
}

}  // namespace stratumload
