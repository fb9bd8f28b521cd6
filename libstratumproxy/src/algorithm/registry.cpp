#include "stratumproxy/algorithm.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stratumproxy::algorithm {
namespace {

constexpr std::size_t longest_name = 64;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

void make_lower(std::string& text) { std::transform(text.begin(), text.end(), text.begin(), lower); }

bool same(std::string_view stored, std::string_view asked) noexcept {
  return std::equal(stored.begin(), stored.end(), asked.begin(), asked.end(), [](char a, char b) { return a == lower(b); });
}

bool answers_to(const info& value, std::string_view name) noexcept {
  return same(value.name, name) ||
         std::any_of(value.aliases.begin(), value.aliases.end(), [&](const auto& alias) { return same(alias, name); });
}

bool is_name(std::string_view text) noexcept { return !text.empty() && text.size() <= longest_name; }

}  // namespace

registry::registry() : known_(builtin().begin(), builtin().end()) {}

std::error_code registry::add(info value) {
  if (!std::isfinite(value.divider) || value.divider <= 0) return errc::out_of_range;
  make_lower(value.name);
  if (!is_name(value.name)) return errc::bad_params;
  const auto is_foreign = [&](std::string_view name) {
    const info* owner = find(name);
    return owner != nullptr && owner->name != value.name;
  };
  if (is_foreign(value.name)) return errc::bad_params;
  for (auto& alias : value.aliases) {
    make_lower(alias);
    if (!is_name(alias) || is_foreign(alias)) return errc::bad_params;
  }
  const auto old = std::find_if(known_.begin(), known_.end(), [&](const info& known) { return known.name == value.name; });
  if (old != known_.end()) {
    *old = std::move(value);
  } else {
    known_.push_back(std::move(value));
  }
  return {};
}

const info* registry::find(std::string_view name_or_alias) const {
  const auto found =
      std::find_if(known_.begin(), known_.end(), [&](const info& known) { return answers_to(known, name_or_alias); });
  return found == known_.end() ? nullptr : &*found;
}

double expected_hashes(double difficulty, double divider) noexcept { return std::ldexp(difficulty / divider, 32); }

}  // namespace stratumproxy::algorithm
