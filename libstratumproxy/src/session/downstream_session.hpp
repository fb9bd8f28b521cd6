#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ring.hpp"
#include "metrics/hashrate_window.hpp"
#include "session/ids.hpp"
#include "session/optional_id.hpp"
#include "session/services.hpp"
#include "session/session_id.hpp"
#include "session/upstream_session.hpp"
#include "session/vardiff.hpp"
#include "stratumproxy/account.hpp"
#include "stratumproxy/algorithm/uint256.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/protocol/line_framer.hpp"
#include "stratumproxy/protocol/messages.hpp"
#include "stratumproxy/session_store.hpp"

namespace stratumproxy::session {

/// How a job reaches a worker.
enum class job_cause : std::uint8_t {
  pushed,  // the pool sent it
  moved,   // the worker is new on the link, or the link is new: a clean job, and all that goes with it
  eased,   // for a difficulty of the worker's own, which it takes along with the job: a lower one must not meet shares of the old
};

/// What holds between the proxy and a worker for its jobs from one on.
struct job_terms {
  std::uint64_t from = 0;            // our id of the first
  double difficulty = 0;             // the worker's
  std::uint32_t version_mask = 0;    // that it may roll
  std::uint16_t extranonce2_bytes = 0;  // its own part
  std::uint16_t pad_digits = 0;      // of the lane
  std::string lane;                  // hex: pad and mark; "" where it has the pool's own extranonce

  [[nodiscard]] std::string_view pad() const noexcept { return std::string_view(lane).substr(0, pad_digits); }
  [[nodiscard]] std::string_view mark() const noexcept { return std::string_view(lane).substr(pad_digits); }
  [[nodiscard]] bool same_but_from(const job_terms& other) const noexcept {
    return difficulty == other.difficulty && version_mask == other.version_mask && extranonce2_bytes == other.extranonce2_bytes &&
           pad_digits == other.pad_digits && lane == other.lane;
  }
};

/// A submit that the miner waits for.
struct awaited_submit {
  std::uint32_t sequence = 0;
  std::string id;            // as JSON text
  bool is_judged = false;
  bool is_answered = false;  // not yet while an earlier one with the same id has no verdict
  verdict how;
  std::string text;
};

/// What a worker has done under the labels of one pool.
struct worker_work {
  explicit worker_work(const metrics_options& config) : window(config.window, config.interval) {}
  metrics::share_counts shares;
  metrics::hashrate_window window;
  algorithm::uint256 best_hash = algorithm::uint256::max();  // of its checked shares
};

/// What a worker has from its first share on: it would be most of an idle one's memory.
struct worker_activity {
  worker_work work;  // on the link that it mines on
  std::uint32_t next_sequence = 0;
  ring<awaited_submit> in_flight;  // in the order of asking
  std::size_t waiting = 0;         // of them, those without an answer
  time_point ratio_since{};
  unsigned ratio_submits = 0;
  unsigned ratio_invalid = 0;
  unsigned rolled_without_mask = 0;
  time_point last_share{};
};

/// A link that a worker does not mine on, but has jobs of: one that it left, or one of its account's other weights.
struct other_link {
  link_id link{};
  std::uint64_t job = 0;              // the last one that it was given there
  std::uint32_t pool_login = 0;       // for late shares
  std::unique_ptr<worker_work> work;  // while it comes and goes; else its labels are gone
};

/// What a worker wishes for its difficulty; 0: nothing. Few do.
struct difficulty_wishes {
  double suggested = 0;
  double heard = 0;    // of the suggestions: what its tuner knows
  double minimum = 0;  // with mining.configure
  double fixed = 0;    // in the password
  double recalled = 0; // no wish: what it had at another proxy, until it is known what it has here
};

/// Whom a worker may call itself in its submits, beside its account and rig. Few do.
struct further_names {
  std::vector<std::string> rigs;  // that logged in on this connection, too
  std::string former_account;     // that it logged in as, before it was moved
};

/// What is needed until a worker is known.
struct worker_login {
  std::string line;              // a copy of the line being handled, until subscribed
  std::string request_id;        // of the look-up; "" wants no reply
  std::string suggested_target;  // becomes a difficulty once the algorithm is known
  std::optional<session_id> expected_session;  // what it gets, where it came from another shard
  std::unique_ptr<session_record> recalled;    // what it was at another proxy
};

/// One worker: the proxy as a pool of a miner, over its connections. Outlives the connection while its session may be restored.
///
///                 subscribe, authorize in any order
///   connected ---------------------------------------> mining --- drop ---> kept --- grace is over ---> gone
///                                                        ^                    |
///                                                        +--- takes over -----+   (a new connection's session, with its id)
///
/// It judges what needs no pool, and keeps the order of replies: while its account or session is looked up nothing more is read.
class downstream_session {
 public:
  /// What the owner of the worker is asked. Not to be destroyed from inside of these calls.
  class events {
   public:
    virtual ~events() = default;
    /// Gives the worker its identity, extranonce and session; answered with subscribe_answer(), unless it goes to another shard or is
    /// closed.
    virtual void worker_subscribes(downstream_session& worker, const protocol::subscribe& asked, time_point now) = 0;
    /// Starts a look-up; answered with authorize_answer().
    virtual void worker_authorizes(downstream_session& worker, std::string_view account, std::string_view rig, time_point now) = 0;
    /// The link whose job has this id, of those that the worker may submit to.
    [[nodiscard]] virtual upstream_session* link_of_job(downstream_session& worker, std::uint64_t job) = 0;
    virtual void worker_wishes(downstream_session& worker, time_point now) = 0;  // version rolling or a difficulty
    virtual void worker_closes(downstream_session& worker, close_reason reason, std::string_view detail, time_point now) = 0;
    [[nodiscard]] virtual bool may_roll(downstream_session& worker, time_point now) = 0;
    /// A share that ended here, or whose verdict came.
    virtual void share_ended(downstream_session& worker, const verdict& how, double difficulty, duration round_trip) = 0;
  };

