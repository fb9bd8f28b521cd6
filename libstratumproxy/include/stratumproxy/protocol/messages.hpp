#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "stratumproxy/dialect.hpp"

/// The messages of Stratum V1, Bitcoin dialect, as values. Every string_view points into the line that was decoded and
/// ends with it.
namespace stratumproxy::protocol {

// ---- from miners -----------------------------------------------------------------------------------------------

struct subscribe {
  std::string_view agent;    ///< "" when missing or no string; not cleaned
  std::string_view session;  ///< the session id that the miner repeats; "" when missing, null or no string
};

struct authorize {
  std::string_view user;
  std::string_view password;
};

struct submit {
  std::string_view worker;
  std::string_view job;
  std::string_view extranonce2;
  std::string_view ntime;
  std::string_view nonce;
  std::optional<std::string_view> version_bits;  ///< the sixth parameter, when there
};

struct configure {
  static constexpr std::size_t max_unknown = 8;

  bool version_rolling = false;       ///< asked for
  std::uint32_t mask = 0xffffffff;    ///< 0 when the key was there but no usable mask
  bool minimum_difficulty = false;    ///< asked for
  double minimum_difficulty_value = 0;
  bool subscribe_extranonce = false;
  bool info = false;
  std::array<std::string_view, max_unknown> unknown{};  ///< other extensions asked for: each is answered false
  std::size_t unknown_count = 0;
};

struct suggest_difficulty {
  double value = 0;  ///< positive and finite, or 0 when not usable
};

struct suggest_target {
  std::string_view target;  ///< 64 hex digits, big-endian, or "" when not usable
};

struct extranonce_subscribe {};
struct multi_version {};
struct capabilities {};
struct ping {};            ///< mining.ping
struct pong {};            ///< ESP-Miner answers a ping with a request named "pong": it wants no reply
struct miner_response {};  ///< an answer to something; nothing is ever asked of a miner, so it is dropped

/// The first words of a protocol that this proxy does not speak; the codec knows how to refuse it legibly.
struct foreign_dialect {
  dialect which = dialect::other;
};

/// A known method whose parameters cannot be used.
struct malformed {
  std::string_view method;
};

struct unknown_method {
  std::string_view name;
};

using miner_body = std::variant<subscribe, authorize, submit, configure, suggest_difficulty, suggest_target,
                                extranonce_subscribe, multi_version, capabilities, ping, pong, miner_response,
                                foreign_dialect, malformed, unknown_method>;

struct miner_message {
  std::string_view id;        ///< as JSON text, ready to be echoed: `7`, `"auth"`, `1.50`, `null`
  bool notification = false;  ///< no member `id`: gets no reply
  miner_body body;
};

// ---- from pools ------------------------------------------------------------------------------------------------

/// A job as a pool sent it: checked, and cut so that it can be sent on under another id, with more bytes behind coinb1,
/// another ntime, and another clean flag, while every other parameter (unknown tails too) keeps its value.
/// ```
///   text:  ,"<prevhash>","<coinb1>|","<coinb2>",[…],"<version>","<nbits>","|<ntime>",|,<tail…>
///                          splice_at ^                            ntime_at ^         ^ clean_at
/// ```
/// The clean flag is not in the text: encode_notify writes it at clean_at.
struct job {
  std::string pool_id;  ///< opaque, 1 to 256 bytes
  std::string text;
  std::uint32_t splice_at = 0;
  std::uint32_t ntime_at = 0;
  std::uint32_t clean_at = 0;
  std::uint32_t version = 0;
  std::uint32_t nbits = 0;
  std::uint32_t ntime = 0;
  bool clean = false;   ///< as the pool said; true when the pool's form has no such parameter

  /// Equal but for the clean flag.
  [[nodiscard]] bool same_work(const job& other) const noexcept {
    return pool_id == other.pool_id && text == other.text;
  }
};

struct set_difficulty { double value = 0; };          ///< 2^-32 <= value <= 2^64
struct set_extranonce {
  std::string_view extranonce1;                       ///< even hex, at most 64 digits
  unsigned extranonce2_size = 0;                      ///< 1 to 16
};
struct set_version_mask { std::uint32_t mask = 0; };
struct show_message { std::string_view text; };       ///< not cleaned
struct reconnect {
  std::string_view host;  ///< "" when not named
  std::uint16_t port = 0; ///< 0 when not named
};
struct get_version {};
struct bad_message { std::string_view method; };      ///< a known method whose parameters must not be used

/// How the pool answered a request of ours.
struct pool_response {
  enum class kind : std::uint8_t { true_, false_, null, other };
  std::optional<std::uint64_t> id;  ///< only an integer: a string is never ours
  kind result = kind::null;         ///< null also when the member is missing
  bool has_error = false;           ///< error present and not null
  int error_code = 20;              ///< from any of the shapes that pools use; 20 when none is given
  std::string_view error_text;      ///< likewise; also ckpool's "reject-reason"; "" when none is given; not cleaned

  /// Only `true` without an error accepts a share.
  [[nodiscard]] bool accepts() const noexcept { return result == kind::true_ && !has_error; }
  /// Success of every other request: no error, and the result is not false (p2pool answers null, a Kadena pool []).
  [[nodiscard]] bool succeeded() const noexcept { return result != kind::false_ && !has_error; }
};

using pool_body = std::variant<pool_response, job, set_difficulty, set_extranonce, set_version_mask, show_message,
                               reconnect, get_version, ping, bad_message, unknown_method>;

struct pool_message {
  std::string_view id;  ///< as JSON text; "null" when missing: such a request gets no reply
  pool_body body;
};

struct subscribe_result {
  std::string_view session;      ///< "" when the pool gave none
  std::string_view extranonce1;  ///< even hex, at most 64 digits; may be empty (p2pool)
  unsigned extranonce2_size = 0; ///< 1 to 16
};

struct configure_result {
  std::uint32_t mask = 0;  ///< 0 unless version-rolling was granted with a usable mask
};

}  // namespace stratumproxy::protocol
