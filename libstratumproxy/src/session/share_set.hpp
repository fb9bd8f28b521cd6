#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace stratumproxy::session {

/// The shares that were seen for one job, as 64-bit fingerprints of their canonical bytes. Open addressing; memory is taken
/// with the first share and kept for the next job, so that a steady stream of shares allocates nothing.
class share_set {
 public:
  /// Above this many the set takes no more: the pool finds the rest of the duplicates. 1 MiB.
  static constexpr std::size_t limit = 1U << 16;

  /// False when it is there already.
  [[nodiscard]] bool insert(std::uint64_t fingerprint) {
    if (fingerprint == 0) fingerprint = 1;  // 0 marks a free slot
    if (size_ * 2 >= slots_.size() && size_ < limit) grow();
    for (std::size_t i = fingerprint & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i] == fingerprint) return false;
      if (slots_[i] != 0) continue;
      if (size_ < limit) {
        slots_[i] = fingerprint;
        ++size_;
      }
      return true;
    }
  }

  void clear() noexcept {
    if (size_ == 0) return;
    slots_.assign(slots_.size(), 0);
    size_ = 0;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  void grow() {
    std::vector<std::uint64_t> old(slots_.empty() ? 16 : slots_.size() * 2, 0);
    old.swap(slots_);
    size_ = 0;
    for (const auto fingerprint : old) {
      if (fingerprint != 0) (void)insert(fingerprint);
    }
  }

  std::vector<std::uint64_t> slots_;
  std::size_t size_ = 0;
};

}  // namespace stratumproxy::session
