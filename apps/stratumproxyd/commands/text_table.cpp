#include "commands/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "store/text.hpp"

namespace stratumproxyd {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Marks that turn the direction of writing, have no width or end a line could make a text read as another one: U+200B to 200F,
// U+2028 to 202E, U+2060 to 206F, U+FEFF. Dashes and quotation marks are between these.
bool misleads(std::string_view character) {
  return (character >= "\u200b" && character <= "\u200f") || (character >= "\u2028" && character <= "\u202e") ||
         (character >= "\u2060" && character <= "\u206f") || character == "\ufeff";
}

// "12", "0.5", "1.5e-05", "3.4 TH/s", "-": what people compare by its end.
bool is_number(std::string_view text) {
  const auto number = text.substr(0, text.find(' '));
  return number.find_first_not_of("0123456789.e+-") == std::string_view::npos && !number.starts_with('e');
}

}  // namespace

std::string visible(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t size = 1;
    while (i + size < text.size() && is_continuation(text[i + size])) ++size;
    const auto character = text.substr(i, size);
    const auto first = static_cast<unsigned char>(character[0]);
    const bool is_c1 = size == 2 && first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
    if (first < 0x20 || first == 0x7f || is_c1 || misleads(character) || !is_storable(character, 4))
      out += '?';
    else
      out += character;
    i += size;
  }
  return out;
}

std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

std::string_view first_columns(std::string_view text, std::size_t columns) noexcept {
  std::size_t end = 0;
  for (; end < text.size(); ++end)
    if (!is_continuation(text[end]) && columns-- == 0) break;
  return text.substr(0, end);
}

std::vector<std::string> text_table::lines() const {
  const auto columns = rows_[0].size();
  std::vector<std::size_t> widths(columns);
  std::vector<bool> stands_right(columns, size() > 0);
  stands_right[0] = false;  // a name, if it is of digits only, too
  for (std::size_t row = 0; row < rows_.size(); ++row)
    for (std::size_t i = 0; i < columns; ++i) {
      widths[i] = std::max(widths[i], width_of(rows_[row][i]));
      if (row > 0 && !is_number(rows_[row][i])) stands_right[i] = false;
    }
  std::vector<std::string> out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < columns; ++i) {
      const std::string fill(widths[i] - width_of(row[i]), ' ');
      if (i > 0) line += "  ";
      line += stands_right[i] ? fill + row[i] : row[i] + fill;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.push_back(std::move(line));
  }
  return out;
}

std::string text_table::text() const {
  std::string out;
  for (const auto& line : lines()) out.append(line).append("\n");
  return out;
}

std::string hashrate_text(double hashes_per_second) {
  constexpr std::string_view prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t step = 0;
  while (hashes_per_second >= 999.95 && step + 1 < std::size(prefixes)) {
    hashes_per_second /= 1000;
    ++step;
  }
  return fmt::format("{:.1f} {}H/s", hashes_per_second, prefixes[step]);
}

std::string age_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::max(0.0, seconds));
  const auto days = whole / 86'400, hours = whole / 3'600 % 24, minutes = whole / 60 % 60;
  if (days > 0) return fmt::format("{} d {} h", days, hours);
  if (hours > 0) return fmt::format("{} h {} min", hours, minutes);
  if (minutes > 0) return fmt::format("{} min {} s", minutes, whole % 60);
  return fmt::format("{} s", whole);
}

std::string number_text(double value) {
  return std::abs(value) >= 1000 && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value) : fmt::format("{:.6g}", value);
}

}  // namespace stratumproxyd
