#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace stratumproxy::test {

/// The table of sessions in memory. `down` makes every method fail as an unreachable database does; while `held`, nothing is answered.
class memory_session_table final : public stratumproxyd::session_table {
 public:
  std::atomic<bool> down{false};

  void hold(bool is_held) {
    {
      const std::lock_guard lock(mutex_);
      held_ = is_held;
    }
    changed_.notify_all();
  }
  [[nodiscard]] std::map<std::string, session_record> rows() const {
    const std::lock_guard lock(mutex_);
    return rows_;
  }
  /// How many rows each write had, and each claim ids.
  [[nodiscard]] std::vector<std::size_t> written() const {
    const std::lock_guard lock(mutex_);
    return written_;
  }
  [[nodiscard]] std::vector<std::size_t> claimed() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  [[nodiscard]] std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return callers_;
  }

  void write(std::span<const session_record> changed, std::span<const std::string> removed) override {
    auto lock = enter();
    written_.push_back(changed.size() + removed.size());
    for (const auto& record : changed)
      if (!claimed_.contains(record.id)) rows_[record.id] = record;
    for (const auto& id : removed) {
      rows_.erase(id);
      claimed_.erase(id);
    }
  }
  std::vector<session_record> claim(std::span<const std::string> ids) override {
    auto lock = enter();
    asked_.push_back(ids.size());
    std::vector<session_record> found;
    for (const auto& id : ids) {
      auto node = rows_.extract(id);
      if (!node) continue;
      claimed_.insert(id);
      found.push_back(std::move(node.mapped()));
    }
    return found;
  }
  std::size_t prune() override { return 0; }

 private:
  std::unique_lock<std::mutex> enter() {
    std::unique_lock lock(mutex_);
    ++callers_;
    changed_.wait(lock, [this] { return !held_; });
    --callers_;
    if (down) throw stratumproxyd::store_unavailable("the database is away");
    return lock;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::size_t callers_ = 0;
  std::map<std::string, session_record> rows_;
  std::set<std::string> claimed_;
  std::vector<std::size_t> written_, asked_;
};

}  // namespace stratumproxy::test
