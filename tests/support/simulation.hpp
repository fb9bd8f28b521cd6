#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <stratumproxy/algorithm/share_check.hpp>
#include <stratumproxy/protocol/codec.hpp>
#include <stratumproxy/protocol/line_framer.hpp>
#include <stratumproxy/session/session_manager.hpp>

/// The session layer without sockets: shards, miners and pools in one thread, on a clock that stands still unless it is moved.
/// Everything that happens is an event with a time; the same seed gives the same run.
namespace simulation {

using namespace std::chrono_literals;
using stratumproxy::duration;
using stratumproxy::time_point;

class world;

/// A proof of work that costs nothing and that a miner can have for the asking: the header's nonce is the share's difficulty, as
/// the logarithm to base 2 with 25 bits behind the point, from 2^-64. Algorithm "by-nonce" is fast, "by-nonce-slow" is not.
[[nodiscard]] std::uint32_t nonce_of_difficulty(double difficulty);
[[nodiscard]] double difficulty_of_nonce(std::uint32_t nonce);
/// The built-in algorithms and these two, for options::algorithms.
[[nodiscard]] std::shared_ptr<const stratumproxy::algorithm::registry> algorithms_by_nonce(double divider = 1);

/// One end of a simulated TCP connection.
class peer {
 public:
  virtual ~peer() = default;
  virtual void on_bytes(std::string_view bytes) = 0;
  virtual void on_closed() = 0;
};

struct shard final : stratumproxy::session::session_host {
  shard(world& owner, unsigned index, unsigned count);

  void send(stratumproxy::session::channel_id channel, std::string_view bytes) override;
  void close(stratumproxy::session::channel_id channel, stratumproxy::session::close_reason reason) override;
  void connect(stratumproxy::session::channel_id channel, const stratumproxy::session::destination& to) override;
  void set_reading(stratumproxy::session::channel_id, bool) override;
  void find_account(stratumproxy::session::lookup_id lookup, std::string_view name) override;
  void find_session(stratumproxy::session::lookup_id lookup, std::string_view id) override;
  [[nodiscard]] bool check_share(stratumproxy::session::check_id check, stratumproxy::session::proof_request what) override;
  void hand_over(stratumproxy::session::channel_id channel, unsigned to, stratumproxy::session::handover what) override;

  world& all;
  unsigned index;
  std::map<stratumproxy::session::channel_id, std::weak_ptr<peer>> channels;
  std::set<stratumproxy::session::channel_id> dialing;
  std::map<stratumproxy::session::channel_id, std::string> held;  // input while reading is off
  std::map<stratumproxy::session::channel_id, bool> reading;
  std::size_t checks = 0;  // under way
  std::unique_ptr<stratumproxy::session::session_manager> manager;
};

/// A connection of a miner. Parses what it is told with the library's own decoder, as a miner would.
class miner final : public peer {
 public:
  struct work {
    std::uint64_t id = 0;
    std::string text_id, coinb1, ntime;
    double difficulty = 0;
    bool clean = false;
    std::string extranonce1;
    unsigned extranonce2_size = 0;
  };
  struct reply {
    std::string id;
    bool accepted = false;
    bool failed = false;
    int code = 0;
    std::string text;
  };

  miner(world& owner, unsigned shard, std::string address);

  void send(std::string line);
  void deliver(std::string text);
  void subscribe(const std::string& session = {}, const std::string& agent = "miner/1");
  void authorize(const std::string& user);
  void login(const std::string& user, const std::string& session = {}, const std::string& agent = "miner/1");
  /// Submits a share of its own making for the last job, or another; gives the id.
  std::uint64_t submit(std::optional<work> on = std::nullopt, const std::string& worker = {});
  /// Likewise, of this difficulty where the algorithm is by nonce.
  std::uint64_t submit_of(double difficulty, std::optional<work> on = std::nullopt);
  void reset();  // the proxy hears of it
  void vanish(); // nobody hears of it: half-open

  void on_bytes(std::string_view bytes) override;
  void on_closed() override;

  [[nodiscard]] const reply* reply_to(std::uint64_t id) const;
  [[nodiscard]] bool has_job() const { return !jobs.empty(); }

  bool open = true;
  bool migrates = false;  // between two shards: what it sends waits in the kernel
  bool subscribed = false;
  std::string extranonce1, session, user;
  unsigned extranonce2_size = 0;
  double difficulty = 0;
  std::vector<work> jobs;
  std::vector<reply> replies;
  std::vector<std::string> lines, messages;
  std::uint64_t next_id = 1, submits = 0;
  world& all;
  unsigned shard_index;
  std::string address;
  std::string origin;  // its host:port
  stratumproxy::session::channel_id channel{};

