#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/ids.hpp"

namespace stratumproxy::session {

/// Who searches where on one link. The pool's extranonce2 is divided: pad | mark | the miner's own part, and pad | mark is
/// the lane. Lanes are of different lengths where the miner's parts are, so two of them are apart only when neither is a
/// prefix of the other; all lanes in the table are, always.
///
/// A lane that was once given stays taken until new_job(), whoever leaves meanwhile: another worker there would repeat the
/// search for the same job. Workers of one pad get the same bytes, so each gets the first pad that is free for its mark: few
/// differ (8 on a link with 256 workers of random marks, parts of 3, 4 and 6 bytes among them).
/// For the link's thread only; not made for the share path. Takes 48 bytes a worker, and 16 a lane.
class lane_table {
 public:
  static constexpr std::size_t default_max_workers = 256;
  /// All lanes, those at rest too: no worker can grow the table without end while the pool sends no job.
  static constexpr std::size_t lanes_per_worker = 64;

  /// E of the pool, 1 to 16. Where it changes, all jobs are void, and a new table takes the place of this one.
  explicit lane_table(unsigned extranonce2_bytes, std::size_t max_workers = default_max_workers)
      : extranonce2_bytes_(extranonce2_bytes), max_workers_(max_workers) {}

  /// Lets a worker in, with its mark (lower-case hex) and the size of its own part. The answer is the pad as hex: zeros for
  /// the first worker with a mark, "" where there is no room for one. Nothing when the link is full, no lane is free, or
  /// the sizes don't fit; the table is then as before. A worker that is in already stays in its lane; with another mark
  /// or size it moves.
  [[nodiscard]] std::optional<std::string> enter(worker_id worker, std::string_view mark, unsigned miner_bytes);

  /// Another pad for the job that the worker has: it begins its search anew at each notify, and must not begin it where
  /// it was before. Good until new_job(), from which on the worker is in its own lane again. Nothing when none is free.
  [[nodiscard]] std::optional<std::string> fresh_pad(worker_id worker);

  /// The pad that jobs for this worker have now. Nothing when it is not in.
  [[nodiscard]] std::optional<std::string> pad(worker_id worker) const;

  /// A restored worker goes on under another id, in the same lane. False when `before` is not in, or `after` is.
  [[nodiscard]] bool take_over(worker_id before, worker_id after);

  /// It can't be restored any more. Its lanes rest until new_job().
  void leave(worker_id worker);

  /// The next job of the pool is another search, so that lanes at rest are free, and fresh pads are over.
  void new_job();

  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
  /// Those that are in stay, with lanes for each.
  void set_max_workers(std::size_t most) noexcept { max_workers_ = most; }
  [[nodiscard]] bool is_full() const noexcept { return members_.size() >= max_workers_; }
  /// Taken and resting ones.
  [[nodiscard]] std::size_t lanes() const noexcept { return lanes_.size(); }

 private:
  // Bytes behind `size` are zero, so that the order is that of texts: a prefix comes before all that it is a prefix of.
  struct lane {
    std::array<std::uint8_t, 15> bytes{};
    std::uint8_t size = 0;
    auto operator<=>(const lane&) const = default;
  };
  struct member {
    worker_id id{};
    lane own;
    lane current;  // differs from its own one after fresh_pad()
    std::uint8_t mark_bytes = 0;
  };

  [[nodiscard]] static bool is_prefix(const lane& shorter, const lane& longer) noexcept;
  [[nodiscard]] static lane pad_of(const lane& whole, std::size_t mark_bytes) noexcept;
  [[nodiscard]] static std::optional<lane> next_pad(lane pad, std::size_t bytes) noexcept;
  [[nodiscard]] static std::string hex(const lane& bytes);

  [[nodiscard]] std::vector<member>::const_iterator position(worker_id worker) const noexcept;
  [[nodiscard]] const member* find(worker_id worker) const noexcept;
  [[nodiscard]] member* find(worker_id worker) noexcept;
  [[nodiscard]] const lane* in_the_way(const lane& wanted) const noexcept;
  [[nodiscard]] std::optional<lane> free_lane(const lane& mark, std::size_t pad_bytes) const;
  void add(const lane& taken);

  unsigned extranonce2_bytes_;
  std::size_t max_workers_;
  std::vector<member> members_;  // by id
  std::vector<lane> lanes_;      // in order; none is a prefix of another
};

}  // namespace stratumproxy::session
