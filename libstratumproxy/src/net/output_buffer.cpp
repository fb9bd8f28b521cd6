#include "net/output_buffer.hpp"

#include <utility>

namespace stratumproxy::net {

void output_buffer::consume(std::size_t count) {
  sent_ += count;
  if (sent_ == bytes_.size()) {
    clear();
  } else if (sent_ > bytes_.size() / 2) {
    // A connection that never quite drains must not keep all that it ever sent.
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }
}

void output_buffer::clear() noexcept {
  bytes_.clear();
  sent_ = 0;
}

std::unique_ptr<output_buffer> buffer_pool::borrow() {
  if (free_.empty()) return std::make_unique<output_buffer>();
  auto buffer = std::move(free_.back());
  free_.pop_back();
  return buffer;
}

void buffer_pool::give_back(std::unique_ptr<output_buffer> buffer) {
  if (!buffer || free_.size() >= kept_buffers || buffer->capacity() > kept_capacity) return;
  buffer->clear();
  free_.push_back(std::move(buffer));
}

}  // namespace stratumproxy::net
