#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "session/account_state.hpp"
#include "session/downstream_session.hpp"
#include "session/ids.hpp"
#include "session/mark_dealer.hpp"
#include "session/pool_gate.hpp"
#include "session/refusals.hpp"
#include "session/return_hints.hpp"
#include "session/services.hpp"
#include "session/session_id.hpp"
#include "session/tapping_host.hpp"
#include "session/upstream_session.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::session {

/// For the log: "peer_left", "pool_silent: no line for too long".
[[nodiscard]] std::string words_for(close_reason reason, std::string_view detail);

/// The shard's tables, and what happens between them. Seven files: session_manager.cpp (the outside: connections and time),
/// admission.cpp (subscribe, authorize, restore), accounts.cpp (who mines for which account, and what changes there), failover.cpp
/// (which of its routes a worker mines on), routing.cpp (links, jobs, shares), operations.cpp (what operators ask for), snapshot.cpp (what they see).
///
/// Who owns what: `workers` and `links` own; everybody else holds ids, but for `channels_`, which is kept in step. What ends during a call moves to the
/// graveyard and is destroyed when the call is over, so that no object dies under its own feet.
struct session_manager::impl final : downstream_session::events, upstream_session::events {
  impl(manager_settings settings, session_host& host);

  /// A pool endpoint of this shard.
  struct endpoint {
    pool_gate gate;
    broadcast_job last_job{};
    std::string algorithm{};
    double divider = 1;
    std::uint64_t connects = 0, drops = 0, refused_logins = 0, protocol_errors = 0;
    std::array<std::uint64_t, metrics::reject_reasons> rejected_here{};
    std::uint64_t held_back = 0, unchecked = 0;
    std::array<std::uint64_t, metrics::switch_causes> switches{};
    bool said_down = false;  // the log has it
  };
  struct channel_owner {
    downstream_session* worker = nullptr;
    upstream_session* link = nullptr;
  };
  struct lookup {
    worker_id worker{};
    std::string account, rig;
    bool is_outdated = false;  // the account changed meanwhile: the answer may be from before
  };
  struct recall {  // of a session from another proxy
    worker_id worker{};
    time_point until{};
  };
  struct sent_away {  // to learn the pool's extranonce
    unsigned times = 0;
    time_point since{};
  };

  // ---- session_manager.cpp
  channel_id new_channel() { return channel_id{next_channel_++}; }
  downstream_session& new_worker(std::string peer, std::string address, time_point now);
  void update_reading(downstream_session& worker);
  void settle(time_point now);
  void sweep(time_point now);
  template <class Id, class Table, class Look>
  void sweep_slice(std::vector<Id>& queue, const Table& all, Look look);
  void sweep_worker(downstream_session& worker, time_point now);
  void sweep_link(upstream_session& link, time_point now);
  void after_input(downstream_session& worker, bool was_mining, time_point now);
  void drop_connection(downstream_session& worker, close_reason reason, std::string_view detail, time_point now);
  void keep(downstream_session& worker);
  void unkeep(downstream_session& worker);
  void save(downstream_session& worker, time_point now);
  void destroy(downstream_session& worker, time_point now);
  void no_stranger_any_more(downstream_session& worker);
  void log_worker(log_level level, std::string_view event, const downstream_session& worker, std::string_view detail) const;

  // ---- admission.cpp
  void worker_subscribes(downstream_session& worker, const protocol::subscribe& asked, time_point now) override;
  void worker_authorizes(downstream_session& worker, std::string_view account, std::string_view rig, time_point now) override;
  bool may_roll(downstream_session& worker, time_point now) override;
  void worker_wishes(downstream_session& worker, time_point now) override;
  void worker_closes(downstream_session& worker, close_reason reason, std::string_view detail, time_point now) override;
  void look_up(worker_id worker, const std::string& account, const std::string& rig);
  void account_found(const lookup& asked, const account_lookup& found, time_point now);
  /// `before`: the session that it named, here; or else `recalled`, from another proxy; or neither.
  void subscribe(downstream_session& worker, downstream_session* before, std::optional<session_record> recalled, time_point now);
  void session_found(worker_id asked, std::optional<session_record> found, time_point now);
  void give_up_recalls(time_point now);
  void give_identity(downstream_session& worker, downstream_session* before, const std::optional<session_record>& recalled);
  using known_account = std::shared_ptr<const account>;
  void admit(downstream_session& worker, const known_account& found, const std::string& rig, time_point now);
  /// What it did for its account stays there; it has none any more.
  void leave_account(downstream_session& worker, time_point now);
  /// The words of the first pool, while every one of the account's refuses the login.
  [[nodiscard]] const std::string* refused_everywhere(const account& owner, const std::string& rig, time_point now) const;
  void resume_session(downstream_session& worker, time_point now);
  bool recall_session(downstream_session& worker, const account& owner);
  void forget_claim(downstream_session& worker);
  bool restore(downstream_session& worker, const account& owner, time_point now);
  [[nodiscard]] bool sent_away_too_often(const downstream_session& worker, const account& owner, const std::string& rig,
                                         time_point now);

