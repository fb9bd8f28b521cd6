#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/ids.hpp"
#include "session/share_set.hpp"
#include "stratumproxy/algorithm/share_check.hpp"

namespace stratumproxy::session {

/// A job of the pool: what all its forms have in common, whatever the pool said since.
struct job_record {
  std::string pool_id;      ///< the pool's
  std::string extranonce1;  ///< the pool's, for this job
  std::uint32_t version = 0;
  double difficulty = 0;    ///< the link's when the pool last sent it; 0: it had said none
  std::shared_ptr<const algorithm::work> work;  ///< null where the proof of work is not checked
  share_set seen;
};

/// The same as workers get it: all that have one pad get the same bytes.
struct job_form {
  std::uint64_t id = 0;            ///< ours, what miners know it by
  std::string pad;                 ///< hex
  worker_id only_for{};            ///< a job that was sent again: nobody else has this form; none: every worker of the pad
  std::uint32_t ntime = 0;         ///< as sent
  std::uint32_t version_mask = 0;  ///< the link's
  double difficulty = 0;           ///< the link's, for this job
  std::uint32_t record = 0;        ///< index
};

/// The last jobs of a link. A job that leaves the table is unknown from then on. Slots are used again with their memory.
class job_table {
 public:
  static constexpr std::size_t capacity = 16;

  struct entry {
    job_form* form = nullptr;
    job_record* job = nullptr;
    explicit operator bool() const noexcept { return form != nullptr; }
  };

  /// A slot for the next job, emptied but for the memory it has. References and pointers from before are void.
  [[nodiscard]] job_record& add() {
    if (records_.size() < capacity) {
      current_ = records_.size();
      records_.emplace_back();
    } else {
      current_ = (current_ + 1) % capacity;
    }
    const auto is_of_another = [&](const job_form& form) { return form.record != current_; };
    forms_.erase(forms_.begin(), std::find_if(forms_.begin(), forms_.end(), is_of_another));
    auto& record = records_[current_];
    record.seen.clear();
    return record;
  }

  /// There must be one.
  [[nodiscard]] job_record& newest() noexcept { return records_[current_]; }

  /// A form of the newest job. Ids only grow.
  [[nodiscard]] job_form& add_form(std::uint64_t id) {
    auto& form = forms_.emplace_back();
    form.id = id;
    form.record = static_cast<std::uint32_t>(current_);
    return form;
  }

  [[nodiscard]] entry find(std::uint64_t id) noexcept {
    const auto found = std::lower_bound(forms_.begin(), forms_.end(), id, [](const job_form& form, std::uint64_t wanted) { return form.id < wanted; });
    if (found == forms_.end() || found->id != id) return {};
    return {&*found, &records_[found->record]};
  }

  /// The form of the newest job that all workers of this pad have, at this difficulty and mask of the link.
  [[nodiscard]] const job_form* common_form(std::string_view pad, double difficulty, std::uint32_t version_mask) const noexcept {
    for (auto form = forms_.rbegin(); form != forms_.rend() && form->record == current_; ++form) {
      if (form->only_for == worker_id{} && form->pad == pad && form->difficulty == difficulty && form->version_mask == version_mask) return &*form;
    }
    return nullptr;
  }

  /// Of the newest job: how often it was sent to this worker again.
  [[nodiscard]] std::size_t own_forms(worker_id worker) const noexcept {
    std::size_t count = 0;
    for (auto form = forms_.rbegin(); form != forms_.rend() && form->record == current_; ++form) count += form->only_for == worker;
    return count;
  }

  /// Whether this is a form of the newest job.
  [[nodiscard]] bool is_newest(std::uint64_t id) noexcept {
    const auto found = find(id);
    return found && found.form->record == current_;
  }

  /// A restored worker goes on under another id.
  void take_over(worker_id before, worker_id after) noexcept {
    for (auto& form : forms_) {
      if (form.only_for == before) form.only_for = after;
    }
  }

  [[nodiscard]] bool empty() const noexcept { return records_.empty(); }

  void clear() noexcept {
    records_.clear();
    forms_.clear();
    current_ = 0;
  }

 private:
  std::vector<job_record> records_;
  std::vector<job_form> forms_;  // by id
  std::size_t current_ = 0;      // the newest record
};

}  // namespace stratumproxy::session
