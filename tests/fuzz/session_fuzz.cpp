// A shard between hostile miners and hostile pools. An input is a script, one event a line, so that the corpus can be
// read; `$` in a miner's line is its last job id, `@` its session id:
//
//   c        a miner connects           m0 {...}  miner 0 sends a line       M0 ...  bytes without a line end
//   o        the oldest dial succeeds   p0 {...}  link 0 sends a line        P0 ...  likewise
//   f        it fails                   x0 / y0   miner 0 / link 0 is gone   e0      miner 0 ends its input
//   a / u / n  an account look-up: found, unknown, not available             g0 / h0 miner 0 is congested, or no more
//   t5       5 squared seconds pass     d         drain                      k       the oldest check of a slow hash ends
//   s0 .. s8 the account from its next look-up on: dedicated, shared (fast hash, slow hash, not checked), vardiff, a fall-back, two of
//            them on shared links, weights, weights on shared links
//   w / W    the news of it, or of its removal, at once
//   r / R / q  a look-up of a session of another proxy: found, not found, found and useless
//
// Whatever happens: what leaves the proxy is a line that the codec reads, and in the end every share has one end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stratumproxy/algorithm/share_check.hpp"
#include "stratumproxy/protocol/codec.hpp"
#include "stratumproxy/session/session_manager.hpp"

using namespace stratumproxy;
using namespace std::chrono_literals;
using session::channel_id;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct wire {
  channel_id channel{};
  bool open = true;
  bool reads = true;
  std::string last_job, session;
};

/// A store of sessions from which the theatre answers by itself.
struct no_store final : session_store {
  void save(session_record record) override { require(record.id.size() == 32 && record.difficulty > 0 && !record.mark.empty()); }
  void remove(const std::string& id) override { require(id.size() == 32); }
  void claim(const std::string&, std::function<void(std::optional<session_record>)>) override { std::abort(); }
};

class theatre final : public session::session_host {
 public:
  theatre() {
    config_.session.grace = 20s;
    become('0');
    session::manager_settings settings;
    settings.config = &config_;
    settings.instance = "fuzz";
    settings.sessions = &store_;
    settings.random = [this](std::span<std::uint8_t> bytes) {
      for (auto& byte : bytes) {
        seed_ = seed_ * 1'664'525 + 1'013'904'223;
        byte = static_cast<std::uint8_t>(seed_ ^ (seed_ >> 24));
      }
    };
    manager_ = std::make_unique<session::session_manager>(std::move(settings), *this);
  }

  void play(std::string_view script) {
    while (!script.empty()) {
      const auto end = script.find('\n');
      event(script.substr(0, end));
      script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
    }
    finish();
  }

  void send(channel_id channel, std::string_view bytes) override {
    for (auto& one : miners_) {
      if (one.channel == channel) return check_for_miner(one, bytes);
    }
    each_line(bytes, [this](std::string& line) { require(reader_.decode_miner(line).has_value()); });
  }
  void close(channel_id channel, session::close_reason) override {
    for (auto* all : {&miners_, &links_}) {
      for (auto& one : *all) {
        if (one.channel == channel) one.open = false;
      }
    }
    std::erase(dials_, channel);
  }
  void connect(channel_id channel, const session::destination&) override { dials_.push_back(channel); }
  void set_reading(channel_id channel, bool enabled) override {
    for (auto& one : miners_) {
      if (one.channel == channel) one.reads = enabled;
    }
  }
  void find_account(session::lookup_id lookup, std::string_view) override { lookups_.push_back(lookup); }
  void find_session(session::lookup_id lookup, std::string_view id) override {
    require(id.size() == 32);
    recalls_.push_back(lookup);
  }
  bool check_share(session::check_id check, session::proof_request what) override {
    if (checks_.size() >= 4) return false;
    checks_.emplace_back(check, std::move(what));
    return true;
  }
  void hand_over(channel_id, unsigned, session::handover) override { std::abort(); }  // there is one shard

