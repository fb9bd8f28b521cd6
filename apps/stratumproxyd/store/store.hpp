#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <stratumproxy/account.hpp>
#include <stratumproxy/algorithm.hpp>
#include <stratumproxy/metrics.hpp>

namespace stratumproxyd {

/// The database cannot be asked at the moment. The text names no secret, and no SQL.
struct store_unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Another proxy writes the totals of that tag. The text says which one, as far as it is known.
struct tag_taken : store_unavailable {
  using store_unavailable::store_unavailable;
};

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
  std::string source;     ///< where a seeded row comes from, and its date; empty for rows of the operator
};

/// What came of an attempt to write.
enum class write_outcome : std::uint8_t {
  created,
  exists,             ///< the same row was there already
  conflict,           ///< another row with that key is there, with other values
  unknown_pool,
  unknown_algorithm,
  unsupported,        ///< the pool's algorithm speaks a dialect that is not built, or its links cannot be shared
};

struct registration {
  write_outcome outcome = write_outcome::created;
  std::string name;   ///< the account's name when created or exists
  std::string error;  ///< for people, when neither
};

/// Shares of one (account, pool, algorithm), as kept in the database under this proxy's tag.
struct total_record {
  std::string account, pool, algorithm;
  stratumproxy::metrics::share_counts shares;
};

/// The tables of the proxy. Every method blocks, and may be called from several threads; never from a shard. Every
/// method throws store_unavailable when the database cannot be reached or does not answer in time.
class store {
 public:
  virtual ~store() = default;

  /// The account with all that is needed to mine, or nothing. Names are compared byte by byte.
  virtual std::shared_ptr<const stratumproxy::account> find_account(std::string_view name) = 0;
  /// The same pool, user and password again give the same name; another password another name. `pool` is host:port in lower case.
  /// `mode` takes the place of the pool's; conflict when it is given and the account is there with another, or with none.
  virtual registration register_user(std::string_view pool, std::string_view user, std::string_view password,
                                     std::optional<stratumproxy::link_mode> mode = std::nullopt) = 0;

  virtual std::vector<stratumproxy::algorithm::info> algorithms() = 0;
  /// created, exists (same divider, dialect and coinb1_index), or conflict. Aliases that are taken are left out.
  virtual write_outcome add_algorithm(const stratumproxy::algorithm::info& value) = 0;
  virtual std::vector<pool_record> pools() = 0;
  /// created, exists (all values the same; no divider agrees with any), conflict, or unknown_algorithm. `algorithm` may be an
  /// alias.
  virtual write_outcome add_pool(const pool_record& value) = 0;

  /// Makes this store the only one, in all processes, that can hold `tag`, until it is destroyed. When the connection that
  /// stands for it is lost, the next use of the tag takes it again; a call when it is held only asks. After the first call,
  /// totals() and add_totals() of that tag work while it is held. Throws tag_taken.
  virtual void hold_tag(std::string_view tag) = 0;
  /// Adds to the totals under `tag`, all in one transaction.
  virtual void add_totals(std::string_view tag, std::span<const total_record> deltas) = 0;
  virtual std::vector<total_record> totals(std::string_view tag) = 0;

  /// Asks the database something trivial; for /readyz.
  virtual void ping() = 0;
};

/// Opens `sqlite:PATH` or `postgresql://…` and brings its tables up to date, under a lock. `migrations` is the directory that holds
/// sqlite/ and postgresql/. Throws std::runtime_error with one actionable line that names no password.
[[nodiscard]] std::unique_ptr<store> open_store(const std::string& url, const std::string& migrations);

}  // namespace stratumproxyd
