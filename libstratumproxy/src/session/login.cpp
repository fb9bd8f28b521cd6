#include "session/login.hpp"

#include <charconv>
#include <cmath>
#include <system_error>

#include <algorithm>
#include <cstddef>

namespace stratumproxy::session {
namespace {

[[nodiscard]] bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

login split_login(std::string_view text) noexcept {
  const auto end = text.find_first_of("._/+");
  if (end == std::string_view::npos) return {text, {}};
  return {text.substr(0, end), text.substr(end + 1)};
}

bool is_account_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_same_name(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string clean_rig(std::string_view rig) {
  std::string clean;
  for (const char c : rig) {
    if (clean.size() == 32) break;
    if (is_alphanumeric(c) || c == '_' || c == '-') clean += c;
  }
  return clean;
}

std::string pool_login(std::string_view login_template, std::string_view user, std::string_view account,
                       std::string_view rig) {
  const auto has_worker_part = user.find('.') != std::string_view::npos;
  if (rig.empty() || has_worker_part) {
    // A template without {rig} says something else than "user and worker": it is used as it stands.
    if (login_template.find("{rig}") != std::string_view::npos) return std::string(user);
  }
  std::string login;
  for (std::size_t i = 0; i < login_template.size();) {
    const auto rest = login_template.substr(i);
    const auto replace = [&](std::string_view key, std::string_view value) {
      if (!rest.starts_with(key)) return false;
      login += value;
      i += key.size();
      return true;
    };
    if (replace("{user}", user) || replace("{rig}", rig) || replace("{account}", account)) continue;
    login += rest.front();
    ++i;
  }
  return login;
}

double difficulty_in(std::string_view password) noexcept {
  constexpr std::string_view separators = ",; ", key = "d=";
  while (!password.empty()) {
    const auto end = password.find_first_of(separators);
    const auto part = password.substr(0, end);
    password.remove_prefix(end == std::string_view::npos ? password.size() : end + 1);
    if (!part.starts_with(key)) continue;
    double value = 0;
    const auto [rest, error] = std::from_chars(part.data() + key.size(), part.data() + part.size(), value);
    if (error == std::errc{} && rest == part.data() + part.size() && std::isfinite(value) && value > 0) return value;
  }
  return 0;
}

}  // namespace stratumproxy::session
