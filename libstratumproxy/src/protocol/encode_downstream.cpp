#include <array>
#include <charconv>

#include "protocol/json_text.hpp"
#include "stratumproxy/protocol/codec.hpp"

// Towards miners `id`, `result` and `error` are always there: some firmware fails when one is missing.
namespace stratumproxy::protocol {
namespace {

void begin_reply(std::string& out, std::string_view id) { ((out += "{\"id\":") += id) += ",\"result\":"; }

void end_reply(std::string& out) { out += ",\"error\":null}\n"; }

void begin_push(std::string& out, std::string_view method) {
  ((out += "{\"id\":null,\"method\":\"") += method) += "\",\"params\":[";
}

void end_push(std::string& out) { out += "]}\n"; }

void append_code(std::string& out, int code) {
  if (code < 0) out += '-';
  append_unsigned(out, code < 0 ? 0u - static_cast<unsigned>(code) : static_cast<unsigned>(code));
}

void append_error(std::string& out, std::string_view id, std::string_view verdict, int code, std::string_view text) {
  begin_reply(out, id);
  (out += verdict) += ",\"error\":[";
  append_code(out, code);
  out += ',';
  append_json_string(out, text);
  out += ",null]}\n";
}

void append_error_object(std::string& out, std::string_view id, std::string_view text) {
  ((out += "{\"id\":") += id) += ",\"jsonrpc\":\"2.0\",\"result\":null,\"error\":{\"code\":-1,\"message\":";
  append_json_string(out, text);
  out += "}}\n";
}

void append_member(std::string& out, bool& first, std::string_view key) {
  if (!first) out += ',';
  first = false;
  append_json_string(out, key);
  out += ':';
}

}  // namespace

void encode_true(std::string& out, std::string_view id) {
  begin_reply(out, id);
  out += "true";
  end_reply(out);
}

void encode_false(std::string& out, std::string_view id) {
  begin_reply(out, id);
  out += "false";
  end_reply(out);
}

void encode_error(std::string& out, std::string_view id, int code, std::string_view text) {
  append_error(out, id, "null", code, text);
}

void encode_rejected(std::string& out, std::string_view id, int code, std::string_view text) {
  append_error(out, id, "false", code, text);
}

void encode_text_result(std::string& out, std::string_view id, std::string_view text) {
  begin_reply(out, id);
  append_json_string(out, text);
  end_reply(out);
}

void encode_subscribed(std::string& out, std::string_view id, std::string_view session, std::string_view extranonce1,
                       unsigned extranonce2_size) {
  begin_reply(out, id);
  // NerdMiner takes the session from result[0][0][1], others from the pair named mining.notify.
  out += "[[[\"mining.set_difficulty\",";
  append_json_string(out, session);
  out += "],[\"mining.notify\",";
  append_json_string(out, session);
  out += "]],";
  append_json_string(out, extranonce1);
  out += ',';
  append_unsigned(out, extranonce2_size);
  out += ']';
  end_reply(out);
}

void encode_configured(std::string& out, std::string_view id, const configure& asked, std::uint32_t mask,
                       bool honours_minimum) {
  begin_reply(out, id);
  out += '{';
  bool first = true;
  if (asked.version_rolling) {
    append_member(out, first, "version-rolling");
    out += mask != 0 ? "true" : "false";
    if (mask != 0) {
      append_member(out, first, "version-rolling.mask");
      out += '"';
      append_hex32(out, mask);
      out += '"';
    }
  }
  const auto answer = [&](bool was_asked, std::string_view extension, bool granted) {
    if (!was_asked) return;
    append_member(out, first, extension);
    out += granted ? "true" : "false";
  };
  answer(asked.minimum_difficulty, "minimum-difficulty", honours_minimum);
  answer(asked.subscribe_extranonce, "subscribe-extranonce", true);
  answer(asked.info, "info", true);
  for (std::size_t i = 0; i < asked.unknown_count; ++i) {
    append_member(out, first, asked.unknown[i]);
    out += "false";
  }
  out += '}';
  end_reply(out);
}

void encode_set_difficulty(std::string& out, double difficulty) {
  begin_push(out, "mining.set_difficulty");
  append_number(out, difficulty);
  end_push(out);
}

void encode_set_version_mask(std::string& out, std::uint32_t mask) {
  begin_push(out, "mining.set_version_mask");
  out += '"';
  append_hex32(out, mask);
  out += '"';
  end_push(out);
}

void encode_set_extranonce(std::string& out, std::string_view extranonce1, unsigned extranonce2_size) {
  begin_push(out, "mining.set_extranonce");
  append_json_string(out, extranonce1);
  out += ',';
  append_unsigned(out, extranonce2_size);
  end_push(out);
}

void encode_show_message(std::string& out, std::string_view text) {
  begin_push(out, "client.show_message");
  append_json_string(out, text);
  end_push(out);
}

void encode_notify(std::string& out, const job& work, std::uint64_t job_id, std::string_view insert, std::uint32_t ntime,
                   bool clean) {
  constexpr std::size_t ntime_digits = 8;
  const std::string_view text = work.text;
  const auto part = [&](std::size_t from, std::size_t to) { return text.substr(from, to - from); };
  std::array<char, 16> digits;
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), job_id, 16);

  begin_push(out, "mining.notify");
  out += '"';
  out.append(digits.begin(), end);
  out += '"';
  out += part(0, work.splice_at);
  out += insert;
  out += part(work.splice_at, work.ntime_at);
  append_hex32(out, ntime);
  out += part(work.ntime_at + ntime_digits, work.clean_at);
  out += clean ? "true" : "false";
  out += part(work.clean_at, text.size());
  end_push(out);
}

void encode_foreign_refusal(std::string& out, dialect which, std::string_view id, std::string_view text) {
  constexpr int other_error = 20;
  switch (which) {
    case dialect::bitcoin:
    case dialect::ethereum_stratum:
    case dialect::zcash:
    case dialect::kaspa:
    case dialect::kadena:
    case dialect::kawpow:
    case dialect::other: return encode_error(out, id, other_error, text);
    case dialect::eth_proxy:
    case dialect::cryptonote: return append_error_object(out, id, text);
    case dialect::stratum_v2: return;  // binary and encrypted: there is nothing that it could read
  }
}

}  // namespace stratumproxy::protocol
