#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stratumproxyd {

/// What the bearer of a token may do: everything; read everything; register accounts and nothing else.
enum class token_role : std::uint8_t { admin, read_only, register_only };

/// "admin", "read-only", "register-only"
[[nodiscard]] std::string_view name(token_role role) noexcept;
[[nodiscard]] std::optional<token_role> token_role_from_name(std::string_view name) noexcept;

struct token_row {
  std::string name;
  std::string hash;  ///< SHA-256 of the token, in hex
  token_role role = token_role::admin;
  std::string created_at;    ///< "YYYY-MM-DDTHH:MM:SSZ"; the database's own when it is added
  std::string last_used_at;  ///< likewise, to the minute or so; empty: never
};

enum class token_removal : std::uint8_t { removed, unknown, last_admin };

/// Who changes something, and from where.
struct author {
  std::string actor;    ///< the token's name, "token-file", or "open" for who needed none
  std::string address;  ///< of the client; empty: none
};

/// The proxy itself: automatic bans, and accounts that are removed because nobody uses them.
inline const author automatic_author{"automatic", {}};

/// What was done. No secret is in it.
struct change_note {
  std::string action;   ///< "user.register", "pool.add", ...
  std::string subject;  ///< name of the account, pool, token, ...
  std::string detail = {};
};

/// One line of the audit log.
struct audit_entry {
  std::int64_t id = 0;  ///< grows; given by the database, and so is the time
  std::string at;       ///< "YYYY-MM-DDTHH:MM:SSZ"
  author by;
  change_note change;
};

struct audit_query {
  std::size_t limit = 1'000;
  std::optional<std::int64_t> before;  ///< older than this id
  std::optional<std::string> user;     ///< changes of this account only
};

/// The tables of who may ask, and of who changed what. Every method blocks, may be called from several threads, and throws
/// store_unavailable as those of `store` do. What is changed `by` an author is in the audit log in the same transaction.
class access_tables {
 public:
  virtual ~access_tables() = default;

  /// By name.
  virtual std::vector<token_row> tokens() = 0;
  /// False, and nothing done, when there is one of that name.
  virtual bool add_token(const author& by, const token_row& token) = 0;
  /// last_admin, and nothing done, when it is the last one of that role and `keep_an_admin`.
  virtual token_removal remove_token(const author& by, std::string_view name, bool keep_an_admin) = 0;
  /// Notes that these were used now.
  virtual void touch_tokens(std::span<const std::string> names) = 0;

  /// For what is not in the database; changes of the tables are in the audit log by themselves.
  virtual void add_audit(const author& by, const change_note& what) = 0;
  /// Newest first.
  virtual std::vector<audit_entry> audit(const audit_query& wanted) = 0;
  /// Removes what is older; how many entries that were.
  virtual std::size_t prune_audit(std::chrono::days kept) = 0;
};

}  // namespace stratumproxyd
