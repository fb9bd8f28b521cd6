#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "stratumproxy/protocol/messages.hpp"
#include "stratumproxy/result.hpp"

namespace stratumproxy::protocol {

/// Turns lines into messages. One decoder serves any number of connections of one thread, one line at a time: what it
/// returns is valid until its next call, and while the line's bytes live (they are changed: decoding is in place).
/// Decoding the messages of the share path allocates nothing once the decoder has seen a few lines.
///
/// A line is refused as a whole with: not_json (syntax, UTF-8, lone surrogate, NUL byte, BOM, depth above 8, a duplicate key,
/// more than 64 members in an object or 8192 values in all, a number that no double can hold, text behind the value),
/// not_an_object, bad_id (object, array, boolean, over 64 bytes), bad_method.
class decoder {
 public:
  decoder();
  ~decoder();
  decoder(decoder&&) noexcept;
  decoder& operator=(decoder&&) noexcept;

  [[nodiscard]] result<miner_message> decode_miner(std::span<char> line);
  /// `coinb1_index`: where the algorithm has coinb1 in mining.notify.
  [[nodiscard]] result<pool_message> decode_pool(std::span<char> line, unsigned coinb1_index);

  /// The last decoded pool_response, read as the answer to mining.subscribe, in any of the shapes of the field: [[…],x1,n2],
  /// [null,x1,n2], [x1,n2], flat pairs, … Fails with bad_params or out_of_range.
  [[nodiscard]] result<subscribe_result> as_subscribe_result() const;
  /// Likewise for mining.configure; anything but a granted version-rolling with a mask is a mask of 0.
  [[nodiscard]] configure_result as_configure_result() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

// ---- encoding: each appends one line, with its LF, to `out` ----------------------------------------------------------

/// Texts are escaped; ids (`id`) are JSON text already and are copied.

void encode_true(std::string& out, std::string_view id);
void encode_false(std::string& out, std::string_view id);                                         ///< result false, error null
void encode_error(std::string& out, std::string_view id, int code, std::string_view text);        ///< result null
void encode_rejected(std::string& out, std::string_view id, int code, std::string_view text);     ///< result false and the error
void encode_text_result(std::string& out, std::string_view id, std::string_view text);            ///< "pong", a version
void encode_subscribed(std::string& out, std::string_view id, std::string_view session, std::string_view extranonce1,
                       unsigned extranonce2_size);
/// Answers exactly the extensions that `asked` names. `mask` 0: version-rolling is answered false. So is minimum-difficulty, unless
/// it is known to be honoured: where the pool sets the difficulty it can be wished for, not promised.
void encode_configured(std::string& out, std::string_view id, const configure& asked, std::uint32_t mask, bool honours_minimum = false);
void encode_set_difficulty(std::string& out, double difficulty);
void encode_set_version_mask(std::string& out, std::uint32_t mask);
void encode_set_extranonce(std::string& out, std::string_view extranonce1, unsigned extranonce2_size);
void encode_show_message(std::string& out, std::string_view text);
/// `insert`: hex digits that go behind coinb1.
void encode_notify(std::string& out, const job& work, std::uint64_t job_id, std::string_view insert, std::uint32_t ntime,
                   bool clean);
/// A refusal that a peer of that dialect can read; empty where there is none.
void encode_foreign_refusal(std::string& out, dialect which, std::string_view id, std::string_view text);

// Requests to a pool.
void encode_configure_request(std::string& out, std::uint64_t id, std::uint32_t mask);
/// An empty agent goes with an empty session: some pools take no parameter at all.
void encode_subscribe_request(std::string& out, std::uint64_t id, std::string_view agent, std::string_view session);
void encode_authorize_request(std::string& out, std::uint64_t id, std::string_view user, std::string_view password);
void encode_extranonce_subscribe_request(std::string& out, std::uint64_t id);
void encode_suggest_difficulty_request(std::string& out, std::uint64_t id, double difficulty);
struct upstream_submit {
  std::string_view user, job;          ///< escaped
  std::string_view extranonce2_prefix; ///< hex: pad and mark
  std::string_view extranonce2;        ///< hex: the miner's part
  std::uint32_t ntime = 0, nonce = 0;
  std::optional<std::uint32_t> version_bits;
};
void encode_submit_request(std::string& out, std::uint64_t id, const upstream_submit& share);

/// What stands on a port before a first line: something that is not Stratum at all.
enum class intruder : std::uint8_t { none, tls, http, proxy_protocol, stratum_v2, btcagent, ssh, other_binary };
/// Looks at the first bytes of a connection. `none` also while there are too few of them.
[[nodiscard]] intruder detect_intruder(std::span<const char> first_bytes) noexcept;
[[nodiscard]] std::string_view name(intruder value) noexcept;
/// What to answer before closing: a TLS alert, an HTTP 400; empty for the others.
[[nodiscard]] std::string_view refusal(intruder value) noexcept;

/// Decimal, the fewest digits that give the same double again; integral values without a fraction, never an exponent:
/// cgminer 4.9.1 reads "1024.0" as 0.
void append_number(std::string& out, double value);
/// At most `limit` bytes of printable ASCII; everything else becomes '?'. For logs, messages and user agents.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit);

/// Up to eight hex digits, of either case, as a number; nothing for any other text. Short ones count as left-padded:
/// NerdMiner leaves leading zeros out.
[[nodiscard]] std::optional<std::uint32_t> parse_hex32(std::string_view text) noexcept;
/// A job id that encode_notify wrote.
[[nodiscard]] std::optional<std::uint64_t> parse_job_id(std::string_view text) noexcept;

}  // namespace stratumproxy::protocol
