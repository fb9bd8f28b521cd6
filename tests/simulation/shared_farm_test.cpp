#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "simulation.hpp"

// Thousands of honest miners on shared links for hours. The world of simulation.hpp remembers every line, which is too much
// here: this one drives a session_manager itself, without latency, so that no share is ever stale and each miner's number of
// shares is a Poisson variable to the last digit.
namespace {

using namespace std::chrono_literals;
using namespace stratumproxy;
using session::channel_id;

constexpr double shares_per_minute = 15;  // the library's default
constexpr auto first_minutes = 10min;     // left out of all rates: the search for a difficulty
constexpr auto job_interval = 30s;
constexpr auto retarget_interval = 2min;

struct farm_size {
  unsigned workers = 0;
  unsigned workers_per_link = 0;
  duration time{};            // behind the first minutes
  unsigned extranonce2_bytes = 8;
  unsigned churning_percent = 0;
  bool mixed_agents = false;
};

double seconds(duration time) { return std::chrono::duration<double>(time).count(); }

std::string_view text_after(std::string_view line, std::string_view mark) {
  const auto at = line.find(mark);
  return at == line.npos ? std::string_view() : line.substr(at + mark.size());
}

std::string hex(std::uint64_t value, std::size_t bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(bytes * 2, '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, value >>= 4) *at = digits[value & 15];
  return text;
}

// Who searches where for one job of the pool. A space is what stands before the miner's own part of the extranonce2.
class spaces {
 public:
  // False when another worker is in it, or in a part of it, or when the same worker was there at the same time of the header.
  bool enter(const std::string& space, unsigned worker, const std::string& ntime) {
    const auto next = taken_.lower_bound(space);
    if (next != taken_.end() && next->first == space) {
      const bool same_search = next->second.first != worker || ntime <= next->second.second;
      next->second.second = ntime;
      return !same_search;
    }
    if (next != taken_.end() && next->first.starts_with(space)) return false;
    if (next != taken_.begin() && space.starts_with(std::prev(next)->first)) return false;
    taken_.emplace_hint(next, space, std::pair(worker, ntime));
    return true;
  }

 private:
  std::map<std::string, std::pair<unsigned, std::string>> taken_;
};

class farm final : public session::session_host {
 public:
  explicit farm(const farm_size& given, std::uint64_t seed = 1) : size(given), random(seed) {
    config.algorithms = simulation::algorithms_by_nonce();
    config.upstream.max_workers_per_link = size.workers_per_link;
    config.limits.unauthorized_per_address = size.workers;
    auto row = std::make_shared<account>();
    row->name = "farm";
    account_route route;
    route.pool.host = "pool.example";
    route.pool.port = 3333;
    route.pool.algorithm = "by-nonce";
    route.pool.mode = link_mode::shared;
    route.pool.verify = verify_level::full;
    route.user = "user";
    row->routes.push_back(std::move(route));
    account_ = std::move(row);

    session::manager_settings settings;
    settings.config = &config;
    settings.instance = "farm";
    settings.random = [this](std::span<std::uint8_t> bytes) {
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    };
    manager = std::make_unique<session::session_manager>(std::move(settings), *this);

    workers.resize(size.workers);
    for (unsigned i = 0; i < size.workers; ++i) {
      auto& one = workers[i];
      one.hashrate = std::exp(std::uniform_real_distribution(std::log(1e6), std::log(200e12))(random));
      one.churns = i % 100 < size.churning_percent;
      one.agent = !size.mixed_agents ? "cgminer/4" : i % 20 == 7 ? "NiceHash/1" : i % 50 == 9 ? "ckproxy" : "cgminer/4";
      at(start + duration(random() % duration(60s).count()), kind::join, i);
    }
    at(start, kind::tick, 0);
    at(start + first_minutes, kind::measure, 0);
  }

  void run() {
    const auto end = start + first_minutes + size.time;
    while (!events_.empty() && events_.top().at <= end) {
      const event what = events_.top();
      events_.pop();
      now = what.at;
      happen(what);
      settle();
    }
    now = end;
  }

  struct worker {
    double hashrate = 0;
    bool churns = false;
    std::string agent;

    channel_id channel{};
    bool open = false, resumes = false;
    time_point left{};
    std::string session, extranonce1, job, ntime;
    unsigned extranonce2_bytes = 0;
    std::uint64_t next_id = 3, next_extranonce2 = 0;
    double difficulty = 0, job_difficulty = 0;
    unsigned search = 0;  // a share found by an earlier one does not count
    std::deque<std::pair<std::uint64_t, double>> unanswered;  // submits, with the difficulty of their job

    std::uint64_t shares = 0;  // told true
    double work = 0;
    std::deque<time_point> changes;
    unsigned most_changes_an_hour = 0;

    [[nodiscard]] double ideal() const { return hashrate * 60 / shares_per_minute / 0x1p32; }
  };

  struct pool_link {
    channel_id channel{};
    bool open = true;
    std::string extranonce1;
    double difficulty = 0x1p20;
    unsigned jobs = 0, shares_since = 0;
    time_point since{};
    struct job {
      double difficulty = 0;
      std::unordered_set<std::string> seen;
    };
    std::map<std::string, job> known;
    std::map<std::string, spaces> searches;  // by the number in coinb1
  };

  farm_size size;
  std::mt19937_64 random;
  options config;
  std::unique_ptr<session::session_manager> manager;
  time_point start{time_point{} + 1h}, now{start};
  std::vector<worker> workers;
  std::vector<std::unique_ptr<pool_link>> links;
  protocol::decoder decoder;

  std::uint64_t submitted = 0, told_true = 0, told_false = 0;
  double told_work = 0;
  std::uint64_t pool_accepted = 0, pool_refused = 0;
  double pool_work = 0;
  std::uint64_t jobs_heard = 0, collisions = 0, resumed = 0, resumed_marks = 0;
  unsigned settled = 0, judged = 0;
  std::vector<std::string> surprises;

  [[nodiscard]] std::size_t open_links() const {
    return static_cast<std::size_t>(std::count_if(links.begin(), links.end(), [](const auto& link) { return link->open; }));
  }

 private:
  enum class kind : std::uint8_t { join, leave, share, judge, measure, job, tick };
  struct event {
    time_point at;
    std::uint64_t order;
    kind what;
    unsigned who;
    unsigned search;
    bool operator<(const event& other) const { return std::tie(other.at, other.order) < std::tie(at, order); }
  };

  void at(time_point when, kind what, unsigned who, unsigned search = 0) {
    events_.push({when, next_order_++, what, who, search});
  }
  duration exponential(double mean) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(std::exponential_distribution(1 / mean)(random)));
  }