  downstream_session(worker_id id, channel_id channel, std::string peer, std::string address, services& shard,
                     events& listener, time_point now);

  // ---- input
  /// Bytes of its connection: handles every complete line until it has to wait.
  void receive(std::span<char> bytes, time_point now);
  /// Bytes that came before it did: kept for resume().
  void preload(std::span<char> bytes);
  /// It was told on another shard that this login is good: looks it up again, without a reply.
  void authorize_silently(std::string_view login, time_point now);
  /// Goes on with what was kept while it had to wait.
  void resume(time_point now);
  [[nodiscard]] bool must_wait() const noexcept;
  /// One more rig that logged in on this connection.
  void note_rig(const std::string& name);
  /// It is about to be moved to another account, and goes on calling itself by the one that it logged in as.
  void keep_login();
  /// It logged in anew.
  void forget_login() noexcept {
    if (names_) names_->former_account.clear();
  }

  // ---- what the owner tells it
  void subscribe_answer();
  void authorize_answer(bool good, int code, std::string_view text, time_point now);
  /// `of`: the link that the share was for.
  void share_verdict(const judged_share& share, const verdict& how, link_id of, double divider, time_point now);
  /// The proof of work of one of its shares.
  void share_proven(const algorithm::uint256& hash) {
    auto& best = activity().work.best_hash;
    best = std::min(best, hash);
  }
  /// A share that was found before it came back as this one.
  void add_work(link_id of, double one, time_point now);
  /// A verdict on one of its shares came after the deadline.
  void add_late() noexcept {
    if (activity_) ++activity_->work.shares.late;
  }
  /// It mines for another account from here on.
  void reset_counts() noexcept;
  /// It mines on another link from here on; late shares still find the one that it leaves. `comes_back`: what it has done there
  /// stays, and goes on when it does.
  void go_to(link_id to, bool same_labels, bool comes_back);
  /// It mines nowhere; late shares still find the link.
  void leave_link();
  /// Begins to set the worker's difficulty here, or ends it, as the link's rules say.
  void take_rules(const upstream_session& link, time_point now);
  /// The link's difficulty, or a wish of the worker, is another. True when its own is then, too: it is due with a job.
  [[nodiscard]] bool retune(const upstream_session& link, time_point now);
  /// Likewise since a share of it was accepted.
  [[nodiscard]] bool take_retuned() noexcept { return std::exchange(is_retuned_, false); }
  /// Likewise when time went by.
  [[nodiscard]] bool tune(time_point now);
  /// Sends what the worker needs for the link's current job, in one write: extranonce, mask, difficulty, job.
  void give_job(upstream_session& link, job_cause cause, time_point now);
  /// The job that it has, under the same id once more.
  void give_job_again(upstream_session& link, bool clean, time_point now);
  void give_difficulty(upstream_session& link, time_point now);
  void give_mask(upstream_session& link, time_point now);
  void show(std::string_view text);
  void congested(bool is_congested) noexcept { congested_ = is_congested; }
  [[nodiscard]] std::optional<bool> take_missed_job() noexcept;  // whether a clean one was among them
  /// The connection is gone; verdicts that come now are only counted.
  void disconnected(time_point now);
  /// It had this difficulty at another proxy, and gets it again where the proxy says which it has; else the pool is asked for it.
  void recall(double its_difficulty);
  /// Continues what another session of the same worker was: difficulty, window, link.
  void take_over(downstream_session& before);
  /// Nothing was said for long: difficulty and job once more.
  void refresh(upstream_session& link, time_point now);

