#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ring.hpp"
#include "session/broadcast_job.hpp"
#include "session/ids.hpp"
#include "session/job_table.hpp"
#include "session/lane_table.hpp"
#include "session/mining_rules.hpp"
#include "session/route_state.hpp"
#include "session/services.hpp"
#include "stratumproxy/account.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/protocol/codec.hpp"
#include "stratumproxy/protocol/line_framer.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::session {

/// What an account did at a pool: for the metrics of the whole proxy.
struct total_counts : metrics::share_counts {
  double worker_seconds = 0;  // that its workers mined there
};

/// A share on its way up, in the layout of its job. Views end with the call.
struct outgoing_share {
  worker_id worker{};
  std::uint32_t sequence = 0;       // the worker's own number for it
  double difficulty = 0;            // the worker's, of its job
  std::uint32_t login = 0;          // of the worker's rig: add_login()
  std::string_view prefix;          // hex: pad and mark
  std::string_view extranonce2;     // hex: the miner's part
  std::uint32_t ntime = 0;
  std::uint32_t nonce = 0;
  std::optional<std::uint32_t> version_bits;  // where the miner may roll: all bits of the link's mask
};

/// How a share ended. The text ends with the call.
struct verdict {
  metrics::share_record::verdict outcome = metrics::share_record::verdict::unknown;
  metrics::reject_reason reason = metrics::reject_reason::other;
  int code = 20;
  std::string_view text;
  bool is_local = false;  // not the pool's
};

/// What a verdict is for.
struct judged_share {
  worker_id worker{};
  std::uint32_t sequence = 0;
  double difficulty = 0;       // the worker's, of its job
  double pool_difficulty = 0;  // the link's
  time_point received{};
};

/// One link: the proxy as a miner of a pool, over any number of connections to it.
///
///            its turn            TCP up               subscribed, authorized, configured          no job for long
///   waiting -----------> connecting -----> handshaking ----------------------------------> live -------------------> silent
///      ^                   ^    |             |    |                                       ^  |  <-------------------  |
///      |          its turn |    |             |    |                        nobody mines   |  v        a job           |
///      |                   |    v             v    |                        on it          parked                      |
///      |                 failing <--- lost or could not be had, from everywhere ------------+--------------------------+
///      |                                           | login refused
///      +-------------- refusal is over --------- refused
///
/// While it has no connection that is ready, shares for jobs that may become good again wait (`parked_`). What the pool sends is
/// checked by the codec before it gets here; here it is put in order.
class upstream_session {
 public:
  static constexpr std::string_view connection_lost = "job not found: the pool's connection was lost";

  /// What the owner of the link hears. Not to be destroyed from inside of these calls.
  class events {
   public:
    virtual ~events() = default;
    virtual void link_live(upstream_session& link, time_point now) = 0;
    /// The pool's extranonce is another: all lanes are void.
    virtual void link_layout(upstream_session& link, time_point now) = 0;
    virtual void link_job(upstream_session& link, bool repeated, time_point now) = 0;
    virtual void link_difficulty(upstream_session& link, time_point now) = 0;
    virtual void link_mask(upstream_session& link, time_point now) = 0;
    virtual void link_verdict(upstream_session& link, const judged_share& share, const verdict& how, time_point now) = 0;
    /// The proof of work of a share was checked, and is good enough for the worker's difficulty.
    virtual void link_proof(upstream_session& link, const judged_share& share, const algorithm::proof& proof) = 0;
    /// Has a share's proof of work computed elsewhere. Nothing when that has too much to do.
    [[nodiscard]] virtual std::optional<check_id> link_check(upstream_session& link, proof_request what) = 0;
    virtual void link_unchecked(upstream_session& link) = 0;  // a share went up without the check that it was due
    virtual void link_late_verdict(upstream_session& link) = 0;
    virtual void link_message(upstream_session& link, std::string_view text) = 0;
    virtual void link_failed(upstream_session& link, close_reason reason, std::string_view detail, time_point now) = 0;
    virtual void link_refused(upstream_session& link, std::string_view text, time_point now) = 0;
    /// It is live, but has had no job for long.
    virtual void link_silent(upstream_session& link, time_point now) = 0;
  };

  /// `pool_job` is shared by the links of one pool, and outlives them.
  upstream_session(link_id id, std::shared_ptr<const account> owner, std::size_t route, std::shared_ptr<route_state> at,
                   mining_rules rules, std::string login, broadcast_job& pool_job, services& shard, events& listener);

