#include "event_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace stratumproxyd {
namespace {

using stratumproxy::log_event;
using stratumproxy::log_level;

constexpr std::size_t max_field = 1'024;

std::array<std::pair<std::string_view, std::string_view>, 5> fields_of(const log_event& event) {
  return {{{"session", event.session},
           {"worker", event.worker},
           {"account", event.account},
           {"pool", event.pool},
           {"detail", event.detail}}};
}

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0. Overlong forms and surrogates are not well-formed.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) || (first == 0xf0 && byte(1) < 0x90) ||
      (first == 0xf4 && byte(1) > 0x8f))
    return 0;
  // C1 controls and the line and paragraph separators start a new line in some viewers.
  if (first == 0xc2 && byte(1) < 0xa0) return 0;
  if (first == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9)) return 0;
  return length;
}

// Escapes as JSON does; bytes that are no text become the replacement \ufffd.
std::string escaped(std::string_view text) {
  text = text.substr(0, max_field);
  std::string out;
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const auto length = utf8_length(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", c);
    } else if (length == 0) {
      out += "\\ufffd";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

bool is_bare(std::string_view text) {
  return text.size() <= max_field && std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
  });
}

}  // namespace

std::string event_as_text(const log_event& event) {
  std::string out = escaped(event.event);
  for (const auto& [name, value] : fields_of(event)) {
    if (value.empty()) continue;
    out += is_bare(value) ? fmt::format(" {}={}", name, value) : fmt::format(" {}=\"{}\"", name, escaped(value));
  }
  return out;
}

std::string event_as_json(const log_event& event) {
  std::string out = fmt::format("\"event\":\"{}\"", escaped(event.event));
  for (const auto& [name, value] : fields_of(event))
    if (!value.empty()) out += fmt::format(",\"{}\":\"{}\"", name, escaped(value));
  return out;
}

std::string_view source_of(const log_event& event) {
  if (!event.worker.empty()) return event.worker.substr(0, event.worker.rfind(':'));
  return event.pool;
}

std::string_view name(log_level level) {
  switch (level) {
    case log_level::debug: return "debug";
    case log_level::info: return "info";
    case log_level::warning: return "warning";
    case log_level::error: return "error";
  }
  return "error";
}

}  // namespace stratumproxyd
