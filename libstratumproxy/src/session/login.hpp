#pragma once

#include <string>
#include <string_view>

namespace stratumproxy::session {

/// What a miner sends as its user name: `<account>[.<rig>]`, where `.`, `_`, `/` or `+` starts the rig.
struct login {
  std::string_view account;
  std::string_view rig;
};
[[nodiscard]] login split_login(std::string_view text) noexcept;

/// Whether an account could have this name: 1 to 64 of [A-Za-z0-9-]. Anything else never reaches a database.
[[nodiscard]] bool is_account_name(std::string_view text) noexcept;

/// Equal but for the case of ASCII letters, in which a source of accounts may spell a name otherwise than the miner.
[[nodiscard]] bool is_same_name(std::string_view a, std::string_view b) noexcept;

/// The rig as a pool may see it: the characters of [A-Za-z0-9_-], at most 32 of them.
[[nodiscard]] std::string clean_rig(std::string_view rig);

/// The login for the pool, from the pool's template; {user}, {rig} and {account} are replaced. Where the rig is empty, or the user has
/// a worker part already, a template with {rig} gives the user unchanged.
[[nodiscard]] std::string pool_login(std::string_view login_template, std::string_view user, std::string_view account,
                                     std::string_view rig);

/// What a miner wishes with `d=` in its password ("d=1024", "x,d=0.5", "d=64;stats"); 0 when it wishes nothing that can be used.
[[nodiscard]] double difficulty_in(std::string_view password) noexcept;

}  // namespace stratumproxy::session
