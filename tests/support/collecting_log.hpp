#pragma once

#include <mutex>
#include <string>
#include <vector>

#include <stratumproxy/log.hpp>

namespace stratumproxy::test {

/// Keeps "event detail" of each event.
class collecting_log final : public stratumproxy::log_sink {
 public:
  void write(const stratumproxy::log_event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(event.event) + ' ' + std::string(event.detail));
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& line : lines()) out += line + '\n';
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace stratumproxy::test
