#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "session/share_set.hpp"

namespace stratumproxy::session {

/// A job as it was given to a worker: all that is needed to judge and to translate a share for it, whatever the pool said since.
struct job_record {
  std::uint64_t id = 0;          ///< ours
  std::string pool_id;           ///< the pool's
  std::string prefix;            ///< hex, pad and mark: stands before the miner's part of the extranonce2
  unsigned extranonce2_bytes = 0;  ///< the miner's part
  std::uint32_t version_mask = 0;
  std::uint32_t version = 0;     ///< the job's own
  std::uint32_t ntime = 0;       ///< as sent to the worker
  double difficulty = 0;         ///< in force for this job
  share_set seen;
};

/// The last jobs of a link. A job that leaves the table is unknown from then on. Slots are used again with their memory.
class job_table {
 public:
  static constexpr std::size_t capacity = 16;

  /// A slot for the next job, emptied but for the memory it has. The reference lasts until the next add() or clear().
  [[nodiscard]] job_record& add(std::uint64_t id) {
    if (records_.size() < capacity) records_.emplace_back();
    auto& record = records_[next_];
    next_ = (next_ + 1) % capacity;
    record.id = id;
    record.prefix.clear();
    record.seen.clear();
    return record;
  }

  [[nodiscard]] job_record* find(std::uint64_t id) noexcept {
    for (auto& record : records_) {
      if (record.id == id) return &record;
    }
    return nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return records_.empty(); }

  void clear() noexcept {
    records_.clear();
    next_ = 0;
  }

 private:
  std::vector<job_record> records_;
  std::size_t next_ = 0;
};

}  // namespace stratumproxy::session
