#include "session/line_mask.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "protocol/json_text.hpp"

namespace stratumproxy::session {
namespace {

using protocol::json_kind;
using protocol::json_value;

constexpr std::string_view stars = "***";
// Shorter ones ("x") are no secrets, but parts of words.
constexpr std::size_t shortest_secret = 4;
constexpr std::size_t digits_of_own_session = 32, digits_in_log = 8;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

bool contains(std::string_view text, std::string_view what) { return text.find(what) != std::string_view::npos; }

// Ours keep the digits that stand in the log too; of others it is not known where they differ.
std::string alias_of(std::string_view session) {
  std::string out = "session-";
  if (session.size() == digits_of_own_session && protocol::is_hex(session)) return out.append(session, 0, digits_in_log);
  std::uint32_t hash = 2'166'136'261;  // FNV-1a
  for (const char c : session) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619;
  protocol::append_hex32(out, hash);
  return out;
}

// The text without the secrets; nothing when it has none.
std::optional<std::string> without(std::string_view text, std::span<const std::string> secrets) {
  std::optional<std::string> out;
  for (const auto& secret : secrets) {
    if (secret.size() < shortest_secret) continue;
    // Digits of a hash or a coinbase are no words: a short password turns up in them by chance.
    if (text != secret && protocol::is_hex(text)) continue;
    for (auto at = (out ? *out : text).find(secret); at != std::string_view::npos; at = out->find(secret, at + stars.size())) {
      if (!out) out.emplace(text);
      out->replace(at, secret.size(), stars);
    }
  }
  return out;
}

}  // namespace

std::string_view line_mask::masked(std::string_view line, std::span<const std::string> secrets) {
  copy_ = line;
  if (tape_.parse(copy_) || !tape_.root().is_object()) return out_ = "unusable: " + std::to_string(line.size()) + " bytes";
  line_ = line;
  secrets_ = secrets;
  edits_.clear();
  const auto method = lower(tape_.root().find("method").string());
  const bool is_login = contains(method, "auth") || contains(method, "login");
  bool is_key = false;
  std::string_view key;
  for (const auto member : tape_.root()) {
    is_key = !is_key;
    if (is_key) {
      key = member.text();
      note(member, rule::words);
    } else if (key == "params" && is_login) {
      walk_login(member);
    } else if (key == "params" && contains(method, "subscribe") && member.size() > 1 && member[1].is_string()) {
      std::size_t index = 0;
      for (const auto param : member) walk(param, index++ == 1 ? rule::session : rule::words);
    } else if (key == "result") {
      walk_subscribed(member);
    } else {
      walk(member, contains(lower(key), "pass") ? rule::secret : rule::words);
    }
  }
  if (edits_.empty()) return line_;

  out_.clear();
  std::size_t at = 0;
  for (const auto& change : edits_) {
    out_.append(line_, at, change.at - at).append(change.text);
    at = change.at + change.was.size();
  }
  return out_.append(line_, at);
}

void line_mask::walk(json_value value, rule how) {
  if (!value.is_array() && !value.is_object()) return note(value, how);
  bool is_key = false, hides = false;
  for (const auto part : value) {
    is_key = value.is_object() && !is_key;
    if (is_key) {
      hides = contains(lower(part.text()), "pass");
      note(part, rule::words);
    } else {
      walk(part, hides ? rule::secret : how);
    }
  }
}

// Everything but the user may be a password: some dialects have it elsewhere, or in an object.
void line_mask::walk_login(json_value params) {
  std::size_t index = 0;
  if (!params.is_array()) return walk(params, rule::secret);
  for (const auto param : params) walk(param, index++ == 0 && param.is_string() ? rule::words : rule::secret);
}

// [subscriptions, extranonce1, size], where pools put the session anywhere before the last two.
void line_mask::walk_subscribed(json_value result) {
  const auto size = result.is_array() ? result.size() : 0;
  const bool is_subscribed = size >= 3 && result[size - 2].is_string() && result[size - 1].is_number();
  if (!is_subscribed) return walk(result, rule::words);
  std::size_t index = 0;
  for (const auto part : result) walk(part, index++ + 2 < size ? rule::session : rule::words);
}

void line_mask::note(json_value value, rule how) {
  const bool is_number = value.is_number();
  if (!value.is_string() && !is_number) return;
  const auto text = value.text();
  switch (how) {
    case rule::secret: return replace(value, is_number ? "0" : std::string(stars));
    case rule::session:
      if (is_number || text.empty() || text.starts_with("mining.")) return;
      return replace(value, alias_of(text));
    case rule::words:
      if (is_number) return;
      if (const auto cleaned = without(text, secrets_)) {
        std::string escaped;
        protocol::append_escaped(escaped, *cleaned);
        replace(value, std::move(escaped));
      }
  }
}

// The copy was decoded in place, so that a value begins where it did in the line, but an escaped one ended later there.
void line_mask::replace(json_value value, std::string text) {
  const auto at = static_cast<std::size_t>(value.text().data() - copy_.data());
  auto end = at + value.text().size();
  if (value.is_string()) {
    for (end = at; line_[end] != '"'; ++end) {
      if (line_[end] == '\\') ++end;
    }
  }
  edits_.push_back({at, line_.substr(at, end - at), std::move(text)});
}

}  // namespace stratumproxy::session
