#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace stratumproxy::net {

/// Bytes on their way to a kernel. Appended at the end, sent from the front.
class output_buffer {
 public:
  void append(std::string_view bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  [[nodiscard]] std::string_view unsent() const noexcept { return {bytes_.data() + sent_, bytes_.size() - sent_}; }
  void consume(std::size_t count);
  void clear() noexcept;
  [[nodiscard]] std::size_t capacity() const noexcept { return bytes_.capacity(); }

 private:
  std::vector<char> bytes_;
  std::size_t sent_ = 0;
};

/// Buffers that no connection needs at the moment. A connection borrows one while it has output that the kernel has
/// not taken, so that a steady state allocates nothing and an idle connection owns nothing.
class buffer_pool {
 public:
  static constexpr std::size_t kept_buffers = 64;
  static constexpr std::size_t kept_capacity = 64 * 1024;  ///< larger ones are freed

  [[nodiscard]] std::unique_ptr<output_buffer> borrow();
  void give_back(std::unique_ptr<output_buffer> buffer);
  [[nodiscard]] std::size_t size() const noexcept { return free_.size(); }

 private:
  std::vector<std::unique_ptr<output_buffer>> free_;
};

}  // namespace stratumproxy::net
