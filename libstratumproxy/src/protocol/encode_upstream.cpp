#include "protocol/json_text.hpp"
#include "stratumproxy/protocol/codec.hpp"

namespace stratumproxy::protocol {
namespace {

void begin_request(std::string& out, std::uint64_t id, std::string_view method) {
  out += "{\"id\":";
  append_unsigned(out, id);
  ((out += ",\"method\":\"") += method) += "\",\"params\":[";
}

void end_request(std::string& out) { out += "]}\n"; }

void append_quoted_hex32(std::string& out, std::uint32_t value) {
  out += '"';
  append_hex32(out, value);
  out += '"';
}

// Pools know a share again by its text: the same digits are to be the same bytes.
void append_lower_hex(std::string& out, std::string_view digits) {
  for (const char c : digits) out += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

void encode_configure_request(std::string& out, std::uint64_t id, std::uint32_t mask) {
  // Nothing but version-rolling: ViaBTC never answers a configure that names subscribe-extranonce.
  begin_request(out, id, "mining.configure");
  out += "[\"version-rolling\"],{\"version-rolling.mask\":";
  append_quoted_hex32(out, mask);
  out += ",\"version-rolling.min-bit-count\":2}";
  end_request(out);
}

void encode_subscribe_request(std::string& out, std::uint64_t id, std::string_view agent, std::string_view session) {
  begin_request(out, id, "mining.subscribe");
  if (!agent.empty()) append_json_string(out, agent);
  if (!session.empty()) {
    out += ',';
    append_json_string(out, session);
  }
  end_request(out);
}

void encode_authorize_request(std::string& out, std::uint64_t id, std::string_view user, std::string_view password) {
  begin_request(out, id, "mining.authorize");
  append_json_string(out, user);
  out += ',';
  append_json_string(out, password);
  end_request(out);
}

void encode_extranonce_subscribe_request(std::string& out, std::uint64_t id) {
  begin_request(out, id, "mining.extranonce.subscribe");
  end_request(out);
}

void encode_suggest_difficulty_request(std::string& out, std::uint64_t id, double difficulty) {
  begin_request(out, id, "mining.suggest_difficulty");
  append_number(out, difficulty);
  end_request(out);
}

void encode_submit_request(std::string& out, std::uint64_t id, const upstream_submit& share) {
  begin_request(out, id, "mining.submit");
  append_json_string(out, share.user);
  out += ',';
  append_json_string(out, share.job);
  out += ",\"";
  append_lower_hex(out, share.extranonce2_prefix);
  append_lower_hex(out, share.extranonce2);
  out += "\",";
  append_quoted_hex32(out, share.ntime);
  out += ',';
  append_quoted_hex32(out, share.nonce);
  if (share.version_bits) {
    out += ',';
    append_quoted_hex32(out, *share.version_bits);
  }
  end_request(out);
}

}  // namespace stratumproxy::protocol
