#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "session/work_of_job.hpp"
#include "stratumproxy/algorithm/share_check.hpp"
#include "stratumproxy/protocol/messages.hpp"

namespace stratumproxy::session {

/// The last job that a pool told any link of the shard, with the line that it came in. Most pools send one and the same line to all
/// their miners, so that of many dedicated links only the first has to read it, and all share what was read.
class broadcast_job {
 public:
  /// The job of this very line; null when it is another.
  [[nodiscard]] std::shared_ptr<const protocol::job> find(std::string_view line, unsigned coinb1_index) const noexcept {
    return job_ && line == line_ && coinb1_index == coinb1_index_ ? job_ : nullptr;
  }

  /// To be called before a line is decoded, which overwrites it.
  void expect(std::string_view line, unsigned coinb1_index) {
    is_expected_ = line.size() >= shortest && line.size() <= longest;
    if (!is_expected_) return;
    job_.reset();
    line_ = line;
    coinb1_index_ = coinb1_index;
  }

  /// The line just decoded is this job.
  [[nodiscard]] std::shared_ptr<const protocol::job> read(protocol::job&& work) {
    auto shared = std::make_shared<const protocol::job>(std::move(work));
    if (is_expected_) job_ = shared;
    return shared;
  }

  /// The job, decoded for checks of its shares; null when that is not possible.
  [[nodiscard]] std::shared_ptr<const algorithm::work> work(const std::shared_ptr<const protocol::job>& of) {
    if (decoded_job_ != of) {
      decoded_job_ = of;
      work_ = work_of(*of);
    }
    return work_;
  }

 private:
  static constexpr std::size_t shortest = 256;    // verdicts are shorter, jobs never: hash, coinbase and frame
  static constexpr std::size_t longest = 16'384;  // longer ones are rare, and would stay in memory

  std::string line_;
  unsigned coinb1_index_ = 0;
  bool is_expected_ = false;
  std::shared_ptr<const protocol::job> job_;
  std::shared_ptr<const protocol::job> decoded_job_;
  std::shared_ptr<const algorithm::work> work_;
};

}  // namespace stratumproxy::session