  // ---- accounts.cpp
  [[nodiscard]] account_state& state_of(const downstream_session& worker) { return accounts_.find(worker.owner->name)->second; }
  /// The account as it is known here, where somebody mines for it; a newer one is taken over, with all that follows.
  known_account newest_of(const known_account& found, time_point now);
  void join(downstream_session& worker, const known_account& owner);
  /// Ends what it has on the links of its account; late shares still go up.
  void part(downstream_session& worker, time_point now);
  void account_changed(const std::string& name, const known_account& now_is, time_point now);
  [[nodiscard]] std::vector<std::shared_ptr<route_state>> take_routes(account_state& here, const known_account& now_is);
  void give_homes(account_state& here, time_point now);
  /// Of the account as it is now; the link that it mines on it keeps until it is steered.
  void leave_gone_routes(const account_state& here, downstream_session& worker, time_point now);
  /// Ends all that mine for the account.
  void let_go(const std::string& name, std::string_view why, time_point now);
  void set_weights(account_state& here);
  void drop_scout(route_state& route, time_point now);
  [[nodiscard]] std::shared_ptr<route_state> new_route(const pool_info& pool);

  // ---- operations.cpp
  bool disconnect(std::string_view peer, std::string_view words, time_point now);
  move_outcome move_worker(std::string_view peer, const known_account& to, time_point now);
  void bans_changed(ban_lookup bans);
  void set_options(const options& now_are);
  void sweep_bans(time_point now);
  [[nodiscard]] const std::string* ban_of(const downstream_session& worker) const;
  void let_go(downstream_session& worker, close_reason reason, std::string_view words, time_point now);

  // ---- failover.cpp
  /// The route that this worker should mine on now.
  [[nodiscard]] std::size_t choose(const account_state& here, const downstream_session& worker, time_point now);
  [[nodiscard]] bool serves(const downstream_session& worker, const upstream_session& link, time_point now) const;
  [[nodiscard]] bool has_link_for(const downstream_session& worker, const route_state& route) const;
  [[nodiscard]] bool may_go(const account_state& here, std::size_t route, const downstream_session& worker, time_point now) const;
  [[nodiscard]] metrics::switch_cause cause_to_leave(const account_state& here, const upstream_session& link, const route_state& to) const;
  /// Moves the worker to where it should mine; the cause is for the metrics, where it is not the links'. All that happens to
  /// links ends up here, and the sweep asks, too.
  void steer(downstream_session& worker, time_point now, std::optional<metrics::switch_cause> because = std::nullopt);
  void steer_all(upstream_session& link, time_point now);
  void drop_next(downstream_session& worker, time_point now);
  void route_failed(upstream_session& link, metrics::switch_cause cause, time_point now);
  void sweep_account(account_state& here, time_point now);
  void sweep_route(account_state& here, std::size_t route, time_point now);
  void plan_slices(account_state& here, time_point now);
  [[nodiscard]] std::vector<hashrate_split::worker> split_workers(const account_state& here, time_point now) const;
  [[nodiscard]] static std::uint32_t home_for(account_state& here, worker_id worker, time_point now);

  // ---- routing.cpp
  upstream_session* link_of_job(downstream_session& worker, std::uint64_t job) override;
  void share_ended(downstream_session& worker, const verdict& how, double difficulty, duration round_trip) override;
  void report(const std::string& account, const pool_info& pool, const std::string& pool_name,
              const downstream_session* worker, const verdict& how, double difficulty, duration round_trip);
  void link_live(upstream_session& link, time_point now) override;
  void link_layout(upstream_session& link, time_point now) override;
  void link_job(upstream_session& link, bool repeated, time_point now) override;
  void link_difficulty(upstream_session& link, time_point now) override;
  void link_mask(upstream_session& link, time_point now) override;
  void link_verdict(upstream_session& link, const judged_share& share, const verdict& how, time_point now) override;
  void link_proof(upstream_session& link, const judged_share& share, const algorithm::proof& proof) override;
  std::optional<check_id> link_check(upstream_session& link, proof_request what) override;
  void link_unchecked(upstream_session& link) override;
  void link_late_verdict(upstream_session& link) override;
  void link_message(upstream_session& link, std::string_view text) override;
  void link_failed(upstream_session& link, close_reason reason, std::string_view detail, time_point now) override;
  void link_refused(upstream_session& link, std::string_view text, time_point now) override;
  void link_silent(upstream_session& link, time_point now) override;
  [[nodiscard]] static std::string login_for(const downstream_session& worker, const account_route& route);
  void take_login(upstream_session& link, const downstream_session& worker, time_point now);
  /// For a worker without any.
  void find_link(downstream_session& worker, time_point now);
  /// The link that the worker is to have on this route, entered; connect_waiting() has to follow.
  [[nodiscard]] upstream_session& link_on(downstream_session& worker, account_state& here, std::size_t route, time_point now);
  [[nodiscard]] upstream_session& open_link(const downstream_session& worker, account_state& here, std::size_t route,
                                            const mining_rules& rules, time_point now);
  /// From now on the worker mines there.
  [[nodiscard]] bool rolls_versions(const account_state& here) const;
  void mine_on(downstream_session& worker, upstream_session& link, metrics::switch_cause why, time_point now);
  [[nodiscard]] bool enter(downstream_session& worker, upstream_session& link);
  void attach(downstream_session& worker, upstream_session& link, time_point now);
  void give_current_job(upstream_session& link, time_point now);
  /// Ends with the link what the worker has there; late shares still go up.
  void leave(downstream_session& worker, upstream_session& link, time_point now);
  /// All that have a lane there, those that mine elsewhere at the moment too. By their ids: to be told something may end any of them.
  template <class Tell>
  void tell_members(const upstream_session& link, Tell tell) {
    auto ids = std::exchange(being_told_, {});
    ids.assign(link.workers().begin(), link.workers().end());
    for (const auto id : ids) {
      if (auto* const worker = find(id)) tell(*worker);
    }
    being_told_ = std::move(ids);
  }
  template <class Tell>
  void tell_workers(const upstream_session& link, Tell tell) {
    tell_members(link, [&](downstream_session& worker) {
      if (worker.link == link.id()) tell(worker);
    });
  }
  void link_lost(upstream_session& link, close_reason reason, std::string_view detail, time_point now);
  void connect_waiting(endpoint& pool, time_point now);
  /// Nobody needs it any more; late shares and verdicts still get a little time.
  void retire(upstream_session& link, time_point now);
  void destroy(upstream_session& link, time_point now);
  endpoint& endpoint_of(const pool_info& pool);  // made when there is none; with what the pool's row says now
  endpoint& endpoint_of(const upstream_session& link);
  /// The only one of a dedicated link, or null.
  [[nodiscard]] downstream_session* worker_of(const upstream_session& link);
  [[nodiscard]] total_counts* totals_of(const account& owner, const pool_info& pool);
  void log_link(log_level level, std::string_view event, const upstream_session& link, std::string_view detail) const;

