#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <stratumproxy/account.hpp>
#include <stratumproxy/algorithm.hpp>
#include <stratumproxy/metrics.hpp>

#include "access_tables.hpp"
#include "session_table.hpp"

namespace stratumproxyd {

/// The database cannot be asked at the moment. The text names no secret, and no SQL.
struct store_unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Another proxy writes the totals of that tag. The text says which one, as far as it is known.
struct tag_taken : store_unavailable {
  using store_unavailable::store_unavailable;
};

/// Of a clock that the caller has: the tables have none of their own.
using moment = std::chrono::sys_seconds;

struct pool_record {
  std::string pool;       ///< "host:port", host in lower case
  std::string algorithm;  ///< canonical name
  std::optional<double> divider;               ///< overrides the algorithm's
  std::string login_template = "{user}.{rig}";
  std::vector<std::string> reconnect_hosts;
  stratumproxy::link_mode mode = stratumproxy::link_mode::dedicated;  ///< this and what follows as in stratumproxy::pool_info
  stratumproxy::verify_level verify = stratumproxy::verify_level::basic;
  bool vardiff = false;
  bool fixed_difficulty = false;
  bool rig_logins = false;
  stratumproxy::pool_tls tls;
  std::string source;     ///< where a seeded row comes from, and its date; empty for rows of the operator
};

inline constexpr unsigned highest_weight = 1000;

/// One way of an account to mine.
struct route_record {
  std::string pool;      ///< "host:port", host in lower case
  std::string user;
  std::string password;
  unsigned weight = 0;   ///< as stratumproxy::account_route::weight; at most highest_weight
  friend bool operator==(const route_record&, const route_record&) = default;
};

/// An account as operators see it.
struct user_record {
  std::string name;
  std::uint64_t revision = 0;
  std::string created_at;  ///< "YYYY-MM-DDTHH:MM:SSZ"
  std::optional<stratumproxy::link_mode> mode;  ///< instead of the pools'
  std::vector<route_record> routes{};           ///< in their order; at least one
  std::optional<moment> last_seen{};            ///< when note_seen last named it
  stratumproxy::metrics::share_counts totals{}; ///< summed over all proxies, pools and algorithms
};

/// Which accounts are wanted.
struct user_filter {
  std::optional<std::string> pool;       ///< with a route to this "host:port"
  std::optional<std::string> algorithm;  ///< with a route to a pool of this one, by name or alias in lower case
  std::optional<std::string> search;     ///< the name, or the user of a route, begins so
  std::string after;                     ///< names that come later than this one
  std::size_t limit = 1'000;
};

/// What is to be another about an account. What is not given stays as it is.
struct user_change {
  struct route {
    std::string pool;
    std::string user;
    std::optional<std::string> password;  ///< not given: as the account's route with this pool and user has it
    unsigned weight = 0;
  };
  std::optional<std::vector<route>> routes;  ///< all of them, in their order
  std::optional<std::optional<stratumproxy::link_mode>> mode;  ///< given without a value: the pools'
  std::optional<std::uint64_t> if_revision;  ///< only while the account has this one
};

/// Which accounts may be others than before.
struct account_changes {
  bool any = false;                ///< it is not known which
  std::vector<std::string> names;  ///< may name some twice, and some that are no accounts
};

/// Tells of changes to accounts and their pools that anybody made, this program or another. One thread at a time.
class change_feed {
 public:
  virtual ~change_feed() = default;
  /// Waits until there are some, for so long at most; none then. What happened while the database could not be reached is told as `any`.
  /// Throws nothing: a database that is away is waited for.
  virtual account_changes wait(std::chrono::milliseconds limit) = 0;
};

/// One who is not served.
struct ban_record {
  std::string subject;  ///< as stratumproxy::ban_list::canonical writes it
  std::string reason;
  std::string created_at{};  ///< "YYYY-MM-DDTHH:MM:SSZ"; not read by a write
  std::optional<std::uint64_t> seconds{};  ///< that are left; nothing: for good
};

/// What came of an attempt to write.
enum class write_outcome : std::uint8_t {
  created,
  changed,
  exists,             ///< the same row was there already
  full,               ///< the table holds as many rows as it may
  conflict,           ///< another row with that key is there, with other values
  outdated,           ///< the account has another revision than the change was made for
  unknown_user,
  unknown_pool,
  unknown_algorithm,
  in_use,             ///< other rows need it
  unsupported,        ///< a pool's dialect is not built, its links cannot be shared, or the pools are of several algorithms
};

struct registration {
  write_outcome outcome = write_outcome::created;
  std::string name;   ///< the account's name when created or exists
  std::string error;  ///< for people, when neither
};

/// What makes a row another one; it may run several times. What it throws ends the transaction, and is passed on.
using pool_edit = std::function<void(pool_record&)>;
using algorithm_edit = std::function<void(stratumproxy::algorithm::info&)>;

/// Rows for the tables of algorithms and pools, by their names: what there is, or a new one, goes through the edit.
struct table_import {
  std::vector<std::pair<std::string, algorithm_edit>> algorithms;
  std::vector<std::pair<std::string, pool_edit>> pools;
};

struct import_result {
  write_outcome outcome = write_outcome::changed;
  std::string error;  ///< for people, when not changed or exists; names the row
  std::size_t created = 0, changed = 0, unchanged = 0;
};

/// Growth of the totals over time: all of it, or that of one account, pool or algorithm.
struct history_filter {
  std::optional<std::string> account, pool, algorithm;
  moment from, to;            ///< multiples of step
  std::chrono::seconds step;
};

struct history_point {
  moment start;
  std::uint64_t sent = 0, accepted = 0, rejected = 0, unknown = 0;
  double accepted_one = 0;
};

/// Rows of the history are so long at first, and so long when they are older than fine_history.
inline constexpr std::chrono::seconds fine_period{300};
inline constexpr std::chrono::seconds coarse_period{3'600};
inline constexpr std::chrono::hours fine_history{48};

/// Shares of one (account, pool, algorithm), as kept in the database under this proxy's tag.
struct total_record {
  std::string account, pool, algorithm;
  stratumproxy::metrics::share_counts shares;
};

/// The tables of the proxy. Every method blocks, and may be called from several threads; never from a shard. Every
/// method throws store_unavailable when the database cannot be reached or does not answer in time. What is changed `by` an author is in
/// the audit log in the same transaction, so that there is neither without the other; what changes nothing is not.
class store {
 public:
  virtual ~store() = default;

  /// The account with all that is needed to mine, or nothing. Where none has that name byte by byte, the only one that has it without case.
  virtual std::shared_ptr<const stratumproxy::account> find_account(std::string_view name) = 0;
  /// `routes`: at least one. The same pool, user and password in the first route again give the same name; another password another name.
  /// `mode` takes the place of the pool's. Nothing that is there is changed: conflict when a mode is given and the account is there with
  /// another, or with none, and when it is there with other routes, but that one route without a weight agrees with any.
  virtual registration register_user(const author& by, std::span<const route_record> routes,
                                     std::optional<stratumproxy::link_mode> mode = std::nullopt) = 0;

  virtual std::optional<user_record> user(std::string_view name) = 0;
  /// changed, exists (it was so already; the revision stays), outdated (asked in the transaction that changes), unknown_user,
  /// unknown_pool, unsupported, or conflict: another account has this first route, or a password is not given and not known.
  virtual registration change_user(const author& by, std::string_view name, const user_change& change) = 0;
  /// changed, outdated, or unknown_user. Its totals stay.
  virtual registration remove_user(const author& by, std::string_view name, std::optional<std::uint64_t> if_revision = std::nullopt) = 0;

  /// In the order of their names. One that is removed at this moment may be there without routes.
  virtual std::vector<user_record> users(const user_filter& which) = 0;
  /// Notes that workers of these accounts are there; no revision grows.
  virtual void note_seen(std::span<const std::string> names, moment now) = 0;
  /// Removes accounts that were neither seen nor made since, but none of `live`; those in the order of their names, `most` of them at
  /// most. Their names.
  virtual std::vector<std::string> remove_unseen(const author& by, moment since, const std::set<std::string, std::less<>>& live,
                                                 std::size_t most) = 0;

  /// Of those of these accounts that are there.
  virtual std::map<std::string, std::uint64_t> revisions(std::span<const std::string> names) = 0;
  /// The store must outlive it.
  virtual std::unique_ptr<change_feed> changes() = 0;

  virtual std::vector<stratumproxy::algorithm::info> algorithms() = 0;
  /// created, exists (same divider, dialect and coinb1_index), or conflict. Aliases that are taken are left out.
  virtual write_outcome add_algorithm(const author& by, const stratumproxy::algorithm::info& value) = 0;
  virtual std::vector<pool_record> pools() = 0;
  /// created, exists (all values the same; no divider agrees with any), conflict, or unknown_algorithm. `algorithm` may be an
  /// alias.
  virtual write_outcome add_pool(const author& by, const pool_record& value) = 0;

  /// Those that have not ended, in the order of their subjects.
  virtual std::vector<ban_record> bans() = 0;
  /// Another one than before whenever anybody, this program or another, wrote to the bans.
  virtual std::uint64_t bans_revision() = 0;
  /// created, changed (it is there: reason and time are these now), or full: there are stratumproxy::ban_list::most.
  virtual write_outcome add_ban(const author& by, const ban_record& value) = 0;
  /// False when there is none.
  virtual bool remove_ban(const author& by, std::string_view subject) = 0;

  /// changed, exists (it was so already), unknown_pool, unknown_algorithm, or unsupported: its values do not go together, or not with
  /// the accounts that mine there. The name stays, and the source.
  virtual registration change_pool(const author& by, std::string_view pool, const pool_edit& edit) = 0;
  /// changed, unknown_pool, or in_use: an account has it. `check` is shown the row first.
  virtual registration remove_pool(const author& by, std::string_view pool,
                                   const std::function<void(const pool_record&)>& check) = 0;
  /// By the name, not an alias. changed, exists, unknown_algorithm, conflict (another algorithm has one of the aliases), or unsupported:
  /// accounts mine it, and its dialect is not built. The name stays, and the source.
  virtual registration change_algorithm(const author& by, std::string_view name, const algorithm_edit& edit) = 0;
  /// changed, unknown_algorithm, or in_use: a pool has it.
  virtual registration remove_algorithm(const author& by, std::string_view name,
                                        const std::function<void(const stratumproxy::algorithm::info&)>& check) = 0;
  /// All rows or none, in one transaction; algorithms first. Outcomes as above; here the edits make the sources, too.
  virtual import_result import_tables(const author& by, const table_import& rows) = 0;

  /// Makes this store the only one, in all processes, that can hold `tag`, until it is released or destroyed. When the connection that
  /// stands for it is lost, the next use of the tag takes it again; a call when it is held only asks. After the first call,
  /// totals() and add_totals() of that tag work while it is held. Throws tag_taken.
  virtual void hold_tag(std::string_view tag) = 0;
  /// Another store may hold the tag from now on. Nothing else of this tag may be under way.
  virtual void release_tag(std::string_view tag) = 0;
  /// Adds to the totals under `tag`, and to the history in the period of `now`, all in one transaction.
  virtual void add_totals(std::string_view tag, std::span<const total_record> deltas, moment now) = 0;
  virtual std::vector<total_record> totals(std::string_view tag) = 0;

  /// Tokens and the audit log. It lives as long as the store.
  virtual access_tables& access() = 0;
  /// What proxies leave for each other. Likewise.
  virtual session_table& sessions() = 0;

  /// The sums over all proxies, one a step, in their order; steps of which nothing is known are left out.
  virtual std::vector<history_point> history(const history_filter& which) = 0;
  /// Makes hours of rows that are older than fine_history, and drops those older than `keep`; some of them, so that it is called again
  /// and again. Any number of proxies may do so at once.
  virtual void tend_history(moment now, std::chrono::hours keep) = 0;

  /// Asks the database something trivial; for /readyz.
  virtual void ping() = 0;
};

/// Opens `sqlite:PATH` or `postgresql://…` and brings its tables up to date, under a lock. `migrations` is the directory that holds
/// sqlite/ and postgresql/. Throws std::runtime_error with one actionable line that names no password.
[[nodiscard]] std::unique_ptr<store> open_store(const std::string& url, const std::string& migrations);

}  // namespace stratumproxyd
