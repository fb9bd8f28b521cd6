#include <algorithm>
#include <array>

#include "stratumproxy/protocol/codec.hpp"

namespace stratumproxy::protocol {
namespace {

using namespace std::string_view_literals;

constexpr std::array http_methods{"GET "sv,   "POST "sv,   "HEAD "sv,    "PUT "sv,   "PRI "sv,
                                  "PATCH "sv, "DELETE "sv, "OPTIONS "sv, "TRACE "sv, "CONNECT "sv};
constexpr auto proxy_v2_signature = "\r\n\r\n\0\r\nQUIT\n"sv;

// A Noise handshake opens with one key: 64 bytes, 32 in older drafts; it may not send more before it is answered.
constexpr std::size_t noise_key = 64;
constexpr std::size_t old_noise_key = 32;

bool is_text(char c) noexcept { return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\r' || c == '\n'; }

bool opens_json(char c) noexcept { return c == '{' || c == '[' || c == '"' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

intruder detect_intruder(std::span<const char> first_bytes) noexcept {
  const std::string_view bytes(first_bytes.data(), first_bytes.size());
  if (bytes.empty()) return intruder::none;
  if (bytes.starts_with("\x16\x03"sv)) return intruder::tls;
  if (bytes == "\x16"sv) return intruder::none;
  if (bytes.front() == '\x7f') return intruder::btcagent;
  if (bytes.starts_with("SSH-"sv)) return intruder::ssh;
  if (bytes.starts_with("PROXY "sv)) return intruder::proxy_protocol;
  // Its first four bytes are two empty lines; from the fifth on it is nothing that a miner sends.
  if (bytes.size() > 4 && bytes.substr(0, proxy_v2_signature.size()) == proxy_v2_signature.substr(0, bytes.size())) {
    return intruder::proxy_protocol;
  }
  const auto begins = [&](std::string_view method) { return bytes.starts_with(method); };
  if (std::any_of(http_methods.begin(), http_methods.end(), begins)) return intruder::http;

  // A byte order mark is text, which the codec refuses.
  if (opens_json(bytes.front()) || bytes.starts_with("\xef\xbb\xbf"sv)) return intruder::none;
  const auto line = bytes.substr(0, bytes.find('\n'));
  if (std::all_of(line.begin(), line.end(), is_text)) return intruder::none;
  const bool is_noise = bytes.size() == noise_key || bytes.size() == old_noise_key;
  return is_noise ? intruder::stratum_v2 : intruder::other_binary;
}

std::string_view name(intruder value) noexcept {
  switch (value) {
    case intruder::none: return "none";
    case intruder::tls: return "tls";
    case intruder::http: return "http";
    case intruder::proxy_protocol: return "proxy_protocol";
    case intruder::stratum_v2: return "stratum_v2";
    case intruder::btcagent: return "btcagent";
    case intruder::ssh: return "ssh";
    case intruder::other_binary: return "other_binary";
  }
  return "none";
}

std::string_view refusal(intruder value) noexcept {
  switch (value) {
    case intruder::tls: return "\x15\x03\x01\x00\x02\x02\x28"sv;  // fatal alert, handshake_failure
    case intruder::http:
      return "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 37\r\nConnection: close\r\n\r\n"
             "This port speaks Stratum, not HTTP.\r\n"sv;
    case intruder::none:
    case intruder::proxy_protocol:
    case intruder::stratum_v2:
    case intruder::btcagent:
    case intruder::ssh:
    case intruder::other_binary: return {};
  }
  return {};
}

}  // namespace stratumproxy::protocol
