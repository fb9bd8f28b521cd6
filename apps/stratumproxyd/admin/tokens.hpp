#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/access_tables.hpp"

namespace stratumproxyd {

/// Who asks.
struct token_bearer {
  std::string name;  ///< the token's; "token-file" for that of the file
  token_role role = token_role::admin;
  bool is_guessable = false;  ///< a person made the token up, and it is short
};

/// A new token: 256 random bits. Throws std::system_error without any.
[[nodiscard]] std::string random_token();
/// SHA-256, in hex: what the database keeps. A slow hash is for passwords, which can be guessed by trying likely ones; of 2^256
/// equally likely tokens none is found by trying, however fast the hash is.
[[nodiscard]] std::string token_hash(std::string_view token);

/// The names that tokens cannot have, because the audit log uses them; automatic_author has another.
inline constexpr std::string_view file_token_name = "token-file";
inline constexpr std::string_view nobody_name = "open";

/// The tokens that open the API, in memory: those of the database and the one of the token file. It asks no database, so that
/// what it knows goes on working without one; access_upkeep brings it up to date. Thread: any.
class known_tokens {
 public:
  /// Empty: there is none. True when it is another one than before.
  bool set_file_token(const std::string& token);
  /// What the database has, instead of what it had. Nothing is done where somebody added or removed one after generation() was
  /// asked, which has to be before the database is: its answer may be older than that.
  void replace(const std::vector<token_row>& rows, std::uint64_t generation);
  [[nodiscard]] std::uint64_t generation() const;
  /// A change that was made in the database by this program, and counts at once.
  void add(const token_row& row);
  void remove(const std::string& name);

  /// Whose token that is; notes that it was used. Takes a time that does not depend on how much of a hash fits.
  [[nodiscard]] std::optional<token_bearer> find(std::string_view token);
  /// A token is needed: there is one.
  [[nodiscard]] bool any() const { return has_file_token() || had_rows(); }
  [[nodiscard]] bool has_file_token() const;
  /// There is one in the database, or there was since the start: the last one's removal must not open what it closed.
  [[nodiscard]] bool had_rows() const;

  /// The names of the database's tokens that were used since the last call.
  [[nodiscard]] std::vector<std::string> take_used();
  /// Those could not be written: they are told again.
  void used_again(const std::vector<std::string>& names);

 private:
  struct entry {
    std::string hash;  // in hex
    token_bearer bearer;
  };

  mutable std::mutex mutex_;
  std::optional<entry> file_;
  std::vector<entry> rows_;
  std::set<std::string> used_;
  bool had_rows_ = false;
  std::uint64_t generation_ = 0;
};

}  // namespace stratumproxyd
