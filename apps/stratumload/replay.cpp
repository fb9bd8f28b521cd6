#include "replay.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

#include "address.hpp"
#include "clock.hpp"
#include "event_loop.hpp"
#include "likeness.hpp"
#include "line_channel.hpp"
#include "progress.hpp"
#include "proxy_process.hpp"
#include "script.hpp"

namespace stratumload {
namespace {

using act = recorded_event::act;

constexpr milliseconds last_look{200};  // whether the other end says more than was recorded
constexpr milliseconds stuck{300};      // then pools may go ahead

class play {
 public:
  play(recording from, const replay_options& options);
  ~play();
  play(const play&) = delete;
  play& operator=(const play&) = delete;

  replay_result run();

 private:
  class peer;
  class listener;

  void start_pools();
  void start_proxy();
  void name_accounts();
  void advance();
  void perform(std::size_t at);
  void say(std::size_t conversation, const std::string& line);
  void accepted(listener& from, int fd);
  void heard(peer& from, std::string_view line);
  void ended(peer& from);
  void choose(peer& from, std::string_view line);
  void bind(peer& to, std::size_t opening);
  void check_order(std::size_t at);
  void differ(std::size_t conversation, std::optional<std::size_t> at, std::string what, std::string expected, std::string got);
  [[nodiscard]] talk* miner_of(std::size_t conversation);
  [[nodiscard]] bool is_done() const { return result_.difference || (script_.is_over() && closing_ == 0); }

  replay_options options_;
  script script_;
  likeness likeness_;
  event_loop loop_;
  std::vector<talk> talks_;                               // by conversation
  std::vector<peer*> peers_;                              // likewise; null: not connected
  std::map<std::string, std::size_t> sessions_;           // recorded -> the miner's conversation that was told it
  std::vector<std::unique_ptr<listener>> listeners_;
  std::vector<std::unique_ptr<peer>> all_;
  std::unique_ptr<proxy_process> proxy_;
  std::optional<address> target_;
  std::optional<std::size_t> awaited_;
  std::size_t closing_ = 0;  // connections that we have ended and the other end has not
  time_point began_{}, moved_{};
  replay_result result_;
};

// One connection.
class play::peer final : public io_handler {
 public:
  peer(play& owner, int fd, bool connecting) : connecting(connecting), owner_(owner), fd_(fd) {
    channel.open(owner.loop_, fd, *this, connecting);
  }

  void ready(std::uint32_t) override {
    if (!channel.is_open()) return;
    if (connecting) {
      if (!channel.connected()) return owner_.ended(*this);
      connecting = false;
    }
    const bool goes_on = channel.receive([this](std::span<char> line) {
      owner_.heard(*this, {line.data(), line.size()});
      return !owner_.result_.difference;
    });
    if (owner_.result_.difference) return;
    if (!goes_on || !channel.flush()) owner_.ended(*this);
  }

  void half_close() {
    is_closing = true;
    (void)channel.flush();
    ::shutdown(fd_, SHUT_WR);
  }

  line_channel channel;
  std::optional<std::size_t> conversation;
  const listener* from = nullptr;
  bool connecting;
  bool is_closing = false;

 private:
  play& owner_;
  int fd_;
};

class play::listener final : public io_handler {
 public:
  listener(play& owner, std::string recorded, const std::string& where)
      : name(std::move(recorded)), owner_(owner), fd_(listen_at(resolve(where))) {
    owner_.loop_.add(fd_, EPOLLIN, *this);
  }
  ~listener() override {
    owner_.loop_.remove(fd_);
    ::close(fd_);
  }

  void ready(std::uint32_t) override {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) owner_.accepted(*this, fd);
  }
  [[nodiscard]] std::string bound() const { return bound_address(fd_).text(); }

  const std::string name;  // of the pool in the recording

