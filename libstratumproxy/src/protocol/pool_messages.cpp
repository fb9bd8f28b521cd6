#include "protocol/pool_messages.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "protocol/json_text.hpp"
#include "stratumproxy/protocol/codec.hpp"

namespace stratumproxy::protocol {
namespace {

// What old miners overflow on must not reach them (CVE-2014-4501 to 4503): every field has a type and a size.
constexpr std::size_t max_job_id = 256;
constexpr std::size_t max_coinbase_digits = 65536;
constexpr std::size_t max_branches = 32;
constexpr std::size_t max_tail = 4096;
constexpr std::size_t max_extranonce1_digits = 64;
constexpr std::size_t max_session = 256;
constexpr std::size_t max_host = 255;
constexpr unsigned max_extranonce2_size = 16;

bool is_hash(json_value value) noexcept { return value.is_string() && value.text().size() == 64 && is_hex(value.text()); }

bool is_coinbase_part(json_value value) noexcept {
  return value.is_string() && value.text().size() <= max_coinbase_digits && is_hex_bytes(value.text());
}

bool is_branch_list(json_value value) noexcept {
  if (!value.is_array() || value.size() > max_branches) return false;
  for (const auto branch : value) {
    if (!is_hash(branch)) return false;
  }
  return true;
}

std::optional<std::uint32_t> word(json_value value) noexcept {
  return value.string().size() == 8 ? parse_hex32(value.string()) : std::nullopt;
}

// Fills text and the places behind the branches; `tail` is the position behind ntime. False when the tail is too long.
bool append_tail(job& work, json_value params, std::size_t tail) {
  bool has_clean = false;
  const auto start = work.text.size();
  std::size_t position = 0;
  work.clean = true;
  for (const auto value : params) {
    if (position++ < tail) continue;
    if (!has_clean && value.is_bool()) {
      has_clean = true;
      work.clean = value.kind() == json_kind::true_;
      work.text += ',';
      work.clean_at = static_cast<std::uint32_t>(work.text.size());
      continue;
    }
    work.text += ',';
    append_json_value(work.text, value);
    if (work.text.size() - start > max_tail) return false;
  }
  if (!has_clean) {
    work.text += ',';
    work.clean_at = static_cast<std::uint32_t>(work.text.size());
  }
  return true;
}

pool_body read_notify(std::string_view method, json_value params, unsigned coinb1_index) {
  const std::size_t coinb1 = std::max(coinb1_index, 2u);
  const auto version = word(params[coinb1 + 3]);
  const auto nbits = word(params[coinb1 + 4]);
  const auto ntime = word(params[coinb1 + 5]);
  const auto id = params[0].string();
  const bool usable = !id.empty() && id.size() <= max_job_id && is_coinbase_part(params[coinb1]) &&
                      is_coinbase_part(params[coinb1 + 1]) && is_branch_list(params[coinb1 + 2]) && version && nbits && ntime;
  if (!usable) return bad_message{method};

  job work;
  work.pool_id = id;
  work.version = *version;
  work.nbits = *nbits;
  work.ntime = *ntime;
  auto& text = work.text;
  text.reserve(params[coinb1].text().size() + params[coinb1 + 1].text().size() + params[coinb1 + 2].size() * 67 + 256);
  for (std::size_t i = 1; i < coinb1; ++i) {
    if (!is_hash(params[i])) return bad_message{method};
    text += ',';
    append_json_value(text, params[i]);
  }
  (text += ",\"") += params[coinb1].text();
  work.splice_at = static_cast<std::uint32_t>(text.size());
  text += '"';
  for (std::size_t i = coinb1 + 1; i < coinb1 + 5; ++i) {
    text += ',';
    append_json_value(text, params[i]);
  }
  text += ",\"";
  work.ntime_at = static_cast<std::uint32_t>(text.size());
  append_hex32(text, work.ntime);
  text += '"';
  if (!append_tail(work, params, coinb1 + 6)) return bad_message{method};
  return work;
}

pool_body read_set_difficulty(std::string_view method, json_value params) {
  constexpr double least = 0x1p-32;
  constexpr double most = 0x1p64;
  if (!params[0].is_number()) return bad_message{method};
  const auto value = parse_double(params[0].text());
  if (!value || *value < least || *value > most) return bad_message{method};
  return set_difficulty{*value};
}

result<unsigned> read_extranonce2_size(json_value value) noexcept {
  if (!value.is_number()) return errc::bad_params;
  const auto size = parse_unsigned(value.text());
  if (!size || *size < 1 || *size > max_extranonce2_size) return errc::out_of_range;
  return static_cast<unsigned>(*size);
}

std::error_code check_extranonce1(json_value value) noexcept {
  if (!value.is_string() || !is_hex_bytes(value.text())) return errc::bad_params;
  if (value.text().size() > max_extranonce1_digits) return errc::out_of_range;
  return {};
}

pool_body read_set_extranonce(std::string_view method, json_value params) {
  const auto size = read_extranonce2_size(params[1]);
  if (!size || check_extranonce1(params[0])) return bad_message{method};
  return set_extranonce{params[0].text(), *size};
}

pool_body read_set_version_mask(std::string_view method, json_value params) {
  const auto mask = parse_hex32(params[0].string());
  if (!mask) return bad_message{method};
  return set_version_mask{*mask};
}

pool_body read_show_message(std::string_view method, json_value params) {
  if (!params[0].is_string()) return bad_message{method};
  return show_message{params[0].text()};
}

// The third parameter, a time to wait, is left unread: when to connect is the link's own decision.
pool_body read_reconnect(std::string_view method, json_value params) {
  if (!params.is_array() && !params.is_nothing()) return bad_message{method};
  reconnect target;
  if (!params[0].is_nothing()) {
    if (!params[0].is_string() || params[0].text().size() > max_host) return bad_message{method};
    target.host = params[0].text();
  }
  if (!params[1].is_nothing()) {
    const auto port = parse_unsigned(params[1].text());
    if (!port || *port < 1 || *port > std::numeric_limits<std::uint16_t>::max()) return bad_message{method};
    target.port = static_cast<std::uint16_t>(*port);
  }
  return target;
}

int read_error_code(json_value value) noexcept {
  constexpr int other_error = 20;
  const auto code = parse_double(value.text());
  const bool fits = code && std::abs(*code) <= std::numeric_limits<int>::max() && *code == std::trunc(*code);
  return fits ? static_cast<int>(*code) : other_error;
}

// [code, text, trace], shorter ones, {code, message}, a bare text, a bare number, true: pools write all of these.
void read_error(pool_response& response, json_value error) noexcept {
  response.has_error = !error.is_nothing();
  if (error.is_array()) {
    response.error_code = read_error_code(error[0]);
    response.error_text = error[1].is_string() ? error[1].text() : error[0].string();
  } else if (error.is_object()) {
    response.error_code = read_error_code(error.find("code"));
    response.error_text = error.find("message").string();
  } else if (error.is_number()) {
    response.error_code = read_error_code(error);
  } else {
    response.error_text = error.string();
  }
}

// The pair ["mining.notify", id] stands alone, in a list of pairs, or flat in a longer list.
std::string_view find_session(json_value list) noexcept {
  std::string_view previous;
  for (const auto value : list) {
    if (value.is_string() && previous == "mining.notify") return value.text();
    previous = value.string();
    const auto inner = value.is_array() ? find_session(value) : std::string_view{};
    if (!inner.empty()) return inner;
  }
  return {};
}

}  // namespace

pool_body read_pool_request(std::string_view method, json_value params, unsigned coinb1_index) {
  if (method == "mining.notify") return read_notify(method, params, coinb1_index);
  if (method == "mining.set_difficulty") return read_set_difficulty(method, params);
  if (method == "mining.set_extranonce") return read_set_extranonce(method, params);
  if (method == "mining.set_version_mask") return read_set_version_mask(method, params);
  if (method == "mining.ping") return ping{};
  if (method == "client.show_message") return read_show_message(method, params);
  if (method == "client.reconnect") return read_reconnect(method, params);
  if (method == "client.get_version") return get_version{};
  return unknown_method{method};
}

pool_response read_pool_response(json_value root) {
  pool_response response;
  const auto id = root.find("id");
  if (id.is_number()) response.id = parse_unsigned(id.text());
  switch (root.find("result").kind()) {
    case json_kind::true_: response.result = pool_response::kind::true_; break;
    case json_kind::false_: response.result = pool_response::kind::false_; break;
    case json_kind::missing:
    case json_kind::null: response.result = pool_response::kind::null; break;
    case json_kind::number:
    case json_kind::string:
    case json_kind::array:
    case json_kind::object: response.result = pool_response::kind::other; break;
  }
  read_error(response, root.find("error"));
  if (response.error_text.empty()) response.error_text = root.find("reject-reason").string();
  return response;
}

result<subscribe_result> read_subscribe_result(json_value answer) {
  // Read from the end: extranonce1 and the size are last in every shape, what stands before them differs.
  if (!answer.is_array() || answer.size() < 2) return errc::bad_params;
  json_value extranonce1, size_value;
  for (const auto value : answer) {
    extranonce1 = size_value;
    size_value = value;
  }
  if (const auto error = check_extranonce1(extranonce1)) return error;
  const auto size = read_extranonce2_size(size_value);
  if (!size) return size.error();
  const auto session = find_session(answer);
  return subscribe_result{session.size() <= max_session ? session : std::string_view{}, extranonce1.text(), *size};
}

configure_result read_configure_result(json_value answer) {
  // BIP 310 lets a pool answer a text instead of true or false: the reason why it refuses.
  if (answer.find("version-rolling").kind() != json_kind::true_) return {};
  return {parse_hex32(answer.find("version-rolling.mask").string()).value_or(0)};
}

}  // namespace stratumproxy::protocol