  void happen(const event& what) {
    auto& who = workers[what.what == kind::job ? 0 : what.who];
    switch (what.what) {
      case kind::join: return join(what.who);
      case kind::leave: return leave(what.who);
      case kind::share:
        if (who.open && who.search == what.search) find_share(what.who);
        return;
      case kind::judge: return judge(who);
      case kind::measure:
        for (auto& one : workers) one.shares = 0, one.work = 0, one.changes.clear(), one.most_changes_an_hour = 0;
        return;
      case kind::job: return new_job(*links[what.who], false);
      case kind::tick:
        manager->tick(now);
        return at(now + 100ms, kind::tick, 0);
    }
  }

  // What the host was asked for is answered once the manager is free.
  void settle() {
    while (!soon_.empty()) {
      const auto what = std::move(soon_.front());
      soon_.pop_front();
      what();
    }
  }

  void receive(channel_id channel, std::string text) { manager->receive(channel, text, now); }

  void join(unsigned index) {
    auto& who = workers[index];
    const bool first = who.session.empty();
    const auto address = "10." + std::to_string(index >> 16) + "." + std::to_string(index >> 8 & 255) + "." + std::to_string(index & 255);
    who.channel = manager->accept(address + ":4000", address, now);
    who.open = true;
    who.difficulty = who.job_difficulty = 0;
    who.unanswered.clear();
    who.next_id = 3;
    miners_[who.channel] = index;
    const bool comes_back = !first && random() % 5 != 0;
    who.resumes = comes_back && now - who.left < config.session.grace;
    resumed += who.resumes;
    receive(who.channel, "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"" + who.agent + "\"" +
                             (comes_back ? ",\"" + who.session + "\"" : std::string()) +
                             "]}\n{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.rig" + std::to_string(index) + "\",\"x\"]}\n");
    if (first) at(now + 5min, kind::judge, index);
    if (who.churns) at(now + exponential(300), kind::leave, index);
  }