 private:
  play& owner_;
  int fd_;
};

play::play(recording from, const replay_options& options)
    : options_(options),
      script_(std::move(from), !options.proxy.empty() || !options.connect.empty(), !options.proxy.empty() || !options.listen.empty()),
      talks_(script_.conversations()),
      peers_(script_.conversations(), nullptr) {
  likeness_.password = options.password;
  name_accounts();
  if (script_.plays(side::pool)) start_pools();
  if (!options.proxy.empty()) start_proxy();
  if (!options.connect.empty()) target_ = resolve(options.connect);
}

play::~play() {
  for (auto& each : all_) each->channel.reset();
}

void play::name_accounts() {
  for (const auto& pair : options_.accounts) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size())
      throw std::runtime_error(fmt::format("--account '{}' is not RECORDED=NAME", pair));
    likeness_.accounts[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
}

void play::start_pools() {
  std::set<std::string> pools;
  for (std::size_t who = 0; who < script_.conversations(); ++who)
    if (script_.conversation(who).peer == side::pool) pools.insert(script_.conversation(who).address);
  if (pools.empty()) throw std::runtime_error("the recording has no connection to a pool");
  std::map<std::string, std::string> where;
  if (!options_.proxy.empty())
    for (const auto& pool : pools) where[pool] = "127.0.0.1:0";
  for (const auto& text : options_.listen) {
    const auto equals = text.find('=');
    const auto pool = equals == std::string::npos ? *pools.begin() : text.substr(0, equals);
    if (!pools.contains(pool)) throw std::runtime_error(fmt::format("the recording has no pool '{}'", pool));
    where[pool] = equals == std::string::npos ? text : text.substr(equals + 1);
  }
  for (const auto& pool : pools) {
    if (!where.contains(pool))
      throw std::runtime_error(fmt::format("the recording has {} pools: give --listen {}=HOST:PORT for each", pools.size(), pool));
    listeners_.push_back(std::make_unique<listener>(*this, pool, where[pool]));
    likeness_.addresses[pool] = listeners_.back()->bound();
    // For scripts that asked for port 0.
    if (options_.proxy.empty())
      fmt::print(options_.json ? stderr : stdout, "stratumload replay ready pool={} listen={}\n", pool, listeners_.back()->bound());
  }
  std::fflush(stdout);
}

// A daemon of our own gets the recorded accounts, as far as they led to a pool.
void play::start_proxy() {
  proxy_ = std::make_unique<proxy_process>(options_.proxy, options_.proxy_threads);
  target_ = resolve(proxy_->stratum());
  const auto login_in = [](const recorded_event& event) {
    json_line line;
    if (event.what != act::line || !line.parse(event.text) || line.method() != "mining.authorize") return std::string();
    return std::string(json_line::string_of(line.param(0)));
  };
  std::map<std::size_t, std::set<std::string>> logins;  // of each miner's conversation: its rigs
  for (std::size_t at = 0; at < script_.events(); ++at) {
    const auto& event = script_.event(at);
    const auto& of = script_.conversation(event.conversation);
    const auto login = login_in(event);
    if (login.empty()) continue;
    if (of.peer == side::miner) {
      if (const auto end = login.find_first_of("._/+"); end != std::string::npos) logins[event.conversation].insert(login.substr(end + 1));
      continue;
    }
    if (of.account.empty() || likeness_.accounts.contains(of.account)) continue;
    // What the proxy made of the account's user and the rig.
    auto user = login;
    if (of.worker)
      for (const auto& rig : logins[*of.worker])
        if (login.ends_with("." + rig)) user = login.substr(0, login.size() - rig.size() - 1);
    likeness_.accounts[of.account] = proxy_->register_account(
        likeness_.addresses[of.address], {.user = user, .password = "replay-" + of.account, .algorithm = of.algorithm});
  }
}

// ---- what we do ------------------------------------------------------------------------------------------------------

void play::advance() {
  while (!result_.difference && closing_ == 0) {
    auto next = script_.next();
    if (!next && now() - moved_ >= stuck) next = script_.ahead();
    if (!next) return;
    const auto& event = script_.event(*next);
    if (options_.speed > 0 && script_.role_of(*next) == script::role::ours) {
      const auto recorded = static_cast<double>(event.microseconds - script_.event(0).microseconds) / 1e6;
      if (now() < began_ + seconds_of(recorded / options_.speed)) return;
    }
    perform(*next);
    script_.done(*next);
  }
}

void play::perform(std::size_t at) {
  const auto& event = script_.event(at);
  const auto who = event.conversation;
  const auto peer_side = script_.conversation(who).peer;
  if (event.what == act::line) likeness_.note(peer_side, event.by_peer, event.text, talks_[who]);
  if (script_.role_of(at) == script::role::nobodys) return;
  if (peer_side == side::miner && event.what == act::line) {
    // A miner that comes back goes on with the link of the one that it was.
    json_line line;
    if (line.parse(event.text) && line.method() == "mining.subscribe") {
      const auto before = sessions_.find(std::string(json_line::string_of(line.param(1))));
      if (before != sessions_.end()) script_.came_back(before->second, who);
    }
  }
  switch (event.what) {
    case act::open: {
      const int fd = begin_connect(*target_);
      if (fd < 0) return differ(who, at, "cannot connect", "a connection", "none");
      all_.push_back(std::make_unique<peer>(*this, fd, true));
      all_.back()->conversation = who;
      peers_[who] = all_.back().get();
      ++result_.conversations;
      return;
    }
    case act::line: return say(who, likeness_.ours(peer_side, event.text, talks_[who]));
    case act::end:
      if (!peers_[who]) return;  // the other end was first
      if (event.text == "reset") {
        peers_[who]->channel.reset();
        peers_[who] = nullptr;
        return;
      }
      ++closing_;
      peers_[who]->half_close();
      return;
  }
}

void play::say(std::size_t who, const std::string& line) {
  auto* const to = peers_[who];
  if (!to || !to->channel.is_open()) return;  // said at once in the recording, too late here: the rest shows what became of it
  (to->channel.out() += line) += '\n';
  ++result_.said;
  if (!to->connecting && !to->channel.flush()) ended(*to);
}

// ---- what the other end does --------------------------------------------------------------------------------------------

void play::accepted(listener& from, int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  all_.push_back(std::make_unique<peer>(*this, fd, false));
  auto& made = *all_.back();
  made.from = &from;
  for (const auto opening : script_.openings())
    if (script_.conversation(script_.event(opening).conversation).address == from.name) return bind(made, opening);
  result_.difference = replay_difference{.peer = side::pool, .address = from.name,
                                         .what = "a connection to this pool that the recording has not", .expected = "none",
                                         .got = "a connection"};
}

void play::bind(peer& to, std::size_t opening) {
  const auto who = script_.event(opening).conversation;
  to.conversation = who;
  peers_[who] = &to;
  script_.came(opening);
  ++result_.conversations;
}

// Links that come back at the same time come in any order: their first line tells them apart, if it names a session.
void play::choose(peer& from, std::string_view line) {
  const auto mine = *from.conversation;
  const auto suits = [&](std::size_t who) {
    const auto at = script_.expected(who);
    return at && script_.event(*at).what == act::line && likeness::could_be(script_.event(*at).text, line);
  };
  if (!script_.is_fresh(mine) || suits(mine)) return;
  for (auto& other : all_) {
    if (other.get() == &from || other->from != from.from || !other->conversation || !script_.is_fresh(*other->conversation)) continue;
    if (!suits(*other->conversation)) continue;
    std::swap(from.conversation, other->conversation);
    std::swap(peers_[*from.conversation], peers_[*other->conversation]);
    return;
  }
  for (const auto opening : script_.openings()) {
    const auto who = script_.event(opening).conversation;
    if (script_.conversation(who).address != from.from->name) continue;
    script_.came(opening);
    const bool good = suits(who);
    script_.revoke(good ? script_.opening_of(mine) : opening);
    if (!good) continue;
    peers_[mine] = nullptr;
    from.conversation = who;
    peers_[who] = &from;
    return;
  }
}

void play::heard(peer& from, std::string_view line) {
  if (!from.conversation || from.is_closing) return;
  ++result_.heard;
  if (from.from) choose(from, line);
  const auto who = *from.conversation;
  const auto at = script_.expected(who);
  const auto peer_side = script_.conversation(who).peer;
  if (!at) return differ(who, std::nullopt, "a line more than was recorded", "none", std::string(line));
  const auto& event = script_.event(*at);
  if (event.what == act::end) return differ(who, at, "a line where the connection was ended", "the end", std::string(line));
  if (const auto found = likeness_.compare(peer_side, event.text, line, talks_[who], miner_of(who)))
    return differ(who, at, fmt::format("{} is {} and was {}", found->where, found->got, found->expected), event.text, std::string(line));
  json_line parsed;
  if (parsed.parse(event.text)) {
    if (parsed.method().empty()) check_order(*at);
    // [[["mining.notify", SESSION], ...], ...]
    if (const auto* result = parsed.find("result"); peer_side == side::miner && result && result->IsArray() && result->Size() > 2 &&
                                                    (*result)[0].IsArray() && (*result)[0].Size() > 0 && (*result)[0][0].IsArray() &&
                                                    (*result)[0][0].Size() > 1)
      sessions_[std::string(json_line::string_of(&(*result)[0][0][1]))] = who;
  }
  if (!result_.difference) script_.came(*at);
}

// An answer that comes before what it answers.
void play::check_order(std::size_t at) {
  if (const auto skipped = script_.skipped_before(at))
    differ(script_.event(at).conversation, at, fmt::format("came before line {} was said", script_.event(*skipped).file_line),
           script_.event(at).text, "too early");
}

void play::ended(peer& from) {
  if (!from.channel.is_open()) return;
  from.channel.close();
  moved_ = now();
  if (from.is_closing) {
    --closing_;
    if (from.conversation) peers_[*from.conversation] = nullptr;
    return;
  }
  if (!from.conversation) return;
  const auto who = *from.conversation;
  peers_[who] = nullptr;
  const auto at = script_.expected(who);
  if (at && script_.event(*at).what == act::end) return script_.came(*at);
  if (!script_.next() && script_.is_over()) return;  // all is said: the other end may go first
  if (from.connecting) return differ(who, std::nullopt, "cannot connect", "a connection", "none");
  const bool has_line = at && script_.event(*at).what == act::line;
  differ(who, at, "the connection was ended", has_line ? script_.event(*at).text : "no more lines, but a connection that stays", "the end");
}

talk* play::miner_of(std::size_t who) {
  const auto worker = script_.worker_of(who);
  return worker ? &talks_[*worker] : nullptr;
}

void play::differ(std::size_t who, std::optional<std::size_t> at, std::string what, std::string expected, std::string got) {
  if (result_.difference) return;
  const auto& of = script_.conversation(who);
  result_.difference = replay_difference{.peer = of.peer, .conversation = of.number, .address = of.address,
                                         .file_line = at ? script_.event(*at).file_line : 0, .what = std::move(what),
                                         .expected = std::move(expected), .got = std::move(got)};
}

replay_result play::run() {
  began_ = moved_ = now();
  const auto end = began_ + seconds_of(options_.seconds);
  const auto patience = seconds_of(options_.wait_seconds);
  progress line;
  std::optional<time_point> over;
  while (!result_.difference) {
    advance();
    const auto at = now();
    if (is_done()) {
      if (!over) over = at + last_look;
      if (result_.difference || at >= *over) break;
    } else {
      over.reset();
    }
    const auto awaited = script_.awaited();
    if (awaited != awaited_) {
      awaited_ = awaited;
      moved_ = at;
    }
    if (interrupted() || at >= end) {
      const auto who = awaited ? script_.event(*awaited).conversation : 0;
      differ(who, awaited, interrupted() ? "stopped before the end" : "the time was over before the end",
             awaited ? script_.event(*awaited).text : "the rest of the recording", "nothing");
      break;
    }
    if (awaited && at - moved_ >= patience) {
      const auto& event = script_.event(*awaited);
      differ(event.conversation, awaited, fmt::format("did not come within {} s", options_.wait_seconds),
             event.what == act::line ? event.text : event.what == act::open ? "a connection" : "the end of the connection", "nothing");
      break;
    }
    if (closing_ > 0 && at - moved_ >= patience) {
      // Who does not answer our end with its own has still seen it.
      for (auto& each : all_)
        if (each->is_closing) ended(*each);
    }
    if (line.due(at)) line.show(fmt::format("{} of {} lines said or heard", result_.said + result_.heard, script_.events()), at);
    loop_.run_once(milliseconds{options_.speed > 0 ? 1 : 10});
    std::erase_if(all_, [](const auto& each) { return !each->channel.is_open(); });
  }
  line.clear();
  result_.seconds = in_seconds(now() - began_);
  return std::move(result_);
}

}  // namespace

replay_result run_replay(const replay_options& options) {
  if (options.proxy.empty() && options.connect.empty() && options.listen.empty())
    throw std::runtime_error("nothing to play: give --proxy PROGRAM, --connect HOST:PORT for the miners, or --listen HOST:PORT for the pool");
  auto recorded = load_recording(options.file);
  if (recorded.is_plain && (options.connect.empty() == options.listen.empty()))
    throw std::runtime_error("a conversation without a proxy is played with --connect (its miner) or with --listen (its pool)");
  raise_descriptor_limit();
  return play(std::move(recorded), options).run();
}

}  // namespace stratumload
