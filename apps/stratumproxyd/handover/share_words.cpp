#include "handover/share_words.hpp"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace stratumproxyd {
namespace {

// Every number of a total, in one order for both directions.
template <class Counts, class Visit>
void each_number(Counts& shares, Visit&& visit) {
  visit(shares.sent);
  visit(shares.accepted);
  visit(shares.unknown);
  visit(shares.late);
  visit(shares.pool_accepted);
  for (auto& count : shares.rejected) visit(count);
  visit(shares.sent_one);
  visit(shares.accepted_one);
  visit(shares.pool_accepted_one);
}

}  // namespace

std::vector<std::string> to_words(const total_record& row) {
  std::vector<std::string> words = {"shares", row.account, row.pool, row.algorithm};
  each_number(row.shares, [&](auto number) { words.push_back(fmt::format("{}", number)); });
  return words;
}

std::optional<total_record> shares_of(std::span<const std::string> words) {
  if (words.size() < 4 || words[0] != "shares") return std::nullopt;
  total_record row{words[1], words[2], words[3], {}};
  words = words.subspan(4);
  bool is_good = true;
  each_number(row.shares, [&](auto& number) {
    if (words.empty()) {
      is_good = false;
      return;
    }
    const auto& text = words.front();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    is_good = is_good && error == std::errc{} && end == text.data() + text.size();
    words = words.subspan(1);
  });
  if (!is_good || !words.empty()) return std::nullopt;
  return row;
}

}  // namespace stratumproxyd