  void leave(unsigned index) {
    auto& who = workers[index];
    if (!who.open) return;
    who.open = false;
    who.left = now;
    miners_.erase(who.channel);
    manager->closed(who.channel, session::close_reason::reset, now);
    at(now + exponential(40), kind::join, index);
  }

  void judge(const worker& who) {
    if (who.churns || who.shares == 0) return;
    ++judged;
    if (std::abs(std::log2(who.difficulty) - std::round(std::log2(who.ideal()))) <= 1) ++settled;
  }

  // A Poisson process has no memory: only with another difficulty the wait for the next share begins anew.
  void await_share(unsigned index) {
    auto& who = workers[index];
    at(now + exponential(0x1p32 * who.job_difficulty / who.hashrate), kind::share, index, who.search);
  }

  void find_share(unsigned index) {
    auto& who = workers[index];
    const double luck = std::uniform_real_distribution(0x1p-52, 1.0)(random);
    const auto id = who.next_id++;
    ++submitted;
    who.unanswered.emplace_back(id, who.job_difficulty);
    std::string line = "{\"id\":" + std::to_string(id) + ",\"method\":\"mining.submit\",\"params\":[\"farm.rig" + std::to_string(index);
    ((line += "\",\"") += who.job) += "\",\"";
    ((line += hex(who.next_extranonce2++, who.extranonce2_bytes)) += "\",\"") += who.ntime;
    ((line += "\",\"") += hex(simulation::nonce_of_difficulty(who.job_difficulty / luck), 4)) += "\"]}\n";
    await_share(index);
    receive(who.channel, std::move(line));
  }

  void hear(unsigned index, std::string_view line) {
    auto& who = workers[index];
    if (line.starts_with("{\"id\":null")) {
      if (const auto difficulty = text_after(line, "mining.set_difficulty\",\"params\":["); !difficulty.empty()) {
        hear_difficulty(who, std::strtod(std::string(difficulty.substr(0, 32)).c_str(), nullptr));
      } else if (const auto job = text_after(line, "mining.notify\",\"params\":[\""); !job.empty()) {
        hear_job(index, job);
      } else {
        surprises.emplace_back(line);
      }
      return;
    }
    const auto id = std::strtoull(std::string(line.substr(6, 24)).c_str(), nullptr, 10);
    if (id == 1) return hear_subscribed(who, line);
    const bool yes = line.find("\"result\":true,\"error\":null}") != line.npos;
    if (id == 2 && yes) return;
    const auto asked = std::find_if(who.unanswered.begin(), who.unanswered.end(), [&](const auto& one) { return one.first == id; });
    if (asked == who.unanswered.end()) return surprises.emplace_back(line), void();
    if (yes) {
      ++told_true;
      ++who.shares;
      who.work += asked->second;
      told_work += asked->second;
    } else {
      ++told_false;
      if (line.find("[23,\"Low difficulty share\"") == line.npos) surprises.emplace_back(line);  // the pool's own words
    }
    who.unanswered.erase(asked);
  }

  void hear_subscribed(worker& who, std::string_view line) {
    const auto notify = text_after(line, "[\"mining.notify\",\"");
    const auto session = std::string(notify.substr(0, notify.find('"')));
    const auto x1 = text_after(notify, "]],\"");
    const auto extranonce1 = std::string(x1.substr(0, x1.find('"')));
    if (who.resumes) resumed_marks += extranonce1 == who.extranonce1;
    who.session = session;
    who.extranonce1 = extranonce1;
    who.extranonce2_bytes = static_cast<unsigned>(std::strtoul(std::string(text_after(x1, ",").substr(0, 8)).c_str(), nullptr, 10));
  }