  // ---- events of its connection, called by the owner
  /// It has been told to connect through `channel`.
  void connecting(channel_id channel, time_point now);
  void connected(time_point now);
  /// One line; it may end in link_failed or link_refused.
  void receive_line(std::span<char> line, time_point now);
  /// The connection is gone: what was sent and has no verdict is unknown.
  void lost(time_point now);
  void tick(time_point now);

  // ---- its workers
  /// Lets a worker in, with its mark (hex) and the size of its own part of the extranonce2. False when the link is full, or no lane is
  /// free for it. Where it is alone and its parts do not fit, it is passed through. It may be in already.
  [[nodiscard]] bool enter(worker_id worker, std::string_view mark, unsigned miner_bytes);
  /// A restored worker goes on under another id, in the lane that it had.
  void take_over(worker_id before, worker_id after);
  void leave(worker_id worker);
  [[nodiscard]] const std::vector<worker_id>& workers() const noexcept { return workers_; }
  [[nodiscard]] bool has(worker_id worker) const noexcept {
    return std::find(workers_.begin(), workers_.end(), worker) != workers_.end();
  }
  [[nodiscard]] bool has_room() const noexcept { return workers_.size() < max_workers(); }
  [[nodiscard]] std::size_t max_workers() const noexcept {
    return is_shared() ? std::max(1U, shard_.config.upstream.max_workers_per_link) : 1;
  }
  /// The options say another max_workers(). Those that are in stay.
  void room_changed();
  /// The pad of the worker's lane, hex; "" where it has none.
  [[nodiscard]] std::string pad_of(worker_id worker) const;
  /// The current job as this worker is to get it: like all of its pad; or, where it has had it, as another search. There must be a
  /// current job. Good until the next call.
  [[nodiscard]] const job_form& form_for(worker_id worker, bool again, time_point now);

  // ---- the way up
  /// Sends a share, checks it first where that is the rule, or parks it until the link is live again. Its verdict may come from inside
  /// of this call. False when there is no room to park it.
  [[nodiscard]] bool submit(job_table::entry job, const outgoing_share& share, time_point now);
  /// What became of a link_check().
  void share_checked(check_id check, const result<algorithm::proof>& outcome, time_point now);
  /// Rejects what is parked, with this text: the link will not come back in time.
  void reject_parked(std::string_view text, time_point now);
  /// Likewise what is being checked.
  void reject_checking(std::string_view text, time_point now);
  /// The worker wants to roll version bits: asks the pool, if that was not done.
  void request_version_rolling(time_point now);
  /// Logs a rig in, beside the link's own login: its shares go up under it as soon as the pool takes it. The number is for its shares;
  /// 0 is the link's own.
  [[nodiscard]] std::uint32_t add_login(std::string login, time_point now);
  /// Another rig mines here now: shares go up under this login as soon as the pool takes it, until then under the one before.
  void change_login(std::string login, time_point now);
  /// Hands a wish of the worker's on to the pool. 0: none.
  void suggest_difficulty(double difficulty, time_point now);