 private:
  void on_line(std::string line);
  std::uint64_t submit_nonce(std::uint32_t nonce, const work& job, const std::string& worker);
  std::string rest_;
  std::uint64_t subscribe_id_ = 0;
};

struct ledger_entry {
  std::string user, job, extranonce1, extranonce2, ntime, nonce, bits, coinbase;
  std::string pool;
  bool answered = true;
  bool accepted = true;
  double credit = 0;  // the difficulty of its job, where the pool weighs shares and accepted it
};

class pool;

/// A connection that a pool accepted.
class pool_link final : public peer {
 public:
  pool_link(pool& owner, unsigned shard, stratumproxy::session::channel_id channel, std::string extranonce1);
  void on_bytes(std::string_view bytes) override;
  void on_closed() override { open = false; }
  void send(const std::string& line);
  void difficulty(double value);
  /// A job of its own; gives the pool's id of it.
  std::string job(bool clean = true);
  void drop();

  pool& owner;
  unsigned shard_index;
  stratumproxy::session::channel_id channel;
  std::string extranonce1, user, agent;
  bool open = true, authorized = false;
  double current_difficulty = 0;
  double suggested = 0;  // by the proxy
  std::map<std::string, std::string> coinb1;
  std::map<std::string, double> weights;  // the difficulty of each job
  std::set<std::string> seen;             // shares
  std::deque<std::string> withheld;  // ids of submits without an answer
 private:
  void on_line(std::string line);
  std::string verdict(const stratumproxy::protocol::submit& share);  // a JSON error, or nothing
  std::string rest_;
};

class pool {
 public:
  pool(world& owner, std::string where) : all(owner), name(std::move(where)) {}
  std::shared_ptr<pool_link> accept(unsigned shard, stratumproxy::session::channel_id channel);
  [[nodiscard]] std::shared_ptr<pool_link> newest() const;
  [[nodiscard]] std::size_t open_links() const;
  void drop_all();

  world& all;
  std::string name;
  bool up = true;
  bool keeps_extranonce1 = false;  // every link gets the same
  unsigned extranonce1_bytes = 4, extranonce2_size = 8;
  std::uint32_t version_mask = 0x1fffe000;
  bool answers_configure = true;
  bool closes_at_once = false;
  bool is_mute = false;       // takes connections, and says nothing
  std::string refuses_login;  // with this text
  bool answers_shares = true;
  std::string rejects_with;   // a JSON error
  double first_difficulty = 8;
  std::string nbits = "1d00ffff";
  bool weighs_shares = false; // by nonce, against the difficulty of their job; 22 and 23 for those that it does not like
  std::uint64_t attempts = 0;
  std::vector<std::shared_ptr<pool_link>> links;
  std::vector<ledger_entry> ledger;
  std::uint64_t next_extranonce1 = 1, next_job = 1;
};

class world {
 public:
  explicit world(std::uint64_t seed = 1, unsigned shards = 1, stratumproxy::options with = {},
                 stratumproxy::line_tap* tap = nullptr);
  /// Each shard is a proxy of its own, and they share the store.
  world(std::uint64_t seed, unsigned proxies, stratumproxy::options with, stratumproxy::session_store& between);
  ~world();

  pool& add_pool(const std::string& where = "pool.example:3333");
  void add_account(const std::string& name, const std::string& where = "pool.example:3333", const std::string& user = "",
                   double divider = 1, const std::function<void(stratumproxy::pool_info&)>& change = {});
  /// One more route of the account; before any worker comes.
  void add_route(const std::string& name, const std::string& where, unsigned weight = 0,
                 const std::function<void(stratumproxy::pool_info&)>& change = {});
  /// The account is another from now on, and all shards hear of it.
  void change_account(const std::string& name, const std::function<void(stratumproxy::account&)>& change);
  void remove_account(const std::string& name);
  std::shared_ptr<miner> connect(unsigned shard = 0, const std::string& address = "10.0.0.1");

  void after(duration delay, std::function<void()> what);
  void run_for(duration time);
  /// True as soon as the condition holds; false when it did not within this time.
  [[nodiscard]] bool until(const std::function<bool()>& condition, duration limit = 10s);
  [[nodiscard]] stratumproxy::metrics::snapshot snapshot() const;
  [[nodiscard]] std::uint64_t event(std::string_view name) const;

  stratumproxy::options config;
  stratumproxy::session_store* const sessions;
  time_point now{};
  std::mt19937_64 random;
  duration latency = 1ms;
  bool database_up = true;
  duration check_time = 1ms;         // of a slow proof of work
  std::size_t max_checks = 1'024;    // at a time, of each shard
  std::map<std::string, std::shared_ptr<const stratumproxy::account>> accounts;
  std::map<std::string, std::unique_ptr<pool>> pools;
  std::vector<std::unique_ptr<shard>> shards;
  stratumproxy::protocol::decoder decoder;  // of the miners and pools

 private:
  void add_shards(unsigned shards, bool are_one_proxy, stratumproxy::line_tap* tap);
  struct event_entry {
    time_point at;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const event_entry& other) const {
      return std::tie(other.at, other.order) < std::tie(at, order);
    }
  };
  void step(time_point limit);
  std::priority_queue<event_entry> events_;
  std::uint64_t next_order_ = 0;
};

}  // namespace simulation