  void hear_difficulty(worker& who, double value) {
    if (value == who.difficulty) return;
    if (who.difficulty != 0) {
      who.changes.push_back(now);
      while (who.changes.front() <= now - 1h) who.changes.pop_front();
      who.most_changes_an_hour = std::max(who.most_changes_an_hour, static_cast<unsigned>(who.changes.size()));
    }
    who.difficulty = value;
  }

  void hear_job(unsigned index, std::string_view params) {
    auto& who = workers[index];
    std::array<std::string_view, 3> head;  // id, prevhash, coinb1
    for (auto& text : head) {
      const auto end = params.find('"');
      text = params.substr(0, end);
      params.remove_prefix(std::min(params.size(), end + 3));
    }
    const auto end = params.rfind('"');
    who.ntime = std::string(params.substr(params.rfind('"', end - 1) + 1, end - params.rfind('"', end - 1) - 1));
    who.job = head[0];
    ++jobs_heard;
    const auto number = std::string(head[2].substr(0, 16));
    const auto space = std::string(head[2].substr(16)) + who.extranonce1;
    const auto link = std::find_if(links.begin(), links.end(), [&](const auto& one) { return one->searches.contains(number); });
    if (link == links.end() || !space.starts_with((*link)->extranonce1)) {
      surprises.push_back("a job that no pool gave: " + number + " " + space);
    } else if (!(*link)->searches[number].enter(space.substr((*link)->extranonce1.size()), index, who.ntime)) {
      ++collisions;
    }
    if (who.difficulty == who.job_difficulty) return;
    who.job_difficulty = who.difficulty;
    ++who.search;
    await_share(index);
  }

  void send_pool(pool_link& link, std::string line) {
    soon_.push_back([this, &link, text = std::move(line)]() mutable {
      if (link.open) manager->receive(link.channel, text, now);
    });
  }

  void new_job(pool_link& link, bool first) {
    if (!link.open) return;
    const bool clean = first || ++link.jobs % 4 == 0;
    if (first || now - link.since >= retarget_interval) {
      // As real pools do: about 30 shares a minute, by powers of two.
      const double wanted = 30 * seconds(now - link.since) / 60;
      if (!first && (link.shares_since > 2 * wanted || link.shares_since < wanted / 2)) {
        link.difficulty = std::max(0x1p16, link.difficulty * std::exp2(std::round(std::log2((link.shares_since + 1) / wanted))));
      }
      link.since = now;
      link.shares_since = 0;
      std::string line;
      protocol::encode_set_difficulty(line, link.difficulty);
      send_pool(link, std::move(line));
    }
    const auto number = hex(++next_job_, 8);
    const auto id = "p" + number;
    if (clean) link.known.clear();
    link.known[id].difficulty = link.difficulty;
    if (link.searches.size() > 4) link.searches.erase(link.searches.begin());
    link.searches[number];
    send_pool(link, "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"" + id + "\",\"" + hex(next_job_, 32) + "\",\"" + number +
                        "\",\"ffff\",[\"" + hex(next_job_, 32) + "\"],\"20000000\",\"17034219\",\"" +
                        hex(0x66a00000 + static_cast<std::uint64_t>(seconds(now - start)), 4) + "\"," + (clean ? "true" : "false") + "]}\n");
    at(now + job_interval, kind::job, index_of(link));
  }

  unsigned index_of(const pool_link& link) const {
    const auto found = std::find_if(links.begin(), links.end(), [&](const auto& one) { return one.get() == &link; });
    return static_cast<unsigned>(found - links.begin());
  }