  // ---- what it knows
  [[nodiscard]] link_id id() const noexcept { return id_; }
  [[nodiscard]] metrics::link_state state() const noexcept {
    return state_ == metrics::link_state::live && workers_.empty() ? metrics::link_state::parked : state_;
  }
  /// Its connection is ready, in whichever of the states that are so: live, silent and parked.
  [[nodiscard]] bool is_live() const noexcept { return state_ == metrics::link_state::live || is_silent(); }
  [[nodiscard]] bool is_silent() const noexcept { return state_ == metrics::link_state::silent; }
  /// Live, and with a job for whoever comes.
  [[nodiscard]] bool has_work() const noexcept { return state_ == metrics::link_state::live && job_; }
  [[nodiscard]] std::optional<channel_id> channel() const noexcept { return channel_; }
  [[nodiscard]] const std::shared_ptr<const account>& owner() const noexcept { return owner_; }
  [[nodiscard]] const account_route& route() const noexcept { return owner_->routes[route_]; }
  [[nodiscard]] const std::string& pool_name() const noexcept { return pool_name_; }
  /// What a refused login is remembered by: all rigs of an account have the same.
  [[nodiscard]] const std::string& credential() const noexcept { return credential_; }
  [[nodiscard]] static std::string credential_of(const account_route& route);
  /// The same with the rig.
  [[nodiscard]] std::string full_credential() const { return credential_ + '\n' + login_; }
  [[nodiscard]] const mining_rules& rules() const noexcept { return rules_; }
  [[nodiscard]] bool is_shared() const noexcept { return rules_.mode == link_mode::shared; }
  [[nodiscard]] const std::string& extranonce1() const noexcept { return extranonce1_; }
  [[nodiscard]] unsigned extranonce2_size() const noexcept { return extranonce2_size_; }
  [[nodiscard]] std::uint32_t version_mask() const noexcept { return version_mask_; }
  /// In force from the next job on; 0 before the pool said any.
  [[nodiscard]] double difficulty() const noexcept { return difficulty_; }
  /// The same, or what Stratum begins with.
  [[nodiscard]] double difficulty_in_force() const noexcept { return difficulty_ > 0 ? difficulty_ : 1; }
  /// The pool's last job, or null. Good while the layout it came with is.
  [[nodiscard]] const protocol::job* current_job() const noexcept { return job_.get(); }
  [[nodiscard]] job_table& jobs() noexcept { return jobs_; }
  /// Shares without a verdict that were sent or are being checked.
  [[nodiscard]] std::size_t unanswered() const noexcept { return unanswered_ + checking_.size(); }
  /// Seconds from a share to its verdict, of the last ones; 0 before the first.
  [[nodiscard]] double round_trip() const noexcept { return round_trip_; }
  [[nodiscard]] time_point live_since() const noexcept { return live_since_; }
  /// The same, or since it was silent last.
  [[nodiscard]] time_point works_since() const noexcept { return works_since_; }
  /// A login that the pool refused, here or on another link, waits until it may be tried; then it is try_again().
  void wait_for_refusal() { enter(metrics::link_state::refused); }
  void try_again() { enter(metrics::link_state::waiting); }
  /// Where to connect next: the pool's address, or where its client.reconnect leads, once.
  [[nodiscard]] destination take_destination();

  protocol::line_framer framer;
  static constexpr auto stable_after = std::chrono::seconds(10);  // a link that lives shorter than this failed
  const std::shared_ptr<route_state> at;  // of its account; it may have it no more
  std::string fault;                      // why its last connection ended; "" once it is live
  std::string refusal_key;                // credential() or full_credential(): what its refusal is remembered by
  std::string agent_chain;                // " a b": the proxies before this one, if its worker is a proxy
  bool is_outage_told = false;            // its workers have heard that the pool is away
  bool is_renewed = true;                 // its workers have had no job since it is live
  total_counts* totals = nullptr;         // of its account, pool and algorithm; the shard's
  std::optional<time_point> closes_at;    // nobody mines here any more; late shares still may go up until then

 private:
  enum class request : std::uint8_t { configure, subscribe, authorize, login, rig_login, extranonce, suggestion, share };
  struct pending {
    request what = request::share;
    bool answered = false;
    bool expired = false;
    std::uint32_t login = 0;  // that was asked for
    judged_share share;
    time_point sent{};
  };
  /// A share as it goes up.
  template <class Text>
  struct ready {
    Text pool_job, prefix, extranonce2;
    std::uint32_t login = 0, ntime = 0, nonce = 0;
    std::optional<std::uint32_t> version_bits;
    judged_share share;
  };
  using ready_share = ready<std::string_view>;
  /// One that waits: for the link to be live again, or for the check of its proof of work.
  struct kept_share : ready<std::string> {
    explicit kept_share(const ready_share& from);
    [[nodiscard]] ready_share view() const noexcept;
  };
  struct checked_share {
    kept_share share;
    proof_request request;  // empty once it was handed on
    check_id asked{};
    std::optional<result<algorithm::proof>> outcome;
  };
  struct rig_login {
    std::string login;
    bool is_good = false;
  };