  // ---- what it is
  [[nodiscard]] worker_id id() const noexcept { return id_; }
  [[nodiscard]] const std::optional<channel_id>& channel() const noexcept { return channel_; }
  [[nodiscard]] bool is_connected() const noexcept { return channel_.has_value(); }
  [[nodiscard]] bool is_subscribed() const noexcept { return subscribed_; }
  [[nodiscard]] bool is_authorized() const noexcept { return authorized_; }
  [[nodiscard]] bool is_mining() const noexcept { return subscribed_ && authorized_; }
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }
  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] std::size_t in_flight() const noexcept { return activity_ ? activity_->waiting : 0; }
  /// Null before its first share.
  [[nodiscard]] const worker_work* work() const noexcept { return activity_ ? &activity_->work : nullptr; }
  /// When it came; nothing before the first.
  [[nodiscard]] std::optional<time_point> last_share() const noexcept {
    const bool came = activity_ && activity_->last_share != time_point{};
    return came ? std::optional(activity_->last_share) : std::nullopt;
  }
  /// On all links that it comes back to.
  [[nodiscard]] double hashrate(time_point now) const noexcept;
  [[nodiscard]] const std::vector<other_link>& others() const noexcept;
  [[nodiscard]] other_link* find_other(link_id link) noexcept;
  /// Late shares for links of which this is true find nothing any more.
  template <class Is>
  void forget_others(Is is) {
    if (others_) std::erase_if(*others_, is);
    if (others_ && others_->empty()) others_.reset();
  }
  /// Null when it was nowhere.
  [[nodiscard]] std::unique_ptr<session_record> take_recalled() { return login_ ? std::move(login_->recalled) : nullptr; }
  /// "" when there is none.
  [[nodiscard]] std::string take_suggested_target() { return login_ ? std::exchange(login_->suggested_target, {}) : std::string(); }
  [[nodiscard]] difficulty_wishes wishes() const noexcept { return wishes_ ? *wishes_ : difficulty_wishes{}; }
  /// Once; 0 when there is none.
  [[nodiscard]] double take_recalled_difficulty() noexcept { return wishes_ ? std::exchange(wishes_->recalled, 0) : 0; }
  /// To wish; made when there is none.
  [[nodiscard]] difficulty_wishes& wish();
  /// Made when there is none; gone once the worker is known.
  [[nodiscard]] worker_login& login();
  /// Of its session's id, for the log.
  [[nodiscard]] std::string short_session() const { return subscribed_ ? session.text().substr(0, 8) : std::string(); }
  /// Cleaned; "" before subscribe.
  [[nodiscard]] const std::string& agent() const noexcept { return *agent_; }
  [[nodiscard]] bool heard_message() const noexcept { return heard_message_; }
  /// The line being handled, with its end, and all behind it: for another shard. Only from inside of worker_subscribes().
  [[nodiscard]] std::string unread() const;

  time_point accepted_at;
  time_point last_sent;                       // of a job or difficulty
  session_id session;
  std::string mark;                           // hex; "" before subscribe
  unsigned miner_bytes = 0;                   // m
  std::string told_extranonce1;
  unsigned told_extranonce2_size = 0;
  bool version_rolling = false;               // asked for, and granted a mask at least once
  std::uint32_t wanted_mask = 0;              // miner's and the policy's
  std::uint32_t told_mask = 0;
  bool extranonce_subscribed = false;
  double told_difficulty = 0;
  std::shared_ptr<const account> owner;       // set once authorized
  std::string rig;                            // the first one; labels and the pool see it
  std::uint32_t pool_login = 0;               // of the rig, where its link has logins for each: upstream_session::add_login()
  unsigned moves = 0;                         // to other accounts, on this connection
  optional_id<link_id> link;
  std::uint64_t job = 0;                      // the last one it was given there
  optional_id<link_id> next_link;             // where it goes as soon as there is work
  metrics::switch_cause next_cause{};         // and why
  std::uint32_t home = 0;                     // the route of its account that it should mine on
  time_point came_at{};                       // to the route that it is on
  time_point idle_since = time_point::max();  // its link is not live since then
  bool is_served = false;                     // it had one on this connection
  optional_id<worker_id> restores;            // the session that its subscribe named
  optional_id<worker_id> claimed_by;          // who comes back as this one
  bool handed_over = false;                   // came from another shard
  bool is_vouched_for = false;                // was told on another shard that its login is good
  bool is_kept = false;                       // counted among the kept sessions
  bool is_ending = false;                     // sends no more, but is owed verdicts
  bool is_paused = false;                     // the host was told not to read
  bool counts_as_stranger = true;             // towards the limit of its address
  time_point left_at{};                       // when the connection was lost
  std::uint32_t saved = 0;                    // in the store of sessions: a hash of what; 0: nothing
  std::uint32_t saved_second = 0;             // when
  metrics::share_counts* totals = nullptr;    // of the account, pool and algorithm it mines for; the shard's
  double divider = 1;                         // of the algorithm it mines

 private:
  /// What a share counts for.
  struct ticket {
    metrics::share_counts* totals = nullptr;
    worker_work* own = nullptr;  // what it counts for of the worker's own; null where the labels are gone
    double difficulty = 0;
    double divider = 1;
    std::string_view id;
  };

  void process(time_point now);
  void encode_subscribed(std::string_view id);
  void recall_tuner();
  void handle(const protocol::miner_message& message, time_point now);
  void unusable_line(std::error_code why, time_point now);
  void authorize(std::string_view id, const protocol::authorize& asked, time_point now);
  void configure(std::string_view id, const protocol::configure& asked, time_point now);
  void submit(std::string_view id, const std::optional<protocol::submit>& submitted, time_point now);
  [[nodiscard]] worker_activity& activity();
  [[nodiscard]] worker_work* work_on(link_id link);
  [[nodiscard]] std::uint32_t login_on(link_id link) noexcept;
  [[nodiscard]] protocol::line_framer& framer() noexcept { return kept_ ? *kept_ : shard_.framer; }
  [[nodiscard]] const protocol::line_framer& framer() const noexcept { return kept_ ? *kept_ : shard_.framer; }
  void keep_unread();
  [[nodiscard]] bool is_own_name(std::string_view name) const;
  void refuse(const ticket& share, int code, std::string_view text, metrics::reject_reason reason, time_point now);
  void answer(const awaited_submit& share);
  void spend_error(time_point now);
  void watch_ratio(bool invalid, time_point now);
  [[nodiscard]] bool fits(const upstream_session& link) const noexcept;
  [[nodiscard]] bool match_extranonce(upstream_session& link, time_point now);
  [[nodiscard]] bool is_passed_through(const upstream_session& link) const noexcept;
  [[nodiscard]] double difficulty_for(const upstream_session& link) const noexcept;
  [[nodiscard]] const job_terms* terms_of(const job_form& form) const noexcept;
  [[nodiscard]] bool note_terms(const upstream_session& link, const job_form& form);
  void send_job(upstream_session& link, const job_form& form, bool clean, time_point now);
  void encode_mask(const upstream_session& link);
  void encode_difficulty(const upstream_session& link);

  const worker_id id_;
  std::shared_ptr<const std::string> agent_;
  std::optional<channel_id> channel_;
  const std::string peer_;
  const std::string address_;
  services& shard_;
  events& listener_;
  std::unique_ptr<protocol::line_framer> kept_;  // with lines that must wait, or a part of one; else the shard's is used
  std::unique_ptr<worker_login> login_;
  std::unique_ptr<worker_activity> activity_;
  std::unique_ptr<std::vector<other_link>> others_;
  std::unique_ptr<difficulty_wishes> wishes_;
  time_point first_job_at_ = time_point::max();  // under these labels

  bool heard_message_ = false;
  bool subscribed_ = false;
  bool authorized_ = false;
  bool looking_up_ = false;
  bool congested_ = false;
  std::optional<bool> missed_job_;
  std::unique_ptr<further_names> names_;
  unsigned errors_ = 0;
  unsigned failed_authorizes_ = 0;
  std::uint32_t empty_lines_ = 0;

  std::vector<job_terms> terms_;  // newest last
  std::optional<vardiff> tuner_;
  bool is_retuned_ = false;       // by a share
  bool is_tuned_ = false;         // it has had a first job
  time_point tuned_at_{};
};

}  // namespace stratumproxy::session