 private:
  template <class Take>
  static void each_line(std::string_view bytes, Take&& take) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      require(end != std::string_view::npos);
      std::string line(bytes.substr(0, end));
      take(line);
      bytes.remove_prefix(end + 1);
    }
  }

  void check_for_miner(wire& miner, std::string_view bytes) {
    if (bytes.starts_with("HTTP/") || bytes.starts_with("\x15\x03")) return;  // refusals in the peer's own protocol
    each_line(bytes, [&](std::string& line) {
      const auto message = reader_.decode_pool(line, 2);
      require(message.has_value());
      if (const auto* const job = std::get_if<protocol::job>(&message->body)) miner.last_job = job->pool_id;
      if (const auto given = reader_.as_subscribe_result()) miner.session = given->session;
    });
  }

  wire* pick(std::vector<wire>& from, std::string_view event) {
    if (event.size() < 2 || event[1] < '0' || event[1] > '9') return nullptr;
    const auto index = static_cast<std::size_t>(event[1] - '0');
    return index < from.size() && from[index].open ? &from[index] : nullptr;
  }

  void hear(wire* from, std::string_view event, bool whole) {
    if (!from || !from->reads) return;
    std::string bytes;
    for (const char c : event.substr(std::min<std::size_t>(3, event.size()))) {
      if (c == '$') bytes += from->last_job;
      else if (c == '@') bytes += from->session;
      else bytes += c;
    }
    if (whole) bytes += '\n';
    if (!bytes.empty()) manager_->receive(from->channel, bytes, now_);
  }

  void lose(wire* which) {
    if (!which) return;
    which->open = false;
    manager_->closed(which->channel, session::close_reason::reset, now_);
  }

  void event(std::string_view what) {
    if (what.empty()) return;
    switch (what[0]) {
      case 'c':
        if (miners_.size() >= 10) return;
        miners_.push_back({});
        miners_.back().channel = manager_->accept("10.0.0.1:1", "10.0.0.1", now_);
        return;
      case 'm': return hear(pick(miners_, what), what, true);
      case 'M': return hear(pick(miners_, what), what, false);
      case 'p': return hear(pick(links_, what), what, true);
      case 'P': return hear(pick(links_, what), what, false);
      case 'x': return lose(pick(miners_, what));
      case 'y': return lose(pick(links_, what));
      case 'e':
        if (auto* const one = pick(miners_, what)) manager_->input_ended(one->channel, now_);
        return;
      case 'g':
      case 'h':
        if (auto* const one = pick(miners_, what)) manager_->congested(one->channel, what[0] == 'g', now_);
        return;
      case 'o':
      case 'f': return dialed(what[0] == 'o');
      case 'a': return looked_up({account_lookup::status::found, made_});
      case 'u': return looked_up({account_lookup::status::unknown, nullptr});
      case 'n': return looked_up({account_lookup::status::unavailable, nullptr});
      case 's': return become(what.size() > 1 ? what[1] : '0');
      case 'r': return recalled(session_record{.id = {}, .account = "alice", .rig = "rig", .difficulty = 16, .mark = "07", .miner_bytes = 4});
      case 'R': return recalled(std::nullopt);
      case 'q': return recalled(session_record{.id = {}, .account = "alice", .rig = "rig", .difficulty = 1, .mark = "Xyz", .miner_bytes = 8});
      case 'w': return manager_->account_changed("alice", made_, now_);
      case 'W': return manager_->account_changed("alice", nullptr, now_);
      case 'k': return checked();
      case 't': return pass(what.size() > 1 && what[1] >= '0' && what[1] <= '9' ? what[1] - '0' : 1);
      case 'd': return manager_->drain(now_);
    }
  }

  // The account's next look-up finds it so.
  void become(char how) {
    made_ = std::make_shared<account>();
    made_->name = "alice";
    made_->revision = ++revision_;
    account_route route;
    route.pool.host = "pool.example";
    route.pool.port = 3333;
    route.pool.algorithm = how == '2' ? "scrypt" : "sha256d";
    const auto is_any_of = [how](std::string_view these) { return these.find(how) != std::string_view::npos; };
    route.pool.mode = is_any_of("12368") ? link_mode::shared : link_mode::dedicated;
    route.pool.verify = is_any_of("124") ? verify_level::full : verify_level::basic;
    route.pool.vardiff = how == '4';
    route.pool.fixed_difficulty = is_any_of("368");
    route.pool.rig_logins = how == '1';
    route.user = "user";
    const unsigned routes = how == '6' ? 3 : is_any_of("578") ? 2 : 1;
    for (unsigned i = 0; i < routes; ++i) {
      if (is_any_of("78")) route.weight = 1 + i;
      made_->routes.push_back(route);
      ++route.pool.port;
    }
  }

  void checked() {
    if (checks_.empty()) return;
    const auto [check, what] = std::move(checks_.front());
    checks_.pop_front();
    manager_->share_checked(check, algorithm::check(*what.how, *what.work, what.share), now_);
  }

  void dialed(bool good) {
    if (dials_.empty()) return;
    const auto channel = dials_.front();
    dials_.pop_front();
    if (!good) return manager_->closed(channel, session::close_reason::connect_failed, now_);
    links_.push_back({});
    links_.back().channel = channel;
    manager_->connected(channel, now_);
  }

  void looked_up(account_lookup result) {
    if (lookups_.empty()) return;
    const auto lookup = lookups_.front();
    lookups_.pop_front();
    manager_->account_found(lookup, std::move(result), now_);
  }

  void recalled(const std::optional<session_record>& found) {
    if (recalls_.empty()) return;
    const auto lookup = recalls_.front();
    recalls_.pop_front();
    manager_->session_found(lookup, found, now_);
  }

  void pass(int root) {
    for (int i = 0; i < root * root * 2; ++i) {
      now_ += 500ms;
      manager_->tick(now_);
    }
  }

  void finish() {
    for (std::size_t i = 0; i < miners_.size(); ++i) {
      if (miners_[i].open) lose(&miners_[i]);
    }
    for (int i = 0; i < 12; ++i) {
      while (!dials_.empty()) dialed(false);
      while (!checks_.empty()) checked();
      pass(4);
    }
    const auto end = manager_->snapshot(now_);
    require(end.workers.empty() && end.connections == 0 && end.kept_sessions == 0);
    for (const auto& row : end.totals) {
      require(row.shares.sent == row.shares.accepted + row.shares.rejected_total() + row.shares.unknown);
    }
    for (const auto& row : end.pools) {
      for (const auto links : row.links) require(links == 0);
      for (const auto links : row.shared_links) require(links == 0);
    }
  }

  options config_;
  no_store store_;
  std::uint32_t seed_ = 1;
  std::uint64_t revision_ = 0;
  std::shared_ptr<account> made_;
  time_point now_{1h};
  protocol::decoder reader_;
  std::vector<wire> miners_, links_;
  std::deque<channel_id> dials_;
  std::deque<session::lookup_id> lookups_, recalls_;
  std::deque<std::pair<session::check_id, session::proof_request>> checks_;
  std::unique_ptr<session::session_manager> manager_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  theatre().play({reinterpret_cast<const char*>(data), size});
  return 0;
}
