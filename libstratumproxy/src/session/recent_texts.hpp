#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace stratumproxy::session {

/// Texts that many have in common, such as the user agents of a farm: one of the last few is shared instead of kept again.
class recent_texts {
 public:
  recent_texts() { texts_.fill(std::make_shared<const std::string>()); }

  [[nodiscard]] const std::shared_ptr<const std::string>& none() const noexcept { return none_; }

  [[nodiscard]] std::shared_ptr<const std::string> share(std::string text) {
    for (const auto& known : texts_) {
      if (*known == text) return known;
    }
    auto& oldest = texts_[next_++ % texts_.size()];
    return oldest = std::make_shared<const std::string>(std::move(text));
  }

 private:
  std::array<std::shared_ptr<const std::string>, 8> texts_;
  std::shared_ptr<const std::string> none_ = std::make_shared<const std::string>();
  std::size_t next_ = 0;
};

}  // namespace stratumproxy::session
