#include "protocol/json_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "stratumproxy/protocol/codec.hpp"

namespace stratumproxy::protocol {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

constexpr auto hex_bytes = byte_table([](unsigned byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
});

void append_unit(std::string& out, std::uint32_t unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += hex_digits[(unit >> shift) & 15];
}

// One code point from the front of `text`, U+FFFD for a byte that starts none; never takes less than a byte.
std::uint32_t take_code_point(std::string_view& text) noexcept {
  constexpr std::uint32_t replacement = 0xfffd;
  const auto lead = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  if (lead < 0x80) return lead;
  const std::size_t tail = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < tail) return replacement;
  std::uint32_t code = lead & (0x3fu >> tail);
  for (std::size_t i = 0; i < tail; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return replacement;
    code = code << 6 | (byte & 0x3f);
  }
  constexpr std::array<std::uint32_t, 4> least{0, 0x80, 0x800, 0x10000};
  if (code < least[tail] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return replacement;
  text.remove_prefix(tail);
  return code;
}

void append_special(std::string& out, std::uint32_t code) {
  if (code == '"' || code == '\\') {
    out += '\\';
    out += static_cast<char>(code);
  } else if (code < 0x10000) {
    append_unit(out, code);
  } else {
    append_unit(out, 0xd800 + ((code - 0x10000) >> 10));
    append_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
  }
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out.append(text.data(), plain);
    text.remove_prefix(plain);
    if (!text.empty()) append_special(out, take_code_point(text));
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

// Recursion is bounded by json_tape::max_depth.
void append_json_value(std::string& out, json_value value) {
  switch (value.kind()) {
    case json_kind::missing:
    case json_kind::null: out += "null"; return;
    case json_kind::false_: out += "false"; return;
    case json_kind::true_: out += "true"; return;
    case json_kind::number: out += value.text(); return;
    case json_kind::string: append_json_string(out, value.text()); return;
    case json_kind::array:
    case json_kind::object: break;
  }
  const bool is_object = value.is_object();
  out += is_object ? '{' : '[';
  std::size_t count = 0;
  for (const auto element : value) {
    if (count > 0) out += is_object && count % 2 == 1 ? ':' : ',';
    append_json_value(out, element);
    ++count;
  }
  out += is_object ? '}' : ']';
}

void append_unsigned(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), value);
  out.append(digits.begin(), end);
}

void append_hex32(std::string& out, std::uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) out += hex_digits[(value >> shift) & 15];
}

bool is_hex(std::string_view text) noexcept {
  bool is_good = true;
  for (const char c : text) is_good &= hex_bytes[static_cast<unsigned char>(c)];
  return is_good;
}

std::optional<double> parse_double(std::string_view text) noexcept {
  const auto value = parse_whole<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept { return parse_whole<std::uint64_t>(text); }

void append_number(std::string& out, double value) {
  // The longest is the smallest subnormal's neighbourhood: "0.", 323 zeros and 17 digits.
  std::array<char, 400> digits;
  const bool usable = std::isfinite(value) && value != 0;  // also: no "-0"
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), usable ? value : 0.0, std::chars_format::fixed);
  out.append(digits.begin(), end);
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out(text.substr(0, limit));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return out;
}

std::optional<std::uint32_t> parse_hex32(std::string_view text) noexcept {
  if (text.empty() || text.size() > 8 || !is_hex(text)) return std::nullopt;
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

std::optional<std::uint64_t> parse_job_id(std::string_view text) noexcept {
  const bool canonical = !text.empty() && text.size() <= 16 && (text.front() != '0' || text.size() == 1) &&
                         text.find_first_not_of(hex_digits) == text.npos;
  if (!canonical) return std::nullopt;
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

}  // namespace stratumproxy::protocol
