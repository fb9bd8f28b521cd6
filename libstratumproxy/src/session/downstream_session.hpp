#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ring.hpp"
#include "metrics/hashrate_window.hpp"
#include "session/ids.hpp"
#include "session/services.hpp"
#include "session/session_id.hpp"
#include "session/upstream_session.hpp"
#include "stratumproxy/account.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/protocol/line_framer.hpp"
#include "stratumproxy/protocol/messages.hpp"

namespace stratumproxy::session {

/// How a job reaches a worker.
enum class job_cause : std::uint8_t {
  pushed,    // the pool sent it
  moved,     // the worker is new on the link, or the link is new: a clean job
  again,     // the worker had it already: it must not search the same space once more
};

/// One worker: the proxy as a pool of a miner, over its connections. Outlives the connection while its session may be restored.
///
///                 subscribe, authorize in any order
///   connected ---------------------------------------> mining --- drop ---> kept --- grace is over ---> gone
///                                                        ^                    |
///                                                        +--- takes over -----+   (a new connection's session, with its id)
///
/// It judges what needs no pool, and keeps the order of replies: while an account is looked up nothing more is read.
class downstream_session {
 public:
  /// What the owner of the worker is asked. Not to be destroyed from inside of these calls.
  class events {
   public:
    virtual ~events() = default;
    /// Gives the worker its identity, extranonce and session. False: it goes to another shard, or is closed; the line is not answered.
    [[nodiscard]] virtual bool worker_subscribes(downstream_session& worker, const protocol::subscribe& asked, time_point now) = 0;
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

  // ---- what the owner tells it
  void authorize_answer(bool good, int code, std::string_view text, time_point now);
  /// `counts`: the share was for the link that the worker mines on now, so that it belongs to the current labels.
  void share_verdict(const judged_share& share, const verdict& how, bool counts, double divider, time_point now);
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
  [[nodiscard]] std::size_t in_flight() const noexcept { return waiting_; }
  [[nodiscard]] bool heard_message() const noexcept { return heard_message_; }
  /// The line being handled, with its end, and all behind it: for another shard. Only from inside of worker_subscribes().
  [[nodiscard]] std::string unread() const;

  time_point accepted_at;
  time_point last_sent;                       // of a job or difficulty
  std::string agent;                          // cleaned
  std::string session_text;                   // of its id
  session_id session;
  std::string mark;                           // hex; "" before subscribe
  unsigned miner_bytes = 0;                   // m
  std::string told_extranonce1;
  unsigned told_extranonce2_size = 0;
  bool version_rolling = false;               // asked for, and granted a mask at least once
  std::uint32_t wanted_mask = 0;              // miner's and the policy's
  std::uint32_t told_mask = 0;
  bool extranonce_subscribed = false;
  double suggested_difficulty = 0;
  std::string suggested_target;               // becomes a difficulty once the algorithm is known
  double told_difficulty = 0;
  std::shared_ptr<const account> owner;       // set once authorized
  std::string rig;                            // the first one; labels and the pool see it
  unsigned moves = 0;                         // to other accounts, on this connection
  std::optional<link_id> link;
  std::optional<link_id> former_link;         // of the account before; its late shares still go there
  std::uint64_t job = 0;                      // the last one it was given
  std::optional<worker_id> restores;          // the session that its subscribe named
  std::optional<worker_id> claimed_by;        // who comes back as this one
  bool handed_over = false;                   // came from another shard,
  std::optional<session_id> expected_session; // to get this session
  bool is_vouched_for = false;                // was told on another shard that its login is good
  bool is_kept = false;                       // counted among the kept sessions
  bool is_ending = false;                     // sends no more, but is owed verdicts
  bool is_paused = false;                     // the host was told not to read
  bool counts_as_stranger = true;             // towards the limit of its address
  time_point left_at{};                       // when the connection was lost
  metrics::share_counts* totals = nullptr;    // of the account, pool and algorithm it mines for; the shard's
  double divider = 1;                         // of the algorithm it mines
  metrics::share_counts shares;               // since the labels last changed
  metrics::hashrate_window window;

 private:
  struct submitted {
    std::uint32_t sequence = 0;
    std::string id;      // as JSON text
    bool is_judged = false;
    bool is_answered = false;  // not yet while an earlier one with the same id has no verdict
    verdict how;
    std::string text;
  };
  /// What a share counts for.
  struct ticket {
    metrics::share_counts* totals = nullptr;
    bool own = true;  // of the current labels
    double difficulty = 0;
    double divider = 1;
    std::string_view id;
  };

  void process(time_point now);
  void handle(const protocol::miner_message& message, time_point now);
  void unusable_line(std::error_code why, time_point now);
  void authorize(std::string_view id, const protocol::authorize& asked, time_point now);
  void configure(std::string_view id, const protocol::configure& asked, time_point now);
  void submit(std::string_view id, const std::optional<protocol::submit>& submitted, time_point now);
  [[nodiscard]] bool is_own_name(std::string_view name) const;
  void refuse(const ticket& share, int code, std::string_view text, metrics::reject_reason reason, time_point now);
  void answer(const submitted& share);
  void spend_error(time_point now);
  void watch_ratio(bool invalid, time_point now);
  [[nodiscard]] bool fits(const upstream_session& link) const noexcept;
  [[nodiscard]] bool match_extranonce(upstream_session& link, time_point now);
  void encode_mask(const upstream_session& link);
  void encode_difficulty(const upstream_session& link);

  const worker_id id_;
  std::optional<channel_id> channel_;
  const std::string peer_;
  const std::string address_;
  services& shard_;
  events& listener_;
  protocol::line_framer framer_;
  std::string line_;            // a copy of the line being handled, until subscribed

  bool heard_message_ = false;
  bool subscribed_ = false;
  bool authorized_ = false;
  bool looking_up_ = false;
  bool congested_ = false;
  std::optional<bool> missed_job_;
  std::string authorize_id_;    // of the look-up; "" wants no reply
  std::vector<std::string> more_rigs_;  // that logged in on this connection, beside `rig`
  unsigned errors_ = 0;
  unsigned failed_authorizes_ = 0;
  unsigned rolled_without_mask_ = 0;
  std::size_t empty_lines_ = 0;

  std::uint32_t next_sequence_ = 0;
  ring<submitted> in_flight_;   // in the order of asking
  std::size_t waiting_ = 0;     // of them, those without an answer
  time_point ratio_since_{};
  unsigned ratio_submits_ = 0;
  unsigned ratio_invalid_ = 0;
};

}  // namespace stratumproxy::session
