#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace stratumproxy {

/// A queue in one block of memory that grows by doubling and is kept: std::deque takes and gives back a block every few
/// elements, and owns half a KiB while it is empty.
template <class T>
class ring {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  [[nodiscard]] T& front() noexcept { return slots_[head_]; }

  T& push_back(T value) {
    if (size_ == slots_.size()) grow();
    T& slot = (*this)[size_++];
    slot = std::move(value);
    return slot;
  }
  /// The slot keeps its memory for the next value.
  void pop_front() noexcept {
    head_ = (head_ + 1) & (slots_.size() - 1);
    --size_;
  }
  void pop_back() noexcept { --size_; }
  void clear() noexcept {
    slots_ = {};
    head_ = size_ = 0;
  }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 4 : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    head_ = 0;
  }

  std::vector<T> slots_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace stratumproxy
