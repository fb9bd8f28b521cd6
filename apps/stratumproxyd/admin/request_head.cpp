#include "admin/request_head.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "store/text.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t max_target = 2'048;
constexpr std::size_t max_headers = 64;

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_plain_target(std::string_view target) {
  if (!target.starts_with('/')) return false;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] <= 0x20 || target[i] >= 0x7f) return false;
    if (target[i] == '%' && (i + 2 >= target.size() || !is_hex(target[i + 1]) || !is_hex(target[i + 2]))) return false;
  }
  return true;
}

std::optional<head_error> parse_request_line(std::string_view line, request_head& out) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return head_error{400, "the request line is malformed"};
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (method.empty() || method.size() > 16 || !std::ranges::all_of(method, is_token_char))
    return head_error{400, "the method is malformed"};
  if (target.size() > max_target) return head_error{414, "the path is too long"};
  if (!is_plain_target(target)) return head_error{400, "the path is malformed"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return head_error{505, "only HTTP/1.1 is spoken here"};
  out.method = method;
  out.keep_alive = version == "HTTP/1.1";
  out.text.append(line).append("\r\n");
  return std::nullopt;
}

/// What the headers say about the body.
struct framing {
  std::size_t body_bytes;  // at most
  std::optional<std::size_t> length;
  bool chunked = false;
  bool has_host = false;
  bool has_authorization = false;
  bool has_if_match = false;
};

std::optional<head_error> take_header(const std::string& name, std::string_view value, request_head& out, framing& frame) {
  if (name == "content-length") {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (frame.length || value.empty() || value.size() > 18 || error != std::errc{} || end != value.data() + value.size())
      return head_error{400, "Content-Length is malformed or appears twice"};
    if (length > frame.body_bytes) return head_error{413, too_large_text(frame.body_bytes)};
    frame.length = length;
  } else if (name == "transfer-encoding") {
    if (frame.chunked || lower_case(value) != "chunked") return head_error{501, "only the transfer encoding chunked is known"};
    frame.chunked = true;
  } else if (name == "content-encoding") {
    if (lower_case(value) != "identity") return head_error{415, "the body must not be compressed"};
  } else if (name == "host") {
    if (frame.has_host) return head_error{400, "Host appears twice"};
    frame.has_host = true;
  } else if (name == "authorization") {
    if (std::exchange(frame.has_authorization, true)) return head_error{400, "Authorization appears twice"};
  } else if (name == "if-match") {
    if (std::exchange(frame.has_if_match, true)) return head_error{400, "If-Match appears twice"};
  } else if (name == "connection") {
    const auto choice = lower_case(value);
    if (choice.find("close") != std::string::npos) out.keep_alive = false;
  }
  return std::nullopt;
}

}  // namespace

std::string too_large_text(std::size_t body_bytes) {
  return "the body is larger than " + std::to_string(body_bytes) + " bytes";
}

std::size_t head_length(std::string_view bytes) noexcept {
  // Also a blank line that ends in a bare LF: the head is complete, though it will be refused.
  for (auto at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    if (bytes.substr(at + 1).starts_with("\n")) return at + 2;
    if (bytes.substr(at + 1).starts_with("\r\n")) return at + 3;
  }
  return 0;
}

std::variant<request_head, head_error> parse_request_head(std::string_view head, std::size_t body_bytes) {
  if (head.size() > max_head_bytes) return head_error{431, "the headers are too large"};
  request_head out;
  framing frame{.body_bytes = body_bytes, .length = {}};
  std::size_t count = 0;
  bool first = true;
  bool needs_host = false;
  while (!head.empty()) {
    const auto end = head.find('\n');
    if (end == std::string_view::npos || end == 0 || head[end - 1] != '\r')
      return head_error{400, "lines must end with CR LF"};
    const auto line = head.substr(0, end - 1);
    head.remove_prefix(end + 1);
    const auto is_control = [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; };
    if (std::ranges::any_of(line, is_control)) return head_error{400, "a control character in the headers"};
    if (first) {
      first = false;
      if (const auto error = parse_request_line(line, out)) return *error;
      needs_host = out.keep_alive;
      continue;
    }
    if (line.empty()) continue;
    if (++count > max_headers) return head_error{431, "too many headers"};
    const auto colon = line.find(':');
    const auto name = line.substr(0, colon);
    if (colon == std::string_view::npos || name.empty() || !std::ranges::all_of(name, is_token_char))
      return head_error{400, "a header is malformed"};
    const auto key = lower_case(name);
    const auto value = trimmed(line.substr(colon + 1));
    if (const auto error = take_header(key, value, out, frame)) return *error;
    // The library would answer ranges of a page, believe a client's REMOTE_ADDR, and repeat some of Connection.
    if (key == "range" || key == "remote_addr" || key == "remote_port" || key == "local_addr" || key == "local_port" ||
        key == "connection" || key == "keep-alive")
      continue;
    out.text.append(name).append(": ").append(value).append("\r\n");
  }
  if (frame.chunked && frame.length) return head_error{400, "Content-Length and Transfer-Encoding exclude each other"};
  if (needs_host && !frame.has_host) return head_error{400, "Host is missing"};
  out.has_body = frame.chunked || frame.length.value_or(0) > 0;
  if (out.has_body && (out.method == "GET" || out.method == "HEAD" || out.method == "DELETE"))
    return head_error{400, "a body has no meaning here"};
  if (!out.has_body && !frame.length && (out.method == "POST" || out.method == "PUT" || out.method == "PATCH"))
    return head_error{411, "Content-Length is missing"};
  out.text.append("\r\n");
  return out;
}

}  // namespace stratumproxyd
