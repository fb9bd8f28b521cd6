#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stratumload {

/// How a share ended, as its miner was told or as the pool said.
enum class verdict : std::uint8_t { none, accepted, rejected, unknown };

/// Spreads numbers that stand in a row over all 32 bits, as if at random, but always in the same way.
[[nodiscard]] std::uint32_t mixed(std::uint32_t value) noexcept;

/// A share that the tool makes carries its number: the nonce is the number in disguise, and the last two bytes of its
/// extranonce2 are a check of it. So the pool recognises it behind any proxy that keeps the miner's bytes, as every proxy
/// must, and a share that nobody made does not pass for one.
[[nodiscard]] std::uint32_t nonce_of(std::uint32_t serial) noexcept;
[[nodiscard]] std::uint32_t serial_of(std::uint32_t nonce) noexcept;
/// `bytes` (at least 2) of extranonce2 as hex digits: the worker's number, then the check.
void append_extranonce2(std::string& out, unsigned bytes, std::uint32_t worker, std::uint32_t serial);
[[nodiscard]] bool has_check_of(std::string_view extranonce2, std::uint32_t serial) noexcept;

/// What the miners sent, what the pool got, and what both said about it.
struct audit {
  std::uint64_t sent = 0;
  std::uint64_t accepted = 0, rejected = 0, unknown = 0;  ///< as the miners were told
  std::uint64_t received = 0;                             ///< lines that reached the pool, doubled and invented ones among them
  std::uint64_t lost = 0;                                 ///< sent, never at the pool, and no refusal told
  std::uint64_t doubled = 0;                              ///< extra times that a share reached the pool
  std::uint64_t invented = 0;                             ///< at the pool, but no miner sent it
  std::uint64_t altered = 0;                              ///< at the pool with another job, time, user or length
  std::uint64_t unanswered = 0;                           ///< the pool answered, the miner never heard
  std::uint64_t wrong_verdicts = 0;                       ///< told something else than what the pool said
  std::uint64_t stray_verdicts = 0;                       ///< verdicts for a share that was not waiting for one
  std::uint64_t refused_on_the_way = 0;                   ///< rejected without the pool being asked: no fault

  [[nodiscard]] std::uint64_t faults() const noexcept {
    return lost + doubled + invented + altered + unanswered + wrong_verdicts + stray_verdicts;
  }
  [[nodiscard]] bool exact() const noexcept { return sent == accepted + rejected + unknown; }
};

/// Two bytes of memory for each share, shared by the process of the miners and that of the pool. Each side writes its own
/// column only; check() reads both when the pool has ended.
class ledger {
 public:
  /// Room for that many shares; memory is used as they come. Throws std::system_error.
  explicit ledger(std::uint32_t capacity);
  ~ledger();
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  // The miners' column.
  void sent(std::uint32_t serial) noexcept;
  void told(std::uint32_t serial, verdict what) noexcept;
  void stray_verdict() noexcept { ++head_->stray; }

  // The pool's column.
  [[nodiscard]] bool is_known(std::uint32_t serial) const noexcept { return serial < capacity_; }
  /// False when it was there before.
  [[nodiscard]] bool arrived(std::uint32_t serial, verdict answer) noexcept;
  void arrived_invented() noexcept { ++head_->invented; }
  void arrived_altered() noexcept { ++head_->altered; }
  void pool_connected() noexcept { head_->pool_connections.fetch_add(1, std::memory_order_relaxed); }
  /// How often the pool was connected to.
  [[nodiscard]] std::uint64_t pool_connections() const noexcept { return head_->pool_connections.load(std::memory_order_relaxed); }

  // When the pool began to send a job, in nanoseconds of the monotonic clock; 0: not yet.
  void job_sent(std::uint32_t job, std::int64_t at) noexcept { head_->job_sent[job % jobs].store(at); }
  [[nodiscard]] std::int64_t job_sent(std::uint32_t job) const noexcept { return head_->job_sent[job % jobs].load(); }

  [[nodiscard]] audit check() const noexcept;

 private:
  static constexpr std::size_t jobs = 4096;

  struct head {
    std::uint32_t sent_end = 0, arrived_end = 0;  ///< one past the highest number seen by each side
    std::uint64_t stray = 0;
    std::uint64_t invented = 0;
    std::uint64_t altered = 0;
    std::atomic<std::uint64_t> pool_connections{0};
    std::atomic<std::int64_t> job_sent[jobs]{};
  };

  std::uint32_t capacity_;
  std::size_t bytes_;
  void* memory_;
  head* head_;
  std::uint8_t* miners_;  // bit 0: sent; bits 1-2: the verdict that was told
  std::uint8_t* pool_;    // bits 0-5: times received, 63 for more; bits 6-7: the first answer
};

}  // namespace stratumload
