#include "stratumproxy/protocol/line_framer.hpp"

#include <cstring>
#include <utility>

namespace stratumproxy::protocol {

std::span<char> line_framer::bytes() noexcept { return kept_.empty() ? fed_ : std::span<char>(kept_); }

std::span<const char> line_framer::unread() const noexcept {
  const auto all = kept_.empty() ? std::span<const char>(fed_) : std::span<const char>(kept_);
  return all.subspan(position_);
}

void line_framer::feed(std::span<char> bytes) {
  keep();
  if (kept_.empty()) {
    fed_ = bytes;
  } else {
    kept_.append(bytes.data(), bytes.size());
  }
}

result<std::span<char>> line_framer::next() {
  const auto all = bytes();
  for (;;) {
    const auto unseen = all.subspan(scanned_);
    const auto* found = unseen.empty() ? nullptr : static_cast<const char*>(std::memchr(unseen.data(), '\n', unseen.size()));
    const std::size_t end = found ? static_cast<std::size_t>(found - all.data()) : all.size();
    if (end - position_ >= limit_) return errc::line_too_long;
    if (!found) {
      scanned_ = end;
      return std::span<char>{};
    }
    auto line = all.subspan(position_, end - position_);
    position_ = scanned_ = end + 1;
    if (!line.empty() && line.back() == '\r') line = line.first(line.size() - 1);
    if (!line.empty()) return line;
    ++empty_lines_;
  }
}

void line_framer::keep() {
  const auto rest = unread();
  // A fresh string fits what is left, so that an idle connection holds no memory for the lines it once sent.
  // Swapped, because a move would copy a short string into the old, large block.
  if (rest.empty() || kept_.empty() || position_ > 0) std::string(rest.begin(), rest.end()).swap(kept_);
  fed_ = {};
  scanned_ -= position_;
  position_ = 0;
}

void line_framer::clear() noexcept {
  kept_.clear();
  fed_ = {};
  position_ = scanned_ = empty_lines_ = 0;
}

std::size_t line_framer::take_empty_lines() noexcept { return std::exchange(empty_lines_, 0); }

}  // namespace stratumproxy::protocol
