#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/json_tape.hpp"

namespace stratumproxy::protocol {

/// A look-up for each byte: what goes through here is hex by the kilobyte.
template <class Predicate>
[[nodiscard]] constexpr std::array<bool, 256> byte_table(Predicate holds) noexcept {
  std::array<bool, 256> table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) table[byte] = holds(byte);
  return table;
}
inline constexpr auto plain_bytes =
    byte_table([](unsigned byte) { return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\'; });
/// Stands for itself in a JSON string, in ASCII.
[[nodiscard]] inline bool is_plain(char c) noexcept { return plain_bytes[static_cast<unsigned char>(c)]; }

/// Appends `text` as a JSON string in ASCII. Bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
/// The same without the quotes.
void append_escaped(std::string& out, std::string_view text);
/// Appends a parsed value again: the same value, not always the same spelling.
void append_json_value(std::string& out, json_value value);
void append_unsigned(std::string& out, std::uint64_t value);
/// Eight lower-case digits.
void append_hex32(std::string& out, std::uint32_t value);

[[nodiscard]] bool is_hex(std::string_view text) noexcept;
/// Whole bytes in hex.
[[nodiscard]] inline bool is_hex_bytes(std::string_view text) noexcept { return text.size() % 2 == 0 && is_hex(text); }
/// All of the text is one finite number.
[[nodiscard]] std::optional<double> parse_double(std::string_view text) noexcept;
/// All of the text is digits, and they fit.
[[nodiscard]] std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept;

}  // namespace stratumproxy::protocol
