#include "script.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "json_line.hpp"

namespace stratumload {
namespace {

using act = recorded_event::act;

constexpr std::size_t longest_look = 100'000;  // events

bool is_login(const recorded_event& event) {
  json_line line;
  return event.what == act::line && event.by_peer && line.parse(event.text) && line.method() == "mining.authorize";
}

}  // namespace

script::script(recording from, bool plays_miners, bool plays_pools)
    : all_(std::move(from)), miners_(plays_miners), pools_(plays_pools) {
  const auto count = all_.conversations.size();
  theirs_.resize(count);
  next_.resize(count);
  fresh_.assign(count, true);
  for (const auto& each : all_.conversations) workers_.push_back(each.worker);
  if (miners_ && pools_) open_links_at_once();
  met_.assign(all_.events.size(), false);
  roles_.reserve(all_.events.size());
  for (std::size_t at = 0; at < all_.events.size(); ++at) {
    const auto& event = all_.events[at];
    const bool is_played = plays(all_.conversations[event.conversation].peer);
    roles_.push_back(!is_played ? role::nobodys : event.by_peer ? role::ours : role::theirs);
    if (roles_.back() == role::theirs) theirs_[event.conversation].push_back(at);
  }
}

// A pool cannot tell the first connections of several links apart, so each login waits for the connection that it causes.
void script::open_links_at_once() {
  auto& events = all_.events;
  std::set<std::uint64_t> known;
  for (std::size_t at = 0; at < events.size(); ++at) {
    const auto& of = all_.conversations[events[at].conversation];
    if (events[at].what != act::open || of.peer != side::pool || !known.insert(of.link).second || !of.worker) continue;
    for (std::size_t login = at; login-- > 0;) {
      if (events[login].conversation != *of.worker || !is_login(events[login])) continue;
      const auto first = events.begin() + static_cast<std::ptrdiff_t>(login) + 1;
      std::rotate(first, events.begin() + static_cast<std::ptrdiff_t>(at), events.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      break;
    }
  }
}

std::optional<std::size_t> script::next() {
  for (; cursor_ < all_.events.size(); ++cursor_) {
    if (roles_[cursor_] == role::theirs) {
      if (!met_[cursor_]) ++missing_;
      continue;
    }
    if (met_[cursor_]) continue;
    if (missing_ > 0) return std::nullopt;
    return cursor_;
  }
  return std::nullopt;
}

std::optional<std::size_t> script::ahead() const {
  std::set<std::size_t> busy;
  std::size_t looked = 0;
  for (auto at = settled_; at < all_.events.size() && looked < longest_look; ++at) {
    if (met_[at] || roles_[at] == role::nobodys || (at < cursor_ && roles_[at] == role::ours)) continue;
    ++looked;
    const auto& event = all_.events[at];
    const bool is_first = busy.insert(pair_of(event.conversation)).second;
    const bool is_pools = all_.conversations[event.conversation].peer == side::pool && event.what == act::line;
    if (is_first && is_pools && roles_[at] == role::ours) return at;
  }
  return std::nullopt;
}

void script::done(std::size_t at) {
  met_[at] = true;
  if (all_.events[at].what != act::open) fresh_[all_.events[at].conversation] = false;
}

std::optional<std::size_t> script::awaited() {
  if (missing_ == 0) return std::nullopt;
  while (settled_ < cursor_ && (roles_[settled_] != role::theirs || met_[settled_])) ++settled_;
  return settled_;
}

void script::came_back(std::size_t before, std::size_t now) {
  for (auto& worker : workers_)
    if (worker == before) worker = now;
}

std::optional<std::size_t> script::expected(std::size_t conversation) const {
  const auto& list = theirs_[conversation];
  if (next_[conversation] == list.size()) return std::nullopt;
  return list[next_[conversation]];
}

void script::came(std::size_t at) {
  const auto who = all_.events[at].conversation;
  if (all_.events[at].what != act::open) fresh_[who] = false;
  met_[at] = true;
  ++next_[who];
  if (at < cursor_) --missing_;
}

void script::revoke(std::size_t at) {
  met_[at] = false;
  settled_ = std::min(settled_, at);
  --next_[all_.events[at].conversation];
  if (at < cursor_) ++missing_;
}

std::size_t script::pair_of(std::size_t conversation) const {
  return workers_[conversation].value_or(conversation);
}

std::optional<std::size_t> script::skipped_before(std::size_t at) const {
  const auto pair = pair_of(all_.events[at].conversation);
  for (auto before = cursor_; before < at; ++before)
    if (roles_[before] == role::ours && all_.events[before].what == act::line && pair_of(all_.events[before].conversation) == pair)
      return before;
  return std::nullopt;
}

std::vector<std::size_t> script::openings() const {
  std::vector<std::size_t> out;
  for (std::size_t who = 0; who < conversations(); ++who) {
    if (all_.conversations[who].peer != side::pool) continue;
    const auto at = expected(who);
    if (at && all_.events[*at].what == act::open) out.push_back(*at);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace stratumload
