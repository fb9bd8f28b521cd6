#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace stratumproxy::net {

/// How many miners are connected to all shards together, against a limit.
class admission {
  struct counter {
    std::atomic<std::size_t> count{0};
  };

 public:
  /// One miner's place. It moves with the connection, also to another shard, and is free when destroyed.
  class ticket {
   public:
    ticket() = default;
    ticket(ticket&&) noexcept = default;
    ticket& operator=(ticket&& other) noexcept {
      release();
      counter_ = std::move(other.counter_);
      return *this;
    }
    ~ticket() { release(); }

   private:
    friend class admission;
    explicit ticket(std::shared_ptr<counter> counted) noexcept : counter_(std::move(counted)) {}
    void release() noexcept {
      if (counter_) counter_->count.fetch_sub(1, std::memory_order_relaxed);
      counter_.reset();
    }
    std::shared_ptr<counter> counter_;
  };

  explicit admission(std::size_t limit) : limit_(limit), counter_(std::make_shared<counter>()) {}

  /// Those that are in stay. From any thread.
  void set_limit(std::size_t limit) noexcept { limit_.store(limit, std::memory_order_relaxed); }

  [[nodiscard]] std::optional<ticket> enter() {
    if (counter_->count.fetch_add(1, std::memory_order_relaxed) < limit_.load(std::memory_order_relaxed)) return ticket(counter_);
    counter_->count.fetch_sub(1, std::memory_order_relaxed);
    return std::nullopt;
  }

 private:
  std::atomic<std::size_t> limit_;
  std::shared_ptr<counter> counter_;
};

}  // namespace stratumproxy::net