  // ---- snapshot.cpp
  [[nodiscard]] bool add_piece(partial_snapshot& to, time_point now) const;
  /// Of the table that is due, for what is left.
  void add_rows(partial_snapshot& to, std::size_t& left, time_point now) const;
  void add_worker(partial_snapshot& to, const downstream_session& worker, time_point now) const;
  void add_pool(metrics::snapshot& all, const std::string& pool_name, const endpoint& pool) const;
  void add_link(partial_snapshot& to, const upstream_session& link) const;
  void add_routes(partial_snapshot& to, const account_state& here) const;
  void add_rest(metrics::snapshot& all) const;

  [[nodiscard]] downstream_session* find(worker_id id);
  [[nodiscard]] upstream_session* find(std::optional<link_id> id);

  const manager_settings settings_;
  const std::unique_ptr<tapping_host> tap_;
  services shard_;
  std::shared_ptr<return_hints> hints_;
  mark_dealer marks_;
  refusals refusals_;

  std::unordered_map<worker_id, std::unique_ptr<downstream_session>> workers_;
  std::unordered_map<link_id, std::unique_ptr<upstream_session>> links_;
  std::unordered_map<channel_id, channel_owner> channels_;
  std::unordered_map<session_id, worker_id, session_id_hash> sessions_;  // every id that was given and not yet used up
  std::unordered_map<std::uint64_t, lookup> lookups_;
  std::unordered_map<std::uint64_t, recall> recalls_;
  std::unordered_map<check_id, link_id> checks_;
  std::unordered_map<std::string, account_state> accounts_;  // with a worker here, or a link that one left; by name
  std::map<std::string, endpoint> endpoints_;
  std::map<std::tuple<std::string, std::string, std::string>, std::unique_ptr<total_counts>> totals_;
  std::unordered_map<std::string, std::size_t> strangers_;  // connections without a good authorize, by address
  std::unordered_map<std::string, sent_away> sent_away_;
  std::deque<worker_id> kept_;  // dropped workers, oldest first; ids of those that are gone are skipped
  std::unordered_map<std::string, std::size_t> kept_by_address_, kept_by_account_;
  metrics::latency_histogram round_trip_;

  std::vector<channel_id> unwelcome_;  // over a limit: closed at the next tick
  std::vector<worker_id> to_resume_;
  std::vector<worker_id> being_told_;
  std::vector<worker_id> swept_workers_;  // whose turn is still to come
  std::vector<link_id> swept_links_;
  ban_lookup bans_;
  std::vector<worker_id> to_judge_;  // whether they are banned now
  std::vector<std::unique_ptr<downstream_session>> dead_workers_;
  std::vector<std::unique_ptr<upstream_session>> dead_links_;
  std::size_t kept_count_ = 0;
  std::uint64_t next_channel_ = 1, next_worker_ = 1, next_link_ = 1, next_lookup_ = 1, next_check_ = 1;
  time_point swept_{};
  time_point round_began_{};  // of looking at all workers
  duration last_round_{0};
  time_point next_farewell_{};
  time_point accounts_swept_{};
  bool is_draining_ = false;
  time_point draining_since_{};
};

}  // namespace stratumproxy::session