  void hear_proxy(pool_link& link, std::string line) {
    const auto message = decoder.decode_miner(line);
    if (!message) return surprises.push_back("to the pool: " + line), void();
    const std::string id(message->id);
    const auto answer = [&](const std::string& result, const std::string& error = "null") {
      send_pool(link, "{\"id\":" + id + ",\"result\":" + result + ",\"error\":" + error + "}\n");
    };
    if (std::holds_alternative<protocol::subscribe>(message->body)) {
      answer("[[[\"mining.notify\",\"s\"]],\"" + link.extranonce1 + "\"," + std::to_string(size.extranonce2_bytes) + "]");
    } else if (const auto* const asked = std::get_if<protocol::configure>(&message->body)) {
      std::string reply;
      protocol::encode_configured(reply, id, *asked, 0x1fffe000);
      send_pool(link, std::move(reply));
    } else if (std::holds_alternative<protocol::authorize>(message->body)) {
      answer("true");
      new_job(link, true);
    } else if (const auto* const share = std::get_if<protocol::submit>(&message->body)) {
      const auto error = verdict(link, *share);
      error.empty() ? answer("true") : answer("null", error);
    } else {
      answer("true");
    }
  }

  std::string verdict(pool_link& link, const protocol::submit& share) {
    const auto refuse = [&](const char* error) {
      ++pool_refused;
      return error;
    };
    const auto job = link.known.find(std::string(share.job));
    if (job == link.known.end()) return refuse("[21,\"Job not found\",null]");
    if (share.extranonce2.size() != 2 * size.extranonce2_bytes) return refuse("[20,\"Wrong extranonce2 size\",null]");
    if (!job->second.seen.insert(std::string(share.extranonce2) + std::string(share.nonce) + std::string(share.ntime)).second) {
      return refuse("[22,\"Duplicate share\",null]");
    }
    const auto nonce = protocol::parse_hex32(share.nonce);
    if (!nonce || simulation::difficulty_of_nonce(*nonce) < job->second.difficulty) return refuse("[23,\"Low difficulty share\",null]");
    ++pool_accepted;
    ++link.shares_since;
    pool_work += job->second.difficulty;
    return {};
  }

  // ---- what the manager asks for ----

  void send(channel_id channel, std::string_view bytes) override {
    const auto miner = miners_.find(channel);
    const auto pool = pools_.find(channel);
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      if (miner != miners_.end()) {
        hear(miner->second, bytes.substr(0, end));
      } else if (pool != pools_.end()) {
        hear_proxy(*pool->second, std::string(bytes.substr(0, end)));
      }
      bytes.remove_prefix(end + 1);
    }
  }
  void close(channel_id channel, session::close_reason reason) override {
    if (const auto miner = miners_.find(channel); miner != miners_.end()) {
      workers[miner->second].open = false;
      surprises.push_back("a worker was closed: " + std::string(session::name(reason)));
      miners_.erase(miner);
    }
    if (const auto pool = pools_.find(channel); pool != pools_.end()) {
      pool->second->open = false;
      pools_.erase(pool);
    }
  }
  void connect(channel_id channel, const session::destination&) override {
    soon_.push_back([this, channel] {
      links.push_back(std::make_unique<pool_link>());
      links.back()->channel = channel;
      links.back()->extranonce1 = hex(0xe0000000 + links.size(), 4);
      pools_[channel] = links.back().get();
      manager->connected(channel, now);
    });
  }
  void set_reading(channel_id, bool) override {}  // no miner sends anything while its account is looked up
  void find_account(session::lookup_id lookup, std::string_view) override {
    soon_.push_back([this, lookup] { manager->account_found(lookup, {account_lookup::status::found, account_}, now); });
  }
  bool check_share(session::check_id, session::proof_request) override {
    surprises.emplace_back("a fast hash was sent away");
    return false;
  }
  void hand_over(channel_id, unsigned, session::handover) override { surprises.emplace_back("a worker was handed over"); }

  std::shared_ptr<const account> account_;
  std::priority_queue<event> events_;
  std::uint64_t next_order_ = 0, next_job_ = 0;
  std::deque<std::function<void()>> soon_;
  std::unordered_map<channel_id, unsigned> miners_;
  std::unordered_map<channel_id, pool_link*> pools_;
};

bool at_full_size() {
  const char* const scale = std::getenv("SPX_SCALE");
  return scale != nullptr && std::string_view(scale) == "full";
}