  void enter(metrics::link_state state);
  std::uint64_t ask(request what, time_point now);
  void subscribe(time_point now);
  void fail(close_reason reason, std::string_view detail, time_point now);
  void answered(const protocol::pool_response& response, time_point now);
  void answered_share(pending& asked, const protocol::pool_response& response, time_point now);
  void subscribed(const protocol::pool_response& response, time_point now);
  void authorized(const protocol::pool_response& response, time_point now);
  void configured(std::uint32_t mask, time_point now);
  void become_live_if_ready(time_point now);
  void new_job(std::shared_ptr<const protocol::job> job, time_point now);
  void set_extranonce(std::string_view extranonce1, unsigned size);
  void asked_to_reconnect(const protocol::reconnect& where, time_point now);
  void bad_message(std::string_view what, bool is_job, time_point now);
  void request_login(time_point now);
  void login_answered(bool good);
  [[nodiscard]] std::optional<algorithm::share> share_to_check(const job_table::entry& job, const outgoing_share& share) const;
  void judge(const ready_share& share, const result<algorithm::proof>& outcome, time_point now);
  void hand_on_checks(time_point now);
  void settle_checks(time_point now);
  void pass_on(const ready_share& share, time_point now);
  void send(const ready_share& share, time_point now);
  void send_parked(time_point now);
  /// What the pool says, fit for a miner and a log: short, printable, without the password.
  [[nodiscard]] std::string words(std::string_view text) const;
  void reject(const ready_share& share, std::string_view text, time_point now);
  void request_rig_login(std::uint32_t number, time_point now);
  void layout_changed();
  void announce_layout(time_point now);
  void drop_answered();

  const link_id id_;
  const std::shared_ptr<const account> owner_;
  const std::size_t route_;
  const mining_rules rules_;
  std::string login_;
  std::string next_login_;        // the newest that was asked for; "" when there is none
  unsigned logins_asked_ = 0;     // without an answer
  const std::string pool_name_;
  const std::string credential_;  // what refusals are remembered by
  broadcast_job& pool_job_;
  services& shard_;
  events& listener_;

  metrics::link_state state_ = metrics::link_state::waiting;
  std::optional<channel_id> channel_;
  time_point live_since_{};
  time_point works_since_{};
  time_point started_{};        // of the connection attempt, then of the handshake
  time_point heard_{};          // last line from the pool

  // handshake of this connection
  bool wants_rolling_ = false;
  bool configure_outstanding_ = false;
  bool subscribed_ = false;
  bool authorized_ = false;
  unsigned subscribe_attempts_ = 0;

  // what the pool said
  std::string session_;
  std::string extranonce1_;
  unsigned extranonce2_size_ = 0;
  std::uint32_t version_mask_ = 0;
  double difficulty_ = 0;
  double wish_ = 0;             // of the worker, and what was asked for
  double suggested_ = 0;
  time_point suggested_at_{};
  std::shared_ptr<const protocol::job> job_;
  std::shared_ptr<const protocol::job> last_job_;  // outlives the connection: after a resume the pool may send it once more
  time_point job_received_{};   // the first time
  time_point job_heard_{};      // or once more
  std::uint32_t ntime_ahead_ = 0;  // seconds that the current job's ntime was moved on, where there is no pad
  unsigned bad_jobs_ = 0;       // in a row
  unsigned bad_lines_ = 0;      // in a row: no message at all
  unsigned silent_verdicts_ = 0;  // shares without an answer, in a row
  time_point answered_until_{};   // the youngest share with one was sent then: what is still open before it was swallowed once, but not now

  std::optional<std::pair<std::string, std::uint16_t>> redirect_;
  std::optional<time_point> redirected_at_;

  std::uint64_t first_id_ = 1;  // of pending_.front()
  ring<pending> pending_;
  std::size_t unanswered_ = 0;  // shares in pending_ without a verdict
  std::vector<kept_share> parked_;
  std::deque<checked_share> checking_;  // in the order of arrival, in which they also go on
  std::size_t handed_on_ = 0;           // of them, from the front
  double round_trip_ = 0;
  job_table jobs_;

  std::vector<worker_id> workers_;  // all that mine here, dropped ones that may return too
  std::optional<lane_table> lanes_; // once the pool's extranonce is known, where it has room for a mark
  bool is_layout_new_ = false;
  std::vector<rig_login> rig_logins_;
};

/// Why a pool refused a share: from its words first, from its code only where there are none.
[[nodiscard]] metrics::reject_reason classify(int code, std::string_view text) noexcept;

/// Whether a client.reconnect of a pool at `pool_host` may lead to `host`: the same host, one below it, one of the same
/// registrable domain, or one that the pool's row names; never an address literal.
[[nodiscard]] bool may_redirect(const pool_info& pool, std::string_view host);

}  // namespace stratumproxy::session
