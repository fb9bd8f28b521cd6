#include "session/lane_table.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

#include "algorithm/hex.hpp"

namespace stratumproxy::session {

std::optional<std::string> lane_table::enter(worker_id worker, std::string_view mark_hex, unsigned miner_bytes) {
  lane mark;
  const auto mark_bytes = mark_hex.size() / 2;
  if (miner_bytes == 0 || mark_bytes == 0 || mark_bytes + miner_bytes > extranonce2_bytes_) return std::nullopt;
  const auto lane_bytes = extranonce2_bytes_ - miner_bytes;
  if (lane_bytes > mark.bytes.size() || !algorithm::decode_hex(mark_hex, std::span(mark.bytes).first(mark_bytes)))
    return std::nullopt;
  mark.size = static_cast<std::uint8_t>(mark_bytes);

  auto* const known = find(worker);
  if (known && known->own.size == lane_bytes && known->mark_bytes == mark_bytes &&
      std::equal(mark.bytes.begin(), mark.bytes.begin() + mark_bytes, known->own.bytes.begin() + (lane_bytes - mark_bytes)))
    return pad(worker);
  if (!known && is_full()) return std::nullopt;

  const auto dealt = free_lane(mark, lane_bytes - mark_bytes);
  if (!dealt) return std::nullopt;
  add(*dealt);
  const member entered{worker, *dealt, *dealt, mark.size};
  if (known) {
    *known = entered;
  } else {
    members_.insert(position(worker), entered);
  }
  return hex(pad_of(*dealt, mark_bytes));
}

std::optional<std::string> lane_table::fresh_pad(worker_id worker) {
  auto* const known = find(worker);
  if (!known) return std::nullopt;
  const auto pad_bytes = static_cast<std::size_t>(known->own.size - known->mark_bytes);
  lane mark{.size = known->mark_bytes};
  std::copy_n(known->own.bytes.begin() + pad_bytes, mark.size, mark.bytes.begin());
  const auto dealt = free_lane(mark, pad_bytes);
  if (!dealt) return std::nullopt;
  add(*dealt);
  known->current = *dealt;
  return hex(pad_of(*dealt, mark.size));
}

std::optional<std::string> lane_table::pad(worker_id worker) const {
  const auto* const known = find(worker);
  return known ? std::optional(hex(pad_of(known->current, known->mark_bytes))) : std::nullopt;
}

bool lane_table::take_over(worker_id before, worker_id after) {
  const auto* const known = find(before);
  if (!known || find(after)) return false;
  auto moved = *known;
  moved.id = after;
  members_.erase(position(before));
  members_.insert(position(after), moved);
  return true;
}

void lane_table::leave(worker_id worker) {
  if (find(worker)) members_.erase(position(worker));
}

void lane_table::new_job() {
  lanes_.clear();
  for (auto& member : members_) {
    member.current = member.own;
    lanes_.push_back(member.own);
  }
  std::sort(lanes_.begin(), lanes_.end());
}

bool lane_table::is_prefix(const lane& shorter, const lane& longer) noexcept {
  return shorter.size <= longer.size && std::memcmp(shorter.bytes.data(), longer.bytes.data(), shorter.size) == 0;
}

lane_table::lane lane_table::pad_of(const lane& whole, std::size_t mark_bytes) noexcept {
  lane pad{.size = static_cast<std::uint8_t>(whole.size - mark_bytes)};
  std::copy_n(whole.bytes.begin(), pad.size, pad.bytes.begin());
  return pad;
}

// The first pad after all those that have the same leading bytes.
std::optional<lane_table::lane> lane_table::next_pad(lane pad, std::size_t bytes) noexcept {
  std::fill(pad.bytes.begin() + static_cast<std::ptrdiff_t>(bytes), pad.bytes.end(), std::uint8_t{0});
  while (bytes > 0) {
    if (++pad.bytes[--bytes] != 0) return pad;
  }
  return std::nullopt;
}

std::string lane_table::hex(const lane& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size * std::size_t{2});
  for (std::size_t i = 0; i < bytes.size; ++i) {
    text += digits[bytes.bytes[i] >> 4];
    text += digits[bytes.bytes[i] & 15];
  }
  return text;
}

std::vector<lane_table::member>::const_iterator lane_table::position(worker_id worker) const noexcept {
  return std::lower_bound(members_.begin(), members_.end(), worker,
                          [](const member& one, worker_id id) { return one.id < id; });
}

const lane_table::member* lane_table::find(worker_id worker) const noexcept {
  const auto at = position(worker);
  return at != members_.end() && at->id == worker ? &*at : nullptr;
}

lane_table::member* lane_table::find(worker_id worker) noexcept {
  return const_cast<member*>(std::as_const(*this).find(worker));
}

// As no lane is a prefix of another, only the neighbours of the wanted place can be in the way.
const lane_table::lane* lane_table::in_the_way(const lane& wanted) const noexcept {
  const auto at = std::lower_bound(lanes_.begin(), lanes_.end(), wanted);
  if (at != lanes_.end() && is_prefix(wanted, *at)) return &*at;
  if (at != lanes_.begin() && is_prefix(*std::prev(at), wanted)) return &*std::prev(at);
  return nullptr;
}

std::optional<lane_table::lane> lane_table::free_lane(const lane& mark, std::size_t pad_bytes) const {
  if (lanes_.size() >= std::max(max_workers_, members_.size()) * lanes_per_worker) return std::nullopt;
  // Every lane is in the way of one step at most, as each step goes past all the pads that it rules out.
  for (std::optional<lane> pad = lane{.size = static_cast<std::uint8_t>(pad_bytes)}; pad;) {
    auto wanted = *pad;
    std::copy_n(mark.bytes.begin(), mark.size, wanted.bytes.begin() + wanted.size);
    wanted.size = static_cast<std::uint8_t>(wanted.size + mark.size);
    const auto* const other = in_the_way(wanted);
    if (!other) return wanted;
    pad = next_pad(*pad, std::min<std::size_t>(other->size, pad_bytes));
  }
  return std::nullopt;
}

void lane_table::add(const lane& taken) { lanes_.insert(std::lower_bound(lanes_.begin(), lanes_.end(), taken), taken); }

}  // namespace stratumproxy::session
