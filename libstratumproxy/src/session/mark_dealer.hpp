#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stratumproxy::session {

/// Deals marks: the extranonce1 of a worker, p bytes that tell it apart from others. The least used of the shard
/// goes first, in turn, so that a mark which was just given back rests as long as possible.
class mark_dealer {
 public:
  explicit mark_dealer(unsigned bytes) { set_bytes(bytes); }

  /// Marks that are dealt from now on have so many bytes. Those in use stay as they are.
  void set_bytes(unsigned bytes) {
    bytes_ = bytes;
    dealt_ = std::size_t{1} << (8 * std::min(bytes, 2U));
    uses_.resize(std::max(uses_.size(), dealt_));
    next_ %= dealt_;
  }

  /// A mark as hex. Give it back with release().
  [[nodiscard]] std::string take() {
    std::size_t best = next_;
    for (std::size_t i = 0; i < dealt_ && uses_[best] != 0; ++i) {
      const auto candidate = (next_ + i) % dealt_;
      if (uses_[candidate] < uses_[best]) best = candidate;
    }
    next_ = (best + 1) % dealt_;
    ++uses_[best];
    return hex(best);
  }
  /// Whether it could be one of these, as another dealer may be set up otherwise.
  [[nodiscard]] bool could_be_one(const std::string& mark) const noexcept {
    return mark.size() == bytes_ * 2 && mark.find_first_not_of("0123456789abcdef") == std::string::npos;
  }
  /// One more holder of a mark, which may be in use.
  void share(const std::string& mark) noexcept { ++uses_[index(mark)]; }
  void release(const std::string& mark) noexcept {
    auto& uses = uses_[index(mark)];
    if (uses > 0) --uses;
  }

 private:
  // Marks of more than two bytes differ in the last two: 65,536 are more than one shard has workers.
  [[nodiscard]] std::string hex(std::size_t value) const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text(bytes_ * 2, '0');
    for (auto at = text.rbegin(); at != text.rend() && value != 0; ++at, value >>= 4) *at = digits[value & 15];
    return text;
  }
  [[nodiscard]] std::size_t index(const std::string& mark) const noexcept {
    std::size_t value = 0;
    for (const char c : mark) value = (value << 4) | static_cast<std::size_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    return value & (uses_.size() - 1);
  }

  unsigned bytes_ = 1;
  std::size_t dealt_ = 0;            // so many values
  std::vector<std::uint32_t> uses_;  // by value; a power of two of them
  std::size_t next_ = 0;
};

}  // namespace stratumproxy::session
