#include "admin/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "admin/json_body.hpp"

namespace stratumproxyd {

query_reader::query_reader(const http_request& request) : left_(request.query) {
  for (auto each = left_.begin(); each != left_.end(); ++each)
    if (std::any_of(left_.begin(), each, [&](const auto& before) { return before.first == each->first; }))
      throw refusal{400, "a query parameter appears twice"};
}

std::optional<std::string> query_reader::text(std::string_view name) {
  const auto found = std::ranges::find(left_, name, [](const auto& each) -> std::string_view { return each.first; });
  if (found == left_.end()) return std::nullopt;
  auto value = std::move(found->second);
  left_.erase(found);
  return value;
}

std::optional<std::int64_t> query_reader::whole(std::string_view name, std::int64_t low, std::int64_t high) {
  const auto given = text(name);
  if (!given) return std::nullopt;
  std::int64_t value = 0;
  const auto* end = given->data() + given->size();
  const auto [stopped, error] = std::from_chars(given->data(), end, value);
  if (error != std::errc{} || stopped != end || value < low || value > high)
    throw refusal{400, fmt::format("{} must be a whole number from {} to {}", name, low, high)};
  return value;
}

void query_reader::finish(std::string_view known) const {
  if (!left_.empty()) throw refusal{400, fmt::format("the query parameters are {}", known)};
}

}  // namespace stratumproxyd