// What holds of every run, whoever came and went.
void check_laws(const farm& done) {
  for (const auto& surprise : done.surprises) UNSCOPED_INFO(surprise);
  CHECK(done.surprises.empty());
  CHECK(done.collisions == 0);
  // A share that misses the pool's target by less than 2^-15 has the benefit of the doubt; this pool never doubts.
  CHECK(done.told_false == done.pool_refused);
  CHECK(done.pool_refused <= 3 + done.pool_accepted / 10'000);

  const auto last = done.manager->snapshot(done.now);
  metrics::share_counts counted;
  for (const auto& row : last.totals) counted += row.shares;
  std::uint64_t held_back = 0;
  for (const auto& row : last.pools) held_back += row.held_back;
  CHECK(counted.sent == done.submitted);
  CHECK(counted.accepted == done.told_true);
  CHECK(counted.pool_accepted == done.pool_accepted);
  CHECK(held_back == done.told_true - done.pool_accepted);
  CHECK(counted.sent == counted.accepted + counted.rejected_total() + counted.unknown);
  CHECK(counted.accepted_one == Approx(done.told_work).epsilon(1e-9));
  CHECK(counted.pool_accepted_one == Approx(done.pool_work).epsilon(1e-9));

  REQUIRE(done.pool_accepted > 0);
  const double error = done.pool_work / counted.accepted_one - 1;
  INFO("the pool credited " << error * 100 << " % more than was counted here, with " << done.pool_accepted << " shares");
  CHECK(std::abs(error) < 3 / std::sqrt(done.pool_accepted));
}

}  // namespace

TEST_CASE("a farm on shared links: every worker soon at its difficulty, in a space of its own, and all work counted") {
  const bool full = at_full_size();
  farm_size size;
  size.workers = full ? 10'000 : 1'000;
  size.workers_per_link = full ? 256 : 32;
  size.time = full ? duration(2h) : duration(20min);
  size.churning_percent = 5;
  size.mixed_agents = true;
  farm all(size);
  all.run();
  check_laws(all);
  CHECK(all.resumed > size.workers / 20);
  CHECK(all.resumed_marks == all.resumed);

  INFO(all.settled << " of " << all.judged << " workers at the ideal difficulty or its neighbour after 5 minutes");
  CHECK(all.judged > size.workers * 9 / 10);
  CHECK(all.settled >= 0.99 * all.judged);

  double sum = 0, squares = 0;
  unsigned measured = 0, restless = 0;
  for (const auto& who : all.workers) {
    if (who.churns || who.shares == 0) continue;
    const double estimate = who.work * 0x1p32 / seconds(size.time);
    const double deviation = (estimate / who.hashrate - 1) * std::sqrt(static_cast<double>(who.shares));
    sum += deviation;
    squares += deviation * deviation;
    ++measured;
    restless += who.most_changes_an_hour > 2;
  }
  const double mean = sum / measured;
  const double deviation = std::sqrt(squares / measured - mean * mean);
  const double tolerance = 0.05 * std::sqrt(10'000.0 / size.workers);  // five deviations of the mean, at either size
  INFO("mean " << mean << ", deviation " << deviation << ", tolerance " << tolerance);
  CHECK(measured == all.judged);
  CHECK(std::abs(mean) < tolerance);
  CHECK(std::abs(deviation - 1) < tolerance);
  CHECK(restless == 0);
  if (!full) return;
  WARN(size.workers << " workers, " << all.open_links() << " links, " << all.submitted << " shares, "
                    << all.pool_accepted << " to the pool; " << all.settled << '/' << all.judged << " settled; mean " << mean
                    << ", deviation " << deviation << "; " << restless << " restless; " << all.jobs_heard << " jobs heard, "
                    << all.resumed << " resumed; pool/here " << all.pool_work / all.told_work);
}

TEST_CASE("a farm of workers that stay fills as few links as can be, where there is room for pads and where there is none") {
  const unsigned extranonce2_bytes = GENERATE(8U, 4U);
  farm_size size;
  size.workers = at_full_size() ? 10'000 : 1'000;
  size.workers_per_link = 256;
  size.time = 1min;
  size.extranonce2_bytes = extranonce2_bytes;
  farm all(size);
  all.run();
  check_laws(all);
  INFO("E = " << extranonce2_bytes);
  CHECK(all.open_links() == (size.workers + 255) / 256);
}
